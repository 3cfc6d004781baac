import type { ConnectionOptions } from 'node:tls';
import { within } from '../bounded.js';
import type { EventBus } from '../event-bus.js';
import type { TopicDefaults } from './kafka-admin.js';
import { KafkaAdmin } from './kafka-admin.js';
import type { BusLogger, KafkaConnection, KafkaSasl } from './kafka-client.js';
import type { PublisherLimits } from './kafka-publisher.js';
import { KafkaPublisher } from './kafka-publisher.js';
import { KafkaSubscription } from './kafka-subscription.js';
import type { ConsumerTuning } from './kafka-subscription.js';

export interface KafkaEventBusOptions {
  /** `host:port` of some brokers of the cluster. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly ssl?: boolean | ConnectionOptions;
  readonly sasl?: KafkaSasl;
  readonly logger?: BusLogger;
  /** Default 3 s. */
  readonly connectionTimeoutMs?: number;
  /** For one request to a broker. Default 10 s. */
  readonly requestTimeoutMs?: number;
  /** For one `publish`, retries included; then its outcome is unknown. Default 30 s. */
  readonly deliveryTimeoutMs?: number;
  /** How long a member of a group may be silent before its partitions go to others. Default 10 s. */
  readonly sessionTimeoutMs?: number;
  /** How long a broker holds a fetch that finds nothing. Costs no latency. Default 200 ms. */
  readonly fetchWaitMs?: number;
  /** Without any answer from a broker for so long, a subscription builds a new consumer. Default 30 s. */
  readonly stallAfterMs?: number;
  /** After that `subscribe` rejects and gives up, so that attempts don't pile up. Default 30 s. */
  readonly subscribeTimeoutMs?: number;
  /** How long `close` waits for a batch in hand, and for what is being published. Default 10 s. */
  readonly closeTimeoutMs?: number;
  /** Of topics that `ensureTopics` makes. Default: 3, or as many as there are brokers. */
  readonly replicationFactor?: number;
  /** `min.insync.replicas` of topics that `ensureTopics` makes. Default: 2 with 3 replicas, else 1. */
  readonly minInsyncReplicas?: number;
}

/** Kafka as the event bus, by kafkajs 2.2.4. Connects when it is first used. */
export function createKafkaEventBus(options: KafkaEventBusOptions): EventBus {
  const connection: KafkaConnection = {
    brokers: options.brokers,
    clientId: options.clientId,
    ssl: options.ssl ?? false,
    sasl: options.sasl,
    connectionTimeoutMs: options.connectionTimeoutMs ?? 3_000,
    requestTimeoutMs: options.requestTimeoutMs ?? 10_000,
    logger: options.logger ?? SILENT,
  };
  const topicDefaults: TopicDefaults = {
    replicationFactor: options.replicationFactor,
    minInsyncReplicas: options.minInsyncReplicas,
  };
  const tuning: ConsumerTuning = {
    sessionTimeoutMs: options.sessionTimeoutMs ?? 10_000,
    fetchWaitMs: options.fetchWaitMs ?? 200,
    stallAfterMs: options.stallAfterMs ?? 30_000,
    closeTimeoutMs: options.closeTimeoutMs ?? 10_000,
  };
  const subscribeTimeoutMs = options.subscribeTimeoutMs ?? 30_000;
  const limits: PublisherLimits = {
    deliveryTimeoutMs: options.deliveryTimeoutMs ?? 30_000,
    maxWaiting: 1_000,
    closeTimeoutMs: tuning.closeTimeoutMs,
  };

  const admin = new KafkaAdmin(connection, topicDefaults);
  const publishers = new Set<KafkaPublisher>();
  const subscriptions = new Set<KafkaSubscription>();
  let closed: Promise<void> | undefined;
  const failIfClosed = (): void => {
    if (closed !== undefined) throw new Error('the event bus is closed');
  };

  return {
    async ensureTopics(topics) {
      failIfClosed();
      for (const topic of topics) await admin.ensureTopic(topic);
    },

    async publisher() {
      failIfClosed();
      const endOf = async (topic: string, partition: number): Promise<bigint> => {
        const range = (await admin.ranges(topic)).get(partition);
        if (range === undefined) throw new Error(`${topic} has no partition ${partition}`);
        return range.end;
      };
      const publisher = new KafkaPublisher(connection, limits, endOf, (it) =>
        publishers.delete(it),
      );
      publishers.add(publisher);
      await publisher.warmUp();
      return publisher;
    },

    async subscribe(subscribeOptions) {
      failIfClosed();
      const subscription = new KafkaSubscription(
        connection,
        tuning,
        admin,
        subscribeOptions,
        (it) => subscriptions.delete(it),
      );
      subscriptions.add(subscription);
      try {
        const what = `subscribing to ${subscribeOptions.topic}`;
        await within(subscribeTimeoutMs, what, subscription.ready);
        return subscription;
      } catch (fault) {
        void subscription.close();
        throw fault;
      }
    },

    async ends(topic) {
      failIfClosed();
      const ranges = await admin.ranges(topic);
      return new Map([...ranges].map(([partition, { end }]) => [partition, end]));
    },

    async topicId(topic) {
      failIfClosed();
      return await admin.topicId(topic);
    },

    close() {
      closed ??= (async () => {
        await Promise.all([...publishers, ...subscriptions].map((open) => open.close()));
        await admin.close();
      })();
      return closed;
    },
  };
}

const silent = (): void => undefined;
const SILENT: BusLogger = { debug: silent, info: silent, warn: silent, error: silent };
