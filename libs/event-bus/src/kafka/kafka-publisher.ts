// By its default export: Node finds only some of kafkajs's names in its CommonJS.
import kafkajs from 'kafkajs';
import type { ICustomPartitioner, Message, Producer } from 'kafkajs';
import { asError, settledWithin, within } from '../bounded.js';
import type { BusRecord, Offsets, Publisher } from '../event-bus.js';
import { PublishOutcomeUnknown } from '../event-bus.js';
import { partitionOfKey } from '../partition-of-key.js';
import { KafkaClient } from './kafka-client.js';
import type { KafkaConnection } from './kafka-client.js';

export interface PublisherLimits {
  /** For one `publish`, kafkajs's own retries included. */
  readonly deliveryTimeoutMs: number;
  /** Calls that wait for their turn; one more is refused at once. */
  readonly maxWaiting: number;
  /** How long `close` waits for what is being sent. */
  readonly closeTimeoutMs: number;
}

/**
 * One send at a time. kafkajs numbers an idempotent producer's records when it sends them and takes the
 * numbers back when a send fails; with two sends under way, the second then goes out under the numbers
 * of the first, and a broker that has the first acknowledges the second as its repetition and drops it.
 * For the same reason a producer whose send failed is never used again: the next has a new producer id.
 */
export class KafkaPublisher implements Publisher {
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #link: Link | undefined;
  #closed: Promise<void> | undefined;
  #stopped = false;

  constructor(
    private readonly connection: KafkaConnection,
    private readonly limits: PublisherLimits,
    private readonly endOf: (topic: string, partition: number) => Promise<bigint>,
    private readonly onClosed: (publisher: KafkaPublisher) => void,
  ) {}

  /** So that the first publish need not. Never rejects: what is wrong now may not be at that time. */
  async warmUp(): Promise<void> {
    await this.#inTurn(async () => {
      await this.#connected().catch(() => undefined);
    });
  }

  async publish(topic: string, records: readonly BusRecord[]): Promise<Offsets> {
    if (this.#closed !== undefined) throw new Error('this publisher is closed');
    if (records.length === 0) return new Map();
    if (this.#waiting >= this.limits.maxWaiting) {
      throw new Error(`${this.#waiting} calls of publish are waiting already`);
    }
    return await this.#inTurn(() => this.#sendAll(topic, records));
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      // What was given to us before is still sent, as far as the time goes.
      await settledWithin(this.limits.closeTimeoutMs, this.#turn);
      this.#stopped = true;
      const link = this.#link;
      this.#link = undefined;
      await link?.client.close(() => link.producer.disconnect(), 1_000);
      this.onClosed(this);
    })();
    return this.#closed;
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.#waiting++;
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    try {
      return await result;
    } finally {
      this.#waiting--;
    }
  }

  async #sendAll(topic: string, records: readonly BusRecord[]): Promise<Offsets> {
    const link = await this.#connected();
    const offsets = new Map<number, bigint>();
    let sent = 0;
    const deadline = Date.now() + this.limits.deliveryTimeoutMs;
    try {
      for (const part of partsOf(records)) {
        const send = this.#send(link, topic, part);
        const left = Math.max(1, deadline - Date.now());
        for (const [partition, next] of await within(left, `publishing to ${topic}`, send)) {
          offsets.set(partition, next);
        }
        sent += part.length;
      }
      return offsets;
    } catch (fault) {
      this.#abandon(link);
      const cause = asError(fault);
      if (sent === 0 && records.length === 1 && isRefusal(cause)) throw cause;
      const about = `${records.length - sent} of ${records.length} records for ${topic}`;
      throw new PublishOutcomeUnknown(`no acknowledgement for ${about}: ${cause.message}`, {
        cause,
      });
    }
  }

  async #send(link: Link, topic: string, records: readonly BusRecord[]): Promise<Offsets> {
    const messages = records.map(toMessage);
    const results = await link.producer.send({
      topic,
      messages,
      acks: -1,
      timeout: this.connection.requestTimeoutMs,
      compression: kafkajs.CompressionTypes.None,
    });
    const counts = new Map<number, number>();
    for (const message of messages) {
      const partition = link.partitionOf(message);
      counts.set(partition, (counts.get(partition) ?? 0) + 1);
    }
    const offsets = new Map<number, bigint>();
    for (const { partition, baseOffset } of results) {
      const count = counts.get(partition);
      if (count === undefined) continue;
      // A repetition that the broker recognised may come without its offset; the end is past it.
      const base = baseOffset === undefined ? -1n : BigInt(baseOffset);
      const next = base < 0n ? await this.endOf(topic, partition) : base + BigInt(count);
      offsets.set(partition, next);
    }
    // Where a partition moves to another broker between two of its tries, kafkajs leaves it out and
    // reports success.
    const missing = [...counts.keys()].filter((partition) => !offsets.has(partition));
    if (missing.length > 0) {
      throw new Error(`the brokers acknowledged nothing for partitions ${missing.join(', ')}`);
    }
    return offsets;
  }

  /** @throws Error when no broker takes the connection: nothing was sent then. */
  async #connected(): Promise<Link> {
    if (this.#isStopped()) throw new Error('this publisher is closed');
    if (this.#link !== undefined) return this.#link;
    const client = new KafkaClient(this.connection);
    const { createPartitioner, partitionOf } = stickyPartitioner();
    const producer = client.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner,
    });
    const link: Link = { client, producer, partitionOf };
    try {
      await within(this.limits.deliveryTimeoutMs, 'connecting a producer', producer.connect());
    } catch (fault) {
      this.#abandon(link);
      throw fault;
    }
    if (this.#isStopped()) {
      // Closed while it connected: nobody would end this connection any more.
      this.#abandon(link);
      throw new Error('this publisher is closed');
    }
    return (this.#link = link);
  }

  #isStopped(): boolean {
    return this.#stopped;
  }

  #abandon(link: Link): void {
    if (this.#link === link) this.#link = undefined;
    // At once: kafkajs would go on trying to send what the caller may be sending again.
    link.client.kill();
  }
}

