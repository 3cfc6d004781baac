import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import kafkajs from 'kafkajs';
import type { Admin } from 'kafkajs';
import { eventBusContract } from '../../../../test/contracts/event-bus.contract.js';
import type { EventBusUnderTest } from '../../../../test/contracts/event-bus.contract.js';
import { until } from '../../../../test/contracts/until.js';
import type { BusRecord, EventBus, ReceivedRecord, SubscribeOptions } from '../event-bus.js';
import { OffsetOutOfRange, PublishOutcomeUnknown } from '../event-bus.js';
import type { BusLogger } from './kafka-client.js';
import { createKafkaEventBus } from './kafka-event-bus.js';
import type { KafkaEventBusOptions } from './kafka-event-bus.js';

const brokers = (process.env.KAFKA_BROKERS ?? '').split(',');
const prefix = `bus-${randomUUID().slice(0, 8)}`;
let admin: Admin;
const open: EventBus[] = [];

beforeAll(async () => {
  admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((bus) => bus.close()));
});
afterAll(async () => {
  const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix));
  if (topics.length > 0) await admin.deleteTopics({ topics });
  await admin.disconnect();
});

/** Closed after the test. */
const newBus = (options: Partial<KafkaEventBusOptions> = {}): EventBus => {
  const bus = createKafkaEventBus({ brokers, clientId: prefix, ...options });
  open.push(bus);
  return bus;
};

const newTopic = async (bus: EventBus, partitions = 1): Promise<string> => {
  const topic = `${prefix}-${randomUUID()}`;
  await bus.ensureTopics([{ name: topic, partitions, retention: 'for-ever' }]);
  return topic;
};

/** Makes what lies before the offset go from partition 0, as a retention would. */
const deleteBefore = async (topic: string, offset: bigint, partition = 0): Promise<void> => {
  await admin.fetchTopicOffsets(topic); // else this admin does not know the topic's leaders
  await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] });
};

const record = (n: number, value = `value ${n}`): BusRecord => ({
  key: `key ${n % 5}`,
  headers: { n: String(n) },
  value,
});
const numbered = (from: number, count: number): BusRecord[] =>
  Array.from({ length: count }, (_, at) => record(from + at));

/** A subscriber to every partition that keeps what it got, and the faults that it was told of. */
const listen = async (bus: EventBus, topic: string, options: Partial<SubscribeOptions> = {}) => {
  const got: ReceivedRecord[] = [];
  const faults: { fault: Error; ended: boolean }[] = [];
  const subscription = await bus.subscribe({
    topic,
    mode: { kind: 'every' },
    startAt: () => Promise.resolve('earliest'),
    onFault: (fault, ended) => faults.push({ fault, ended }),
    ...options,
    onBatch: async (batch) => {
      await options.onBatch?.(batch);
      got.push(...batch.records);
    },
  });
  const values = (): string[] => got.map(({ value }) => value);
  return { got, values, faults, subscription };
};

async function kafka(): Promise<EventBusUnderTest> {
  const bus = createKafkaEventBus({ brokers, clientId: 'contract' });
  return Promise.resolve({
    bus: () => createKafkaEventBus({ brokers, clientId: 'contract' }),
    newTopic: async () => ({ topic: await newTopic(bus, 3), partitions: 3 }),
    nameOfTopic: () => `${prefix}-${randomUUID()}`,
    forget: async (topic) => {
      for (const [partition, end] of await bus.ends(topic)) {
        await deleteBefore(topic, end - 2n, partition);
      }
    },
    discard: () => bus.close(),
  });
}

eventBusContract('Kafka', kafka, { forgets: true });

