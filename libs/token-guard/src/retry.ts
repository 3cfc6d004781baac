/** Full jitter (each wait is anything from 0 to a bound that doubles), so that gateways don't move in step. */
export interface RetryPolicy {
  readonly firstMs: number;
  readonly maxMs: number;
  /** 0 ≤ value < 1. */
  readonly random: () => number;
}

export const retryDelayMs = ({ firstMs, maxMs, random }: RetryPolicy, attempt: number): number =>
  random() * Math.min(maxMs, firstMs * 2 ** Math.min(attempt, 30));

/** Resolves after the time, or at once when aborted: the caller looks at the signal. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}

/** Rejects when the promise has not settled in time; what it does later is the caller's to undo. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${what} took longer than ${ms} ms`)), ms);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}

export const asError = (fault: unknown): Error =>
  fault instanceof Error ? fault : new Error(String(fault));
