import type { Batch, EventBus, Offsets, Subscription } from '@token-status/event-bus';
import { asError, pause, retryDelayMs, within } from './retry.js';
import type { RetryPolicy } from './retry.js';

export interface KeptSubscriptionOptions {
  readonly bus: EventBus;
  readonly topic: string;
  readonly startAt: (partition: number) => bigint | 'earliest' | 'latest';
  /** Called only for the subscription of the moment; what an earlier one still delivers is dropped. */
  readonly onBatch: (batch: Batch) => Promise<void>;
  /** Before each attempt to subscribe; when it rejects, it is tried again after a back-off. */
  readonly prepare?: () => Promise<void>;
  /** A subscription is there and reads; not that anything has come. */
  readonly onSubscribed: () => void;
  /** Each fault, also of those that are being retried. */
  readonly onFault: (fault: Error, ended: boolean) => void;
  readonly retry: RetryPolicy;
  readonly subscribeTimeoutMs: number;
}

/**
 * One subscription to all partitions of a topic that is made again, after a back-off with jitter,
 * whenever it ends, can't be made, or is said to have gone silent.
 */
export class KeptSubscription {
  readonly #options: KeptSubscriptionOptions;
  readonly #closing = new AbortController();
  #current: Subscription | null = null;
  #endCurrent: (() => void) | null = null;
  #loop: Promise<void> | null = null;
  readonly #leaving = new Set<Promise<void>>();
  #generation = 0;
  /** Since the last batch. */
  #attempts = 0;

  constructor(options: KeptSubscriptionOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop ??= this.#keep();
  }

  /** Partition → next offset to read; null while there is no subscription. */
  positions(): Offsets | null {
    return this.#current?.positions() ?? null;
  }

  /** Drops the subscription of the moment, if there is one, for a new one. */
  rebuild(): void {
    // At once: what it still delivers may be of a reading that was given up.
    this.#generation++;
    this.#endCurrent?.();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#endCurrent?.();
    await this.#loop;
    await Promise.all(this.#leaving);
  }

  async #keep(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await this.#keepOne();
      await pause(retryDelayMs(this.#options.retry, this.#attempts++), signal);
    }
  }

  /** Resolves when the subscription has ended, for whatever reason. Never rejects. */
  async #keepOne(): Promise<void> {
    const { bus, topic, startAt, onBatch, prepare, onSubscribed, onFault, subscribeTimeoutMs } =
      this.#options;
    const generation = ++this.#generation;
    const ended = new Promise<false>((resolve) => (this.#endCurrent = () => resolve(false)));
    let subscription: Subscription | null = null;
    let told: unknown = null;
    try {
      // With the broker away it may take long; whoever closes or rebuilds does not wait for that.
      const prepared = (prepare?.() ?? Promise.resolve()).then(() => true);
      if (!(await Promise.race([prepared, ended])) || this.#closing.signal.aborted) return;
      const subscribing = bus.subscribe({
        topic,
        mode: { kind: 'every' },
        startAt: (partition) => Promise.resolve(startAt(partition)),
        onBatch: async (batch) => {
          if (generation !== this.#generation) return;
          this.#attempts = 0;
          await onBatch(batch);
        },
        onFault: (fault, isEnd) => {
          if (generation !== this.#generation) return;
          told = fault;
          onFault(fault, isEnd);
          if (isEnd) this.#endCurrent?.();
        },
      });
      const what = `subscribing to ${topic}`;
      const givenUp = ended.then(() => Promise.reject(new Error(`${what} was given up`)));
      try {
        subscription = await within(subscribeTimeoutMs, what, Promise.race([subscribing, givenUp]));
      } catch (fault) {
        // It may still come into being, and must not stay.
        subscribing.then((late) => late.close()).catch(() => undefined);
        throw fault;
      }
      givenUp.catch(() => undefined);
      this.#current = subscription;
      onSubscribed();
      await ended;
    } catch (fault) {
      // The bus tells of the fault that ends a subscription, and rejects with it too.
      if (!this.#closing.signal.aborted && fault !== told) onFault(asError(fault), true);
    } finally {
      // From here on this subscription's batches are nobody's.
      this.#generation++;
      this.#current = null;
      if (subscription) this.#leave(subscription);
    }
  }

  /** Not waited for before the next one is made: one that stalls may be slow to leave. */
  #leave(subscription: Subscription): void {
    const leaving = subscription
      .close()
      .catch((fault: unknown) => this.#options.onFault(asError(fault), true))
      .finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }
}