describe('a topic on Kafka', () => {
  it('is kept for ever, or for as long as was said, and never compacted', async () => {
    const bus = newBus();
    const [kept, brief] = [`${prefix}-kept`, `${prefix}-brief`];
    await bus.ensureTopics([
      { name: kept, partitions: 2, retention: 'for-ever' },
      { name: brief, partitions: 1, retention: { ms: 600_000 } },
    ]);
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [kept, brief].map((name) => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name })),
    });
    const [ofKept, ofBrief] = [kept, brief].map((name) =>
      Object.fromEntries(
        resources
          .filter((resource) => resource.resourceName === name)
          .flatMap(({ configEntries }) => configEntries)
          .map(({ configName, configValue }) => [configName, configValue]),
      ),
    );
    const always = {
      'cleanup.policy': 'delete',
      'min.insync.replicas': '1',
      'unclean.leader.election.enable': 'false',
    };
    expect(ofKept).toMatchObject({ ...always, 'retention.ms': '-1', 'retention.bytes': '-1' });
    expect(ofBrief).toMatchObject({ ...always, 'retention.ms': '600000' });
  });

  it('is reported when it must be kept for ever and somebody has made it otherwise', async () => {
    const topic = `${prefix}-short`;
    await admin.createTopics({
      topics: [
        { topic, numPartitions: 1, configEntries: [{ name: 'retention.ms', value: '1000' }] },
      ],
    });
    const errors: object[] = [];
    const bus = newBus({ logger: { ...silent, error: (details) => errors.push(details) } });
    await bus.ensureTopics([{ name: topic, partitions: 1, retention: 'for-ever' }]);
    expect(errors).toEqual([{ topic, 'retention.ms': '1000' }]);
  });

  it('that was deleted and made again has another id', async () => {
    const bus = newBus();
    const topic = await newTopic(bus);
    const id = await bus.topicId(topic);
    expect(id).toMatch(/^[\w-]{22}$/);
    await admin.deleteTopics({ topics: [topic] });
    await until(async () => {
      await bus.ensureTopics([{ name: topic, partitions: 1, retention: 'for-ever' }]);
      // A broker may list the old one for a moment still.
      return (await bus.topicId(topic).catch(() => id)) !== id;
    });
  });
});

describe('publishing to Kafka', () => {
  it('sends what is more than one record batch may hold in parts, in order', async () => {
    const bus = newBus();
    const topic = await newTopic(bus);
    const publisher = await bus.publisher();
    const sent = Array.from({ length: 3_000 }, (_, n) => record(n, `${n} ${'x'.repeat(1_000)}`));
    expect(await publisher.publish(topic, sent)).toEqual(new Map([[0, 3_000n]]));
    const { got, values } = await listen(bus, topic);
    await until(() => got.length >= sent.length);
    expect(values()).toEqual(sent.map(({ value }) => value));
  });

  it('says that a record was refused, not that its outcome is unknown, and goes on', async () => {
    const bus = newBus();
    const topic = await newTopic(bus);
    const publisher = await bus.publisher();
    const refused = publisher.publish(topic, [record(0, 'x'.repeat(2_000_000))]);
    await expect(refused).rejects.toThrow(/larger/i);
    await expect(refused).rejects.not.toThrow(PublishOutcomeUnknown);
    expect(await publisher.publish(topic, [record(1)])).toEqual(new Map([[0, 1n]]));
  });

  it('fails, and sends nothing, where no broker can be reached', async () => {
    const bus = newBus({ brokers: ['127.0.0.1:1'], connectionTimeoutMs: 300 });
    const publisher = await bus.publisher();
    const failed = publisher.publish('any', [record(0)]);
    await expect(failed).rejects.toThrow(/ECONNREFUSED/);
    await expect(failed).rejects.not.toThrow(PublishOutcomeUnknown);
  });
});

