import { setTimeout as delay } from 'node:timers/promises';

export interface TryUntilOptions {
  readonly signal: AbortSignal;
  readonly onFault: (fault: unknown) => void;
  readonly firstMs?: number;
  readonly maxMs?: number;
}

/**
 * Tries until it succeeds, with exponential back-off and full jitter.
 *
 * @throws the signal's reason once it is aborted.
 */
export async function tryUntilDone<T>(
  work: () => Promise<T>,
  { signal, onFault, firstMs = 100, maxMs = 5000 }: TryUntilOptions,
): Promise<T> {
  for (let bound = firstMs; ; bound = Math.min(2 * bound, maxMs)) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (fault) {
      signal.throwIfAborted();
      onFault(fault);
    }
    await delay(Math.random() * bound, undefined, { signal });
  }
}

/** The work's outcome, or the signal's reason once it is aborted: nobody waits for the work then. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
