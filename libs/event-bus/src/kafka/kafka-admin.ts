// By its default export: Node finds only some of kafkajs's names in its CommonJS.
import kafkajs from 'kafkajs';
import type { Admin } from 'kafkajs';
import { within } from '../bounded.js';
import type { Range } from '../delivery.js';
import type { TopicSpec } from '../event-bus.js';
import { KafkaClient } from './kafka-client.js';
import type { KafkaConnection } from './kafka-client.js';
import { topicIdOf } from './topic-id.js';

export interface TopicDefaults {
  /** Default: 3, or as many as there are brokers if they are fewer. */
  readonly replicationFactor: number | undefined;
  /** `min.insync.replicas` of a new topic. Default: 2 with three replicas or more, else 1. */
  readonly minInsyncReplicas: number | undefined;
}

/** Questions to the brokers. After a fault the client is thrown away: its metadata may be what is wrong. */
export class KafkaAdmin {
  #connected: { readonly client: KafkaClient; readonly admin: Promise<Admin> } | undefined;
  #closed = false;

  constructor(
    private readonly connection: KafkaConnection,
    private readonly topicDefaults: TopicDefaults,
  ) {}

  /** For each partition, its oldest offset and the one past its newest. */
  async ranges(topic: string): Promise<ReadonlyMap<number, Range>> {
    const offsets = await this.#ask(`offsets of ${topic}`, (admin) =>
      admin.fetchTopicOffsets(topic),
    );
    return new Map(
      offsets
        .map(({ partition, low, high }) => ({
          partition,
          range: { earliest: BigInt(low), end: BigInt(high) },
        }))
        .sort((a, b) => a.partition - b.partition)
        .map(({ partition, range }) => [partition, range]),
    );
  }

  async topicId(topic: string): Promise<string> {
    const client = new KafkaClient(this.connection);
    try {
      return await topicIdOf(client, topic, this.#patienceMs);
    } finally {
      client.kill();
    }
  }

  async deleteGroup(groupId: string): Promise<void> {
    await this.#ask(`deletion of the group ${groupId}`, (admin) => admin.deleteGroups([groupId]));
  }

  /**
   * Tried again until the deadline: while another app makes a topic, the cluster's metadata answer is
   * an error for a moment.
   */
  async ensureTopic(spec: TopicSpec): Promise<void> {
    for (const deadline = Date.now() + ENSURE_MS; ;) {
      try {
        const found = await this.#ask(`making of ${spec.name}`, (admin) =>
          this.#findOrCreate(admin, spec),
        );
        if (found !== spec.partitions) throw new WrongPartitions(spec, found);
        break;
      } catch (fault) {
        if (fault instanceof WrongPartitions || this.#closed || Date.now() > deadline) throw fault;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
    if (spec.retention === 'for-ever') await this.#warnIfNotKept(spec.name);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#discard();
  }

  /** @returns how many partitions the topic has, once each has a leader. */
  async #findOrCreate(admin: Admin, spec: TopicSpec): Promise<number> {
    const known = await this.#partitionsWithLeader(admin, spec.name);
    if (known !== undefined) return known;
    const { brokers } = await admin.describeCluster();
    const replicationFactor = this.topicDefaults.replicationFactor ?? Math.min(3, brokers.length);
    const minInsyncReplicas =
      this.topicDefaults.minInsyncReplicas ?? (replicationFactor >= 3 ? 2 : 1);
    const retentionMs = spec.retention === 'for-ever' ? -1 : spec.retention.ms;
    const config = {
      ...KEPT,
      'retention.ms': retentionMs,
      'min.insync.replicas': minInsyncReplicas,
      'unclean.leader.election.enable': false,
      // A segment is deleted whole, and only once it is closed: with a short retention, close it soon.
      ...(retentionMs === -1 ? {} : { 'segment.ms': Math.max(retentionMs, 60_000) }),
    };
    // False where another app was quicker, which is as good.
    await admin.createTopics({
      timeout: this.connection.requestTimeoutMs,
      waitForLeaders: true,
      topics: [
        {
          topic: spec.name,
          numPartitions: spec.partitions,
          replicationFactor,
          configEntries: Object.entries(config).map(([name, value]) => ({
            name,
            value: String(value),
          })),
        },
      ],
    });
    const made = await this.#partitionsWithLeader(admin, spec.name);
    if (made === undefined)
      throw new Error(`the brokers don't list the new topic ${spec.name} yet`);
    return made;
  }

  async #partitionsWithLeader(admin: Admin, topic: string): Promise<number | undefined> {
    // All topics: asked for one that is missing, kafkajs fails, and not with a fault that says so.
    const { topics } = await admin.fetchTopicMetadata();
    const found = topics.find(({ name }) => name === topic);
    if (found === undefined) return undefined;
    if (found.partitions.some(({ leader }) => leader < 0)) {
      throw new Error(`not every partition of ${topic} has a leader yet`);
    }
    return found.partitions.length;
  }

  /** Somebody may have made the topic with other settings; that it will lose its history must be said. */
  async #warnIfNotKept(topic: string): Promise<void> {
    const { resources } = await this.#ask(`settings of ${topic}`, (admin) =>
      admin.describeConfigs({
        includeSynonyms: false,
        resources: [
          { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: Object.keys(KEPT) },
        ],
      }),
    );
    const wrong = Object.fromEntries(
      resources
        .flatMap(({ configEntries }) => configEntries)
        .map((entry) => [entry.configName, entry.configValue] as const)
        .filter(([name, value]) => name in KEPT && KEPT[name] !== value),
    );
    if (Object.keys(wrong).length > 0) {
      this.connection.logger.error(
        { topic, ...wrong },
        'A topic that must be kept for ever will lose records',
      );
    }
  }

  /** Asks; after a fault once more, with a new client, since a connection may just have been lost. */
  async #ask<T>(what: string, ask: (admin: Admin) => Promise<T>): Promise<T> {
    try {
      return await this.#askOnce(what, ask);
    } catch {
      return await this.#askOnce(what, ask);
    }
  }

  async #askOnce<T>(what: string, ask: (admin: Admin) => Promise<T>): Promise<T> {
    if (this.#closed) throw new Error('the event bus is closed');
    const connected = (this.#connected ??= this.#connect());
    try {
      return await within(this.#patienceMs, what, connected.admin.then(ask));
    } catch (fault) {
      if (this.#connected === connected) this.#connected = undefined;
      connected.client.kill();
      throw fault;
    }
  }

  #connect(): { readonly client: KafkaClient; readonly admin: Promise<Admin> } {
    const client = new KafkaClient(this.connection);
    const admin = client.kafka.admin();
    return { client, admin: admin.connect().then(() => admin) };
  }

  async #discard(): Promise<void> {
    const connected = this.#connected;
    this.#connected = undefined;
    await connected?.client.close(async () => {
      await (await connected.admin).disconnect();
    }, 1_000);
  }

  get #patienceMs(): number {
    return this.connection.requestTimeoutMs + this.connection.connectionTimeoutMs;
  }
}

class WrongPartitions extends Error {
  override readonly name = 'WrongPartitions';
  constructor(spec: TopicSpec, found: number) {
    super(
      `the topic ${spec.name} has ${found} partitions and must have ${spec.partitions}: ` +
        'the partition of a key never changes, so a topic with the right number has to be made',
    );
  }
}

const ENSURE_MS = 30_000;

const KEPT: Readonly<Record<string, string>> = {
  'cleanup.policy': 'delete',
  'retention.ms': '-1',
  'retention.bytes': '-1',
};
