import { backoffDelays, delay } from './backoff.js';

export interface KeepTryingOptions {
  readonly signal: AbortSignal;
  /** Told of each failure: for the log. */
  readonly onFault: (fault: unknown) => void;
  readonly firstMs?: number;
  readonly maxMs?: number;
}

/**
 * Does the work again, with back-off, until it succeeds: for what may be away for a while, such as a
 * database when an app starts.
 *
 * @throws the signal's reason once it is aborted.
 */
export async function keepTrying<T>(
  work: () => Promise<T>,
  { signal, onFault, firstMs = 100, maxMs = 5000 }: KeepTryingOptions,
): Promise<T> {
  for (const pause of backoffDelays({ firstMs, maxMs })) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (fault) {
      onFault(fault);
    }
    await delay(pause, signal);
  }
  throw new Error('unreachable: the delays never end');
}