interface Link {
  readonly client: KafkaClient;
  readonly producer: Producer;
  /** Where a message that was sent went. */
  readonly partitionOf: (message: Message) => number;
}

/**
 * Chooses a partition once per message. kafkajs asks again on every try, and a message without a key
 * must not go elsewhere then: its sequence number would be the one of another.
 */
function stickyPartitioner(): {
  readonly createPartitioner: ICustomPartitioner;
  readonly partitionOf: (message: Message) => number;
} {
  const chosen = new WeakMap<Message, number>();
  let turn = 0;
  const choose = (message: Message, partitions: number): number =>
    typeof message.key === 'string' ? partitionOfKey(message.key, partitions) : turn++ % partitions;
  return {
    createPartitioner:
      () =>
      ({ message, partitionMetadata }) => {
        const partition = chosen.get(message) ?? choose(message, partitionMetadata.length);
        chosen.set(message, partition);
        return partition;
      },
    partitionOf: (message) => chosen.get(message) ?? -1,
  };
}

const toMessage = ({ key, headers, value }: BusRecord): Message => ({
  key,
  value,
  headers: { ...headers },
});

/**
 * kafkajs makes one record batch of all records of a send for a partition. A broker refuses one over
 * 1 MiB (`message.max.bytes`), and kafkajs's grouping takes time by the square of the records.
 */
function* partsOf(records: readonly BusRecord[]): Generator<readonly BusRecord[]> {
  let part: BusRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = sizeOf(record);
    if (part.length > 0 && (part.length >= MAX_PART_RECORDS || bytes + size > MAX_PART_BYTES)) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(record);
    bytes += size;
  }
  if (part.length > 0) yield part;
}

const MAX_PART_RECORDS = 1_000;
const MAX_PART_BYTES = 900_000;

/** At least what a record takes on the wire. */
function sizeOf({ key, headers, value }: BusRecord): number {
  let bytes = 40 + Buffer.byteLength(key ?? '') + Buffer.byteLength(value);
  for (const [name, text] of Object.entries(headers)) {
    bytes += 10 + Buffer.byteLength(name) + Buffer.byteLength(text);
  }
  return bytes;
}

/** The broker's word that it did not and will not take this. */
const isRefusal = (fault: Error): boolean =>
  causes(fault).some(
    (cause) => cause instanceof kafkajs.KafkaJSProtocolError && REFUSALS.has(cause.type),
  );

function causes(fault: Error): Error[] {
  return fault.cause instanceof Error ? [fault, ...causes(fault.cause)] : [fault];
}

const REFUSALS = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'INVALID_TOPIC_EXCEPTION',
  'UNKNOWN_TOPIC_OR_PARTITION',
]);
