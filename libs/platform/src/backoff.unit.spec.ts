import { describe, expect, it } from '@jest/globals';
import { backoffDelays, delay } from './backoff.js';

const first = (count: number, delays: Iterator<number, never>): number[] =>
  Array.from({ length: count }, () => delays.next().value);

describe('back-off', () => {
  it('doubles its bound up to the greatest', () => {
    const delays = backoffDelays({ firstMs: 10, maxMs: 100, random: () => 1 });
    expect(first(6, delays)).toEqual([10, 20, 40, 80, 100, 100]);
  });

  it('waits anything between nothing and the bound', () => {
    expect(first(3, backoffDelays({ firstMs: 10, maxMs: 15, random: () => 0 }))).toEqual([0, 0, 0]);
    for (const ms of first(1000, backoffDelays({ firstMs: 10, maxMs: 15 }))) {
      expect(ms).toBeGreaterThanOrEqual(0);
      expect(ms).toBeLessThan(15);
    }
    expect(first(2, backoffDelays({ firstMs: 50, maxMs: 15, random: () => 1 }))).toEqual([15, 15]);
  });

  it('ends at once when it is aborted', async () => {
    const abort = new AbortController();
    const waiting = delay(60_000, abort.signal);
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    await expect(delay(60_000, abort.signal)).rejects.toMatchObject({ name: 'AbortError' });
    await expect(delay(1)).resolves.toBeUndefined();
  });
});
