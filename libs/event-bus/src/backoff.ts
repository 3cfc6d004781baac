import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Pauses between tries: each anywhere between half of a bound and the bound, which doubles from
 * `firstMs` to `maxMs`, so that clients that failed together don't come back together.
 */
export class Backoff {
  #boundMs: number;

  constructor(
    private readonly firstMs = 50,
    private readonly maxMs = 5_000,
  ) {
    this.#boundMs = firstMs;
  }

  /** After a success: the next pause is a short one again. */
  reset(): void {
    this.#boundMs = this.firstMs;
  }

  /** Resolves after the next pause, or at once when the signal is aborted. */
  async pause(signal: AbortSignal): Promise<void> {
    const ms = this.#boundMs * (0.5 + Math.random() / 2);
    this.#boundMs = Math.min(this.maxMs, this.#boundMs * 2);
    await sleep(ms, undefined, { signal }).catch(() => undefined);
  }
}
