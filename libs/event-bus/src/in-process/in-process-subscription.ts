import { setImmediate } from 'node:timers/promises';
import { Backoff } from '../backoff.js';
import { settledWithin } from '../bounded.js';
import { deliver, startWithin, tellAssigned, tellFault } from '../delivery.js';
import { Deferred } from '../deferred.js';
import type { Offsets, SubscribeOptions, Subscription } from '../event-bus.js';
import { OffsetOutOfRange } from '../event-bus.js';
import type { Topic } from './topic.js';

/** A subscriber's loop over one partition, for as long as it holds it. */
interface Holding {
  readonly held: AbortController;
  position: bigint | undefined;
  /** Settles once nothing of it runs any more. */
  readonly over: Promise<void>;
}

const BATCH_RECORDS = 500;

export class InProcessSubscription implements Subscription {
  readonly #holdings = new Map<number, Holding>();
  readonly #ended = new Deferred<never>();
  #closed: Promise<void> | undefined;

  constructor(
    private readonly topic: Topic,
    private readonly options: SubscribeOptions,
    private readonly closeTimeoutMs: number,
    private readonly onClosed: (subscription: InProcessSubscription) => void,
  ) {}

  positions(): Offsets {
    const positions = new Map<number, bigint>();
    for (const [partition, { position }] of this.#holdings) {
      if (position !== undefined) positions.set(partition, position);
    }
    return positions;
  }

  /** Starts to read a partition once `after` has settled: who had it before may still have a batch. */
  take(partition: number, after: Promise<unknown>): Promise<void> {
    const started = new Deferred<void>();
    const holding: Holding = {
      held: new AbortController(),
      position: undefined,
      // In a microtask, so that the loop finds the holding that it belongs to.
      over: after.then(() => this.#read(partition, holding, started)),
    };
    this.#holdings.set(partition, holding);
    return started.promise;
  }

  /** Resolves when the subscriber has nothing of the partition any more. */
  giveUp(partition: number): Promise<void> {
    const holding = this.#holdings.get(partition);
    this.#holdings.delete(partition);
    holding?.held.abort();
    return holding?.over ?? Promise.resolve();
  }

  tellAssigned(): void {
    tellAssigned(
      this.options,
      [...this.#holdings.keys()].sort((a, b) => a - b),
    );
  }

  /** Waits for what a take began, or rejects with what ended the subscription before. */
  async untilStarted(started: readonly Promise<void>[]): Promise<void> {
    await Promise.race([Promise.all(started), this.#ended.promise]);
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      this.#ended.reject(new Error('the subscription was closed before it was reading'));
      const over = [...this.#holdings.values()].map((holding) => {
        holding.held.abort();
        return holding.over;
      });
      await settledWithin(this.closeTimeoutMs, Promise.all(over));
      this.onClosed(this);
    })();
    return this.#closed;
  }

  #fail(fault: OffsetOutOfRange): void {
    if (this.#closed !== undefined) return;
    this.#ended.reject(fault);
    tellFault(this.options, fault, true);
    void this.close();
  }

  /** Never rejects. */
  async #read(partition: number, holding: Holding, started: Deferred<void>): Promise<void> {
    const { topic, options } = this;
    const { signal } = holding.held;
    const log = topic.partitions[partition];
    const backoff = new Backoff();
    const isOver = (): boolean => signal.aborted;
    while (log !== undefined && !isOver()) {
      try {
        if (holding.position === undefined) {
          const asked = await options.startAt(partition);
          holding.position = startWithin(options.topic, partition, asked, await log.range());
          started.resolve();
        }
        const seen = topic.version;
        const records = await log.read(holding.position, BATCH_RECORDS);
        backoff.reset();
        const last = records.at(-1);
        if (last === undefined) {
          await topic.changedSince(seen, signal);
          continue;
        }
        const nextOffset = last.offset + 1n;
        const batch = { topic: options.topic, partition, records, nextOffset, signal };
        if (await deliver(batch, options)) holding.position = nextOffset;
        // A source and a subscriber that never wait for anything would keep timers and sockets waiting.
        if (records.length === BATCH_RECORDS) await setImmediate();
      } catch (fault) {
        if (isOver()) break;
        if (fault instanceof OffsetOutOfRange) {
          this.#fail(fault);
          break;
        }
        tellFault(options, fault, false);
        await backoff.pause(signal);
      }
    }
    // One that was given up before it began is not to be waited for.
    started.resolve();
  }
}
