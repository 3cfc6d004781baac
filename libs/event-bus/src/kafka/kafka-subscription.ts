import { randomUUID } from 'node:crypto';
import type { Consumer, EachBatchPayload, Batch as KafkaBatch } from 'kafkajs';
import { Backoff } from '../backoff.js';
import { asError, settledWithin } from '../bounded.js';
import { Deferred } from '../deferred.js';
import { deliver, startWithin, tellAssigned, tellFault } from '../delivery.js';
import type { Offsets, SubscribeOptions, Subscription } from '../event-bus.js';
import { OffsetOutOfRange } from '../event-bus.js';
import type { KafkaAdmin } from './kafka-admin.js';
import { KAFKAJS_RETRIES, KafkaClient } from './kafka-client.js';
import type { KafkaConnection } from './kafka-client.js';
import { KafkaRecord } from './kafka-record.js';
import { PartitionReader } from './partition-reader.js';

export interface ConsumerTuning {
  readonly sessionTimeoutMs: number;
  readonly fetchWaitMs: number;
  readonly stallAfterMs: number;
  readonly closeTimeoutMs: number;
}

/**
 * Reads a topic with kafkajs, and trusts it with nothing but fetching.
 *
 * kafkajs forgets its offsets on every rejoin and falls back on the group's committed ones, of which
 * there are none here; so a second member's coming and going makes it start again from 0. It also
 * resets an offset that is out of range, silently. Therefore the positions are ours, in a
 * {@link PartitionReader} each: they are sought on every join, and a batch is handed on only if it was
 * fetched from exactly the position where its reader is. Anything else is refused, and sought again.
 *
 * A consumer that crashed is never restarted by kafkajs but replaced here, by a new client. The readers
 * outlive it.
 */
export class KafkaSubscription implements Subscription {
  /** Resolves when the subscription reads; rejects when it ended or was closed before. */
  readonly ready: Promise<void>;
  readonly #isReady = new Deferred<void>();
  readonly #readers = new Map<number, PartitionReader>();
  readonly #closing = new AbortController();
  readonly #backoff = new Backoff();
  readonly #running: Promise<void>;
  #session: Session | undefined;
  #memberId: string | undefined;
  #closed: Promise<void> | undefined;

  constructor(
    private readonly connection: KafkaConnection,
    private readonly tuning: ConsumerTuning,
    private readonly admin: KafkaAdmin,
    private readonly options: SubscribeOptions,
    private readonly onClosed: (subscription: KafkaSubscription) => void,
  ) {
    this.ready = this.#isReady.promise;
    this.#running = this.#run();
  }

  positions(): Offsets {
    const positions = new Map<number, bigint>();
    for (const { partition, position } of this.#readers.values()) {
      if (position !== undefined) positions.set(partition, position);
    }
    return positions;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  #isClosing(): boolean {
    return this.#closing.signal.aborted;
  }

