import { performance, monitorEventLoopDelay } from 'node:perf_hooks';
import type { Meter } from '@opentelemetry/api';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { AggregationType, InstrumentType, MeterProvider } from '@opentelemetry/sdk-metrics';

/** Bounds in seconds from 0.1 ms to 10 s: a lone append takes 0.8 ms, a time-out some seconds. */
export const SECONDS_BUCKETS: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

export interface Metrics {
  /** Where instruments are made. Durations are recorded in seconds (unit `s`). */
  readonly meter: Meter;
  /** All metrics in Prometheus' text format. */
  readonly render: () => Promise<string>;
  readonly shutdown: () => Promise<void>;
}

export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * OpenTelemetry metrics of one app, read by Prometheus. The provider isn't made the global one, so
 * several apps can live in one process (standalone) and each show its own.
 */
export function startMetrics(app: { readonly service: string; readonly version: string }): Metrics {
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  const provider = new MeterProvider({
    readers: [exporter],
    views: [
      {
        instrumentType: InstrumentType.HISTOGRAM,
        instrumentUnit: 's',
        aggregation: {
          type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM,
          options: { boundaries: [...SECONDS_BUCKETS], recordMinMax: false },
        },
      },
    ],
  });
  const meter = provider.getMeter('token-status', app.version);
  const stopProcessMetrics = observeProcess(meter, app);

  return {
    meter,
    render: async () => serializer.serialize((await exporter.collect()).resourceMetrics),
    shutdown: async () => {
      stopProcessMetrics();
      await provider.shutdown();
    },
  };
}

function observeProcess(
  meter: Meter,
  { service, version }: { readonly service: string; readonly version: string },
): () => void {
  meter
    .createObservableGauge('build_info', { description: 'Always 1; the labels say what runs' })
    .addCallback((result) => {
      result.observe(1, { service, version, node: process.version });
    });

  meter
    .createObservableGauge('process_start_time_seconds', {
      description: 'When the process started, in seconds since 1970',
    })
    .addCallback((result) => {
      result.observe(Math.round(performance.timeOrigin) / 1000);
    });

  meter
    .createObservableCounter('process_cpu_seconds', {
      description: 'Processor time used, user and system',
    })
    .addCallback((result) => {
      const { user, system } = process.cpuUsage();
      result.observe((user + system) / 1e6);
    });

  const memory = meter.createObservableGauge('process_memory_bytes', {
    description: 'Memory: resident, heap in use, and outside of the heap',
  });
  memory.addCallback((result) => {
    const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
    result.observe(rss, { kind: 'resident' });
    result.observe(heapUsed, { kind: 'heap_used' });
    result.observe(heapTotal, { kind: 'heap_total' });
    result.observe(external, { kind: 'external' });
  });

  const resolutionMs = 10;
  const delays = monitorEventLoopDelay({ resolution: resolutionMs });
  delays.enable();
  const lag = meter.createObservableGauge('event_loop_lag_seconds', {
    description: 'How late the event loop was since the last reading',
  });
  lag.addCallback((result) => {
    if (delays.count > 0) {
      // The histogram holds the whole time between two ticks of its timer, the timer's own included.
      const seconds = (ns: number): number => Math.max(0, ns / 1e9 - resolutionMs / 1e3);
      result.observe(seconds(delays.mean), { statistic: 'mean' });
      result.observe(seconds(delays.percentile(99)), { statistic: 'p99' });
      result.observe(seconds(delays.max), { statistic: 'max' });
    }
    delays.reset();
  });

  let before = performance.eventLoopUtilization();
  meter
    .createObservableGauge('event_loop_utilization', {
      description:
        'Share of the time since the last reading in which the event loop was busy, 0 to 1',
    })
    .addCallback((result) => {
      const now = performance.eventLoopUtilization();
      result.observe(performance.eventLoopUtilization(now, before).utilization);
      before = now;
    });

  return () => {
    delays.disable();
  };
}
