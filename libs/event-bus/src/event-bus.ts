/**
 * The event bus: publish and subscribe, with the consumer's own offsets (decision 4). Two adapters,
 * Kafka and in-process, pass the contract suite in `test/contracts/event-bus.contract.ts`.
 *
 * Delivery is at least once and, within a partition, in order. The bus never decides that a record
 * has been dealt with: a subscriber says where to start, on every assignment of a partition.
 */

/** What is sent: a key that chooses the partition, text headers, and a text value (JSON here). */
export interface BusRecord {
  readonly key: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly value: string;
}

/** Each of its parts may be made when it is read, each time: read it once. */
export interface ReceivedRecord extends BusRecord {
  readonly partition: number;
  readonly offset: bigint;
}

/** For each partition, an offset: of the next record to read, or one past the last one written. */
export type Offsets = ReadonlyMap<number, bigint>;

/** A topic, as it must be: made where it is missing, and refused where it differs in partitions. */
export interface TopicSpec {
  readonly name: string;
  /** Fixed at birth: the partition of a key never changes. */
  readonly partitions: number;
  readonly retention: 'for-ever' | { readonly ms: number };
}

export interface Publisher {
  /**
   * Sends records in the order given and resolves once all in-sync replicas have them.
   * Rejects with {@link PublishOutcomeUnknown} when that can't be known; sending the same again may
   * then repeat records, and never skips one. Any other rejection says that nothing was sent.
   *
   * @returns for each partition that got a record, the offset one past the last of them.
   */
  publish(topic: string, records: readonly BusRecord[]): Promise<Offsets>;
  close(): Promise<void>;
}

export interface Batch {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly ReceivedRecord[];
  /** Where to go on after this batch; past control records too, so it may exceed the last offset + 1. */
  readonly nextOffset: bigint;
  /** Aborted when the partition is taken away or the subscription closes: stop early, store nothing more. */
  readonly signal: AbortSignal;
}

export interface SubscribeOptions {
  readonly topic: string;
  /**
   * `every` reads all partitions (each gateway, each relay); `shared` divides them among the
   * subscribers that name the same group (the projectors).
   */
  readonly mode: { readonly kind: 'every' } | { readonly kind: 'shared'; readonly group: string };
  /**
   * Where to start in a partition; asked on every assignment, before its first batch. An offset past
   * the partition's end, or before its beginning, ends the subscription with {@link OffsetOutOfRange}:
   * never silently from 0 or from the end.
   */
  readonly startAt: (partition: number) => Promise<bigint | 'earliest' | 'latest'>;
  /**
   * Called with one batch of a partition at a time. When it rejects, the same records come again
   * after a back-off with jitter; nothing is skipped.
   */
  readonly onBatch: (batch: Batch) => Promise<void>;
  /** The partitions now held, after every change (all of them for `every`). */
  readonly onAssigned?: (partitions: readonly number[]) => void;
  /**
   * Told of faults that are being retried, and once of the one that ended the subscription; of that
   * one also where `subscribe` has not resolved yet, and rejects with it.
   */
  readonly onFault?: (fault: Error, ended: boolean) => void;
}

export interface Subscription {
  /** Partitions held → the next offset to read. A partition is there once its start is known. */
  positions(): Offsets;
  /** Stops taking batches, waits for the one in hand, and leaves. Idempotent. */
  close(): Promise<void>;
}

export interface EventBus {
  /** Makes topics that are missing; rejects, naming both numbers, where the partitions differ. */
  ensureTopics(topics: readonly TopicSpec[]): Promise<void>;
  publisher(): Promise<Publisher>;
  /**
   * Resolves when the subscription is reading (for `every`: holds all partitions). A topic that is
   * missing is waited for. Rejects, and leaves nothing behind, when that takes too long (a setting),
   * or with {@link OffsetOutOfRange}.
   */
  subscribe(options: SubscribeOptions): Promise<Subscription>;
  /** One past the newest record of each partition, asked of the broker now. */
  ends(topic: string): Promise<Offsets>;
  /** What the topic is, beyond its name: another id means another history under the same name. */
  topicId(topic: string): Promise<string>;
  /** Closes publishers and subscriptions that are still open, then the connection. Idempotent. */
  close(): Promise<void>;
}

/** A send whose acknowledgement did not come: the records may be there or not. */
export class PublishOutcomeUnknown extends Error {
  override readonly name = 'PublishOutcomeUnknown';
}

/** The start that a subscriber named is not in the partition: the topic is not the one it knew. */
export class OffsetOutOfRange extends Error {
  override readonly name = 'OffsetOutOfRange';
  constructor(
    readonly topic: string,
    readonly partition: number,
    readonly asked: bigint,
    readonly earliest: bigint,
    readonly end: bigint,
  ) {
    super(
      `${topic}/${partition} holds offsets ${earliest} to ${end}; a reader asked to start at ${asked}`,
    );
  }
}