  async #close(): Promise<void> {
    this.#isReady.reject(new Error('the subscription was closed before it was reading'));
    this.#closing.abort();
    // Before the group is left: whoever takes a partition over must find what this batch stored.
    const inHand = [...this.#readers.values()].map(async (reader) => {
      reader.letGo();
      // Else kafkajs fetches again and again what is refused from now on.
      this.#session?.pause(this.options.topic, reader.partition);
      await reader.inHand;
    });
    await settledWithin(this.tuning.closeTimeoutMs, Promise.all(inHand));
    this.#session?.end();
    await this.#running;
    this.onClosed(this);
  }

  /** Ends the subscription for good, from within. */
  #fail(fault: Error): void {
    if (this.#isClosing()) return;
    this.#isReady.reject(fault);
    tellFault(this.options, fault, true);
    void this.close();
  }

  async #run(): Promise<void> {
    while (!this.#isClosing()) {
      try {
        await this.#consume();
      } catch (fault) {
        if (!this.#isClosing()) tellFault(this.options, fault, false);
      }
      await this.#backoff.pause(this.#closing.signal);
    }
  }

  /** One kafkajs consumer's life. Rejects with what ended it. */
  async #consume(): Promise<void> {
    const { topic, mode } = this.options;
    const partitions = await this.#prepare();
    if (this.#isClosing()) return;

    const session = new Session(this.connection, this.tuning, mode);
    this.#session = session;
    const { consumer } = session;
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      this.#joined(session, payload.memberId, payload.memberAssignment[topic] ?? []);
    });
    consumer.on(consumer.events.REQUEST, ({ payload }) => {
      session.isAlive();
      // We commit nothing. It is kafkajs that has found an offset out of range and resets it.
      if (payload.apiName === 'OffsetCommit') this.#checkAll(session);
    });
    consumer.on(consumer.events.START_BATCH_PROCESS, ({ payload }) => {
      if (payload.batchSize === 0) this.#passOver(session, payload);
    });

    try {
      await session.untilEnd(async () => {
        await consumer.connect();
        await consumer.subscribe({ topics: [topic], fromBeginning: true });
        await consumer.run({
          autoCommit: false,
          eachBatchAutoResolve: false,
          partitionsConsumedConcurrently: partitions,
          eachBatch: (payload) => this.#take(session, payload),
        });
      });
    } finally {
      this.#session = undefined;
      await session.leave(mode.kind === 'every' ? this.admin : undefined);
    }
  }

  /**
   * How many partitions there are; where all of them will be ours, asks for their starts, so that the
   * very first join can seek. (A paused consumer would sleep for `fetchWaitMs` first.)
   */
  async #prepare(): Promise<number> {
    const { topic, mode } = this.options;
    const partitions = [...(await this.admin.ranges(topic)).keys()];
    if (mode.kind === 'every') {
      const starts = partitions.map((partition) => {
        const reader = this.#readers.get(partition) ?? new PartitionReader(partition, undefined);
        this.#readers.set(partition, reader);
        return this.#findStart(reader);
      });
      await Promise.all(starts);
    }
    return partitions.length;
  }

  /** Called within the join, before anything is fetched by it. */
  #joined(session: Session, memberId: string, partitions: readonly number[]): void {
    if (session !== this.#session) return;
    session.generation++;
    // A member that keeps its id took part in every generation, so nobody else had its partitions.
    const keeps = this.options.mode.kind === 'every' || memberId === this.#memberId;
    this.#memberId = memberId;

    const leftOver = new Map<number, Promise<void> | undefined>();
    for (const [partition, reader] of this.#readers) {
      if (keeps && partitions.includes(partition)) continue;
      reader.letGo();
      leftOver.set(partition, reader.inHand ?? reader.leftOver);
      this.#readers.delete(partition);
    }
    const starts = partitions.map((partition) => {
      const reader =
        this.#readers.get(partition) ?? new PartitionReader(partition, leftOver.get(partition));
      this.#readers.set(partition, reader);
      if (reader.position !== undefined && reader.inHand === undefined) {
        session.resumeAt(this.options.topic, partition, reader.position);
        return Promise.resolve();
      }
      session.pause(this.options.topic, partition);
      if (reader.position !== undefined) return Promise.resolve();
      return this.#findStart(reader).then(() => {
        this.#goOn(reader);
      });
    });
    tellAssigned(this.options, [...partitions]);
    void Promise.all(starts).then(() => {
      if (this.#isClosing() || session !== this.#session) return;
      this.#backoff.reset();
      this.#isReady.resolve();
    });
  }

  /** Asks the subscriber, until it and the brokers have answered. Never rejects. */
  async #findStart(reader: PartitionReader): Promise<void> {
    const { topic, startAt } = this.options;
    const { partition, signal } = reader;
    await reader.leftOver;
    for (const backoff = new Backoff(); reader.position === undefined;) {
      if (signal.aborted || this.#isClosing()) return;
      try {
        const asked = await startAt(partition);
        const range = (await this.admin.ranges(topic)).get(partition);
        if (range === undefined) throw new Error(`${topic} has no partition ${partition} any more`);
        reader.position = startWithin(topic, partition, asked, range);
      } catch (fault) {
        if (fault instanceof OffsetOutOfRange) {
          this.#fail(fault);
          return;
        }
        tellFault(this.options, fault, false);
        await backoff.pause(this.#closing.signal);
      }
    }
  }

  /** kafkajs waits for this before it fetches from the same broker again. */
  async #take(session: Session, payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    const reader = this.#readers.get(batch.partition);
    if (
      session !== this.#session ||
      this.#isClosing() ||
      reader?.position === undefined ||
      reader.inHand !== undefined ||
      reader.checking
    ) {
      return;
    }
    if (fetchedFrom(batch) !== reader.position) {
      this.#check(session, reader);
      return;
    }
    const last = batch.messages.at(-1);
    if (last === undefined) return;

    const { generation } = session;
    const nextOffset = BigInt(batch.lastOffset()) + 1n;
    const { partition, signal } = reader;
    const records = batch.messages.map((message) => new KafkaRecord(partition, message));
    const handed = { topic: batch.topic, partition, records, nextOffset, signal };
    const inHand = deliver(handed, this.options).then((taken) => {
      if (taken) reader.position = nextOffset;
      reader.inHand = undefined;
    });
    reader.inHand = inHand;

    if (await settledWithin(PATIENCE_MS, inHand)) {
      if (reader.signal.aborted || session !== this.#session) return;
      // The usual way on; after a rejoin meanwhile, kafkajs knows nothing of this partition any more.
      if (session.generation === generation) payload.resolveOffset(last.offset);
      else this.#goOn(reader);
      return;
    }
    // The other partitions of this broker, and the heartbeats, don't wait for this one.
    session.pause(batch.topic, partition);
    void inHand.then(() => {
      this.#goOn(reader);
    });
  }

  /** Fetches the partition from its reader's position, if it is still ours and there is a consumer. */
  #goOn(reader: PartitionReader): void {
    const { partition, position, inHand, signal } = reader;
    if (signal.aborted || position === undefined || inHand !== undefined) return;
    this.#session?.resumeAt(this.options.topic, partition, position);
  }

  /** Nothing but control records, or aborted ones: kafkajs goes past them without a word to `eachBatch`. */
  #passOver(
    session: Session,
    batch: { partition: number; firstOffset: string | null; lastOffset: string },
  ): void {
    const reader = this.#readers.get(batch.partition);
    if (session !== this.#session || reader?.position === undefined) return;
    if (batch.firstOffset === null || BigInt(batch.firstOffset) !== reader.position) return;
    reader.position = BigInt(batch.lastOffset) + 1n;
  }

  #checkAll(session: Session): void {
    for (const reader of this.#readers.values()) this.#check(session, reader);
  }

  /** kafkajs has lost the place. Either the brokers no longer have it, or it is sought again. */
  #check(session: Session, reader: PartitionReader): void {
    const { topic } = this.options;
    const { partition } = reader;
    if (reader.checking || session !== this.#session) return;
    reader.checking = true;
    session.pause(topic, partition);
    void this.admin
      .ranges(topic)
      .then((ranges) => {
        const range = ranges.get(partition);
        if (range === undefined || reader.position === undefined) return;
        startWithin(topic, partition, reader.position, range);
      })
      .catch((fault: unknown) => {
        if (fault instanceof OffsetOutOfRange && !reader.signal.aborted) this.#fail(fault);
        else tellFault(this.options, fault, false);
      })
      .finally(() => {
        reader.checking = false;
        this.#goOn(reader);
      });
  }
}

