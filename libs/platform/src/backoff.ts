import { setTimeout as sleep } from 'node:timers/promises';

export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
  /** In [0, 1). */
  readonly random?: () => number;
}

/**
 * Delays for trying again and again, without end: each is anywhere between 0 and a bound that doubles
 * from `firstMs` to `maxMs` ("full jitter": callers that failed together don't come back together).
 */
export function* backoffDelays({
  firstMs,
  maxMs,
  random = Math.random,
}: BackoffOptions): Generator<number, never, void> {
  for (let bound = firstMs; ; bound = Math.min(maxMs, bound * 2)) {
    yield random() * Math.min(bound, maxMs);
  }
}

/** Waits. Rejects with an AbortError as soon as the signal is aborted. */
export const delay = (ms: number, signal?: AbortSignal): Promise<void> =>
  sleep(ms, undefined, signal === undefined ? {} : { signal });
