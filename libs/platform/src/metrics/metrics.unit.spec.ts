import { afterEach, describe, expect, it } from '@jest/globals';
import { startMetrics } from './metrics.js';
import type { Metrics } from './metrics.js';

const started: Metrics[] = [];
const start = (service: string): Metrics => {
  const metrics = startMetrics({ service, version: '1.2.3' });
  started.push(metrics);
  return metrics;
};

afterEach(async () => {
  await Promise.all(started.splice(0).map((metrics) => metrics.shutdown()));
});

describe('metrics', () => {
  it('are rendered in the format of Prometheus', async () => {
    const { meter, render } = start('a-service');
    meter
      .createCounter('commands', { description: 'Commands' })
      .add(2, { command: 'DisableToken' });
    const text = await render();
    expect(text).toContain('# TYPE commands_total counter');
    expect(text).toContain('commands_total{command="DisableToken"} 2');
    expect(text).toMatch(/build_info\{service="a-service",version="1.2.3",node="v\d+/);
  });

  it('have buckets from 0.1 ms to 10 s for durations', async () => {
    const { meter, render } = start('a-service');
    meter.createHistogram('append_duration_seconds', { unit: 's' }).record(0.0008);
    const text = await render();
    expect(text).toContain('append_duration_seconds_bucket{le="0.0001"} 0');
    expect(text).toContain('append_duration_seconds_bucket{le="0.0005"} 0');
    expect(text).toContain('append_duration_seconds_bucket{le="0.001"} 1');
    expect(text).toContain('append_duration_seconds_bucket{le="10"} 1');
  });

  it('tell about the process', async () => {
    const text = await start('a-service').render();
    for (const name of [
      'process_cpu_seconds_total',
      'process_memory_bytes{kind="heap_used"}',
      'event_loop_utilization',
      'process_start_time_seconds',
    ]) {
      expect(text).toContain(name);
    }
  });

  it('of two apps in one process are apart', async () => {
    const one = start('one');
    const two = start('two');
    one.meter.createCounter('only_here').add(1);
    expect(await one.render()).toContain('only_here_total 1');
    expect(await two.render()).not.toContain('only_here');
  });
});