/** How long `eachBatch` waits for the subscriber before the partition is paused and others go on. */
const PATIENCE_MS = 500;

/** A kafkajs consumer, with a client of its own, from its making to its end. */
class Session {
  readonly consumer: Consumer;
  /** Joins so far. */
  generation = 0;
  readonly #client: KafkaClient;
  readonly #groupId: string;
  readonly #ended = new Deferred<void>();
  #lastAnswer = Date.now();

  constructor(
    connection: KafkaConnection,
    private readonly tuning: ConsumerTuning,
    mode: SubscribeOptions['mode'],
  ) {
    this.#client = new KafkaClient(connection);
    // A group that nobody was in before: nothing of an earlier session can disturb this one.
    this.#groupId =
      mode.kind === 'shared' ? mode.group : `${connection.clientId}-every-${randomUUID()}`;
    this.consumer = this.#client.kafka.consumer({
      groupId: this.#groupId,
      allowAutoTopicCreation: false,
      sessionTimeout: tuning.sessionTimeoutMs,
      rebalanceTimeout: tuning.sessionTimeoutMs,
      // Also how soon a member learns that another has come or gone.
      heartbeatInterval: Math.min(1_000, tuning.sessionTimeoutMs / 3),
      minBytes: 1,
      maxWaitTimeInMs: tuning.fetchWaitMs,
      maxBytesPerPartition: 2 * 1024 * 1024,
      maxBytes: 16 * 1024 * 1024,
      retry: { ...KAFKAJS_RETRIES, restartOnFailure: () => Promise.resolve(false) },
    });
    this.consumer.on(this.consumer.events.CRASH, ({ payload }) => {
      this.#ended.reject(payload.error);
    });
  }

  isAlive(): void {
    this.#lastAnswer = Date.now();
  }

  end(): void {
    this.#ended.resolve();
  }

  /** Resolves after {@link end}; rejects when the consumer fails to start, crashes, or stalls. */
  async untilEnd(start: () => Promise<void>): Promise<void> {
    const { stallAfterMs } = this.tuning;
    const watchdog = setInterval(() => {
      if (Date.now() - this.#lastAnswer < stallAfterMs) return;
      this.#ended.reject(new Error(`no broker has answered this consumer for ${stallAfterMs} ms`));
    }, stallAfterMs / 5);
    start().catch((fault: unknown) => {
      this.#ended.reject(asError(fault));
    });
    try {
      await this.#ended.promise;
    } finally {
      clearInterval(watchdog);
    }
  }

  pause(topic: string, partition: number): void {
    this.#quietly(() => {
      this.consumer.pause([{ topic, partitions: [partition] }]);
    });
  }

  resumeAt(topic: string, partition: number, position: bigint): void {
    this.#quietly(() => {
      this.consumer.seek({ topic, partition, offset: position.toString() });
      this.consumer.resume([{ topic, partitions: [partition] }]);
    });
  }

  /** Leaves the group and ends the connections, in bounded time. */
  async leave(deleteGroupWith: KafkaAdmin | undefined): Promise<void> {
    await this.#client.close(() => this.consumer.disconnect(), 5_000);
    // An empty group without offsets goes by itself in the end; this is for tidiness.
    if (deleteGroupWith !== undefined && this.generation > 0) {
      await settledWithin(3_000, deleteGroupWith.deleteGroup(this.#groupId));
    }
  }

  /** kafkajs throws these where the consumer is not running, which the next join puts right. */
  #quietly(act: () => void): void {
    try {
      act();
    } catch {
      // See above.
    }
  }
}

/** A field that kafkajs 2.2.4 has and its types have not. What a fetch asked for is the proof of its place. */
function fetchedFrom(batch: KafkaBatch): bigint {
  const offset: unknown = Reflect.get(batch, 'fetchedOffset');
  if (typeof offset !== 'string') throw new Error('this kafkajs does not tell a batch’s origin');
  return BigInt(offset);
}