describe('subscribing to Kafka', () => {
  it('commits no offset, and leaves no group behind', async () => {
    const bus = newBus();
    const topic = await newTopic(bus);
    const group = `${prefix}-group`;
    await (await bus.publisher()).publish(topic, numbered(0, 10));
    const shared = await listen(bus, topic, { mode: { kind: 'shared', group } });
    const every = await listen(bus, topic);
    await until(() => shared.got.length + every.got.length === 20);
    await Promise.all([shared.subscription.close(), every.subscription.close()]);
    const offsets = await admin.fetchOffsets({ groupId: group, topics: [topic] });
    expect(offsets.flatMap(({ partitions }) => partitions)).toEqual([
      expect.objectContaining({ offset: '-1' }),
    ]);
    await until(async () => {
      const { groups } = await admin.listGroups();
      return !groups.some(({ groupId }) => groupId.startsWith(`${prefix}-every-`));
    });
  });

  it('ends when the records that were to come next are gone', async () => {
    const bus = newBus();
    const topic = await newTopic(bus);
    const publisher = await bus.publisher();
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let inHand = 0;
    const { faults, got } = await listen(bus, topic, {
      onBatch: () => {
        inHand++;
        return held;
      },
    });
    await publisher.publish(topic, [record(0)]);
    await until(() => inHand === 1);
    await publisher.publish(topic, numbered(1, 20));
    await deleteBefore(topic, 15n);
    release();
    await until(() => faults.some(({ ended }) => ended));
    expect(faults.filter(({ ended }) => ended)).toHaveLength(1);
    expect(faults.at(-1)?.fault).toBeInstanceOf(OffsetOutOfRange);
    expect(faults.at(-1)?.fault).toMatchObject({ asked: 1n, earliest: 15n });
    expect(got).toHaveLength(1);
  });

  it('ends when the topic was made again with a shorter history', async () => {
    const bus = newBus({ requestTimeoutMs: 2_000 });
    const topic = await newTopic(bus);
    await (await bus.publisher()).publish(topic, numbered(0, 20));
    const { got, faults } = await listen(bus, topic);
    await until(() => got.length === 20);
    await admin.deleteTopics({ topics: [topic] });
    await until(async () => {
      const again = { name: topic, partitions: 1, retention: 'for-ever' } as const;
      await bus.ensureTopics([again]);
      return (await bus.ends(topic).catch(() => null))?.get(0) === 0n;
    });
    await until(() => faults.some(({ ended }) => ended));
    expect(faults.at(-1)?.fault).toMatchObject({ name: 'OffsetOutOfRange', asked: 20n, end: 0n });
    expect(got).toHaveLength(20);
  });

  it('gives up in time where there is no broker', async () => {
    const bus = newBus({
      brokers: ['127.0.0.1:1'],
      connectionTimeoutMs: 300,
      subscribeTimeoutMs: 1_500,
    });
    await expect(listen(bus, 'any')).rejects.toThrow(/subscribing to any took longer/);
  });
});

describe('the log of the Kafka bus', () => {
  it('holds no key and no value of a record, even where kafkajs is told to log all', async () => {
    const before = process.env.KAFKAJS_LOG_LEVEL;
    process.env.KAFKAJS_LOG_LEVEL = 'DEBUG';
    try {
      const lines: string[] = [];
      const keep = (details: object, message: string): void => {
        lines.push(`${message} ${JSON.stringify(details)}`);
      };
      const logger = { debug: keep, info: keep, warn: keep, error: keep };
      const bus = newBus({ logger });
      const topic = await newTopic(bus);
      const secret = randomUUID();
      const publisher = await bus.publisher();
      await publisher.publish(topic, [{ key: secret, headers: { secret }, value: secret }]);
      const { got } = await listen(bus, topic);
      await until(() => got.length === 1);
      await bus.close();
      expect(lines.length).toBeGreaterThan(0);
      expect(lines.filter((line) => line.includes(secret))).toEqual([]);
    } finally {
      if (before === undefined) delete process.env.KAFKAJS_LOG_LEVEL;
      else process.env.KAFKAJS_LOG_LEVEL = before;
    }
  });
});

const nothing = (): void => undefined;
const silent: BusLogger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
