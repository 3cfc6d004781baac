import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { eventBusContract } from '../../../../test/contracts/event-bus.contract.js';
import type { EventBusUnderTest } from '../../../../test/contracts/event-bus.contract.js';
import { until } from '../../../../test/contracts/until.js';
import type { BusRecord, EventBus } from '../event-bus.js';
import { OffsetOutOfRange } from '../event-bus.js';
import { createInProcessEventBus } from './in-process-event-bus.js';
import type { DurableSource } from './partition-log.js';

/** As a log is one: it answers later, and only grows. */
class ArraySource implements DurableSource {
  readonly id = randomUUID();
  readonly records: BusRecord[] = [];
  reads = 0;

  async read(from: bigint, limit: number) {
    this.reads++;
    await new Promise(setImmediate);
    return this.records
      .slice(Number(from), Number(from) + limit)
      .map((record, at) => ({ offset: from + BigInt(at), record }));
  }

  async end(): Promise<bigint> {
    await new Promise(setImmediate);
    return BigInt(this.records.length);
  }
}

const inMemory = (): Promise<EventBusUnderTest> => {
  const bus = createInProcessEventBus({ memoryRecords: 1_000 });
  return Promise.resolve({
    bus: () => bus,
    newTopic: async () => {
      const topic = randomUUID();
      await bus.ensureTopics([{ name: topic, partitions: 3, retention: { ms: 60_000 } }]);
      return { topic, partitions: 3 };
    },
    forget: async (topic) => {
      const publisher = await bus.publisher();
      await publisher.publish(
        topic,
        Array.from({ length: 5_000 }, (_, n) => ({ key: `k${n}`, headers: {}, value: '' })),
      );
    },
    discard: () => bus.close(),
  });
};

const durable = (): Promise<EventBusUnderTest> => {
  const sources: Record<string, ArraySource> = {};
  const bus = createInProcessEventBus({ durable: sources });
  return Promise.resolve({
    bus: () => bus,
    newTopic: async () => {
      const topic = randomUUID();
      sources[topic] = new ArraySource();
      await bus.ensureTopics([{ name: topic, partitions: 1, retention: 'for-ever' }]);
      return { topic, partitions: 1 };
    },
    store: (topic, records) => {
      sources[topic]!.records.push(...records);
      return Promise.resolve();
    },
    discard: () => bus.close(),
  });
};

eventBusContract('the bus in a process, in memory', inMemory, { forgets: true });
eventBusContract('the bus in a process, over a durable source', durable, { forgets: false });

const event = (n: number, more: Record<string, string> = {}): BusRecord => ({
  key: `token-${n % 3}`,
  headers: { ce_id: String(n), ...more },
  value: JSON.stringify({ disabled: n % 2 === 0 }),
});
const events = (from: number, to: number): BusRecord[] =>
  Array.from({ length: to - from }, (_, at) => event(from + at));

describe('a durable topic of the bus in a process', () => {
  const given = async (stored: number) => {
    const source = new ArraySource();
    source.records.push(...events(0, stored));
    const bus = createInProcessEventBus({ durable: { events: source } });
    await bus.ensureTopics([{ name: 'events', partitions: 1, retention: 'for-ever' }]);
    return { source, bus, publisher: await bus.publisher() };
  };

  it('refuses to publish what the source does not have', async () => {
    const { publisher } = await given(10);
    await expect(publisher.publish('events', [event(10)])).rejects.toThrow(/durable source/);
    await expect(publisher.publish('events', [event(3), event(2)])).rejects.toThrow(/durable/);
    const changed = { ...event(3), headers: { ce_id: 'another' } };
    await expect(publisher.publish('events', [changed])).rejects.toThrow(/durable source/);
  });

  it('finds what a relay publishes again after a crash, however far back, and says where it is', async () => {
    const { publisher } = await given(2_000);
    const published = async (from: number, to: number) =>
      (await publisher.publish('events', events(from, to))).get(0);
    expect(await published(1_900, 1_950)).toBe(1_950n);
    expect(await published(1_950, 1_951)).toBe(1_951n);
    expect(await published(3, 1_400)).toBe(1_400n);
    expect(await published(1_400, 2_000)).toBe(2_000n);
  });

  it('lets a publisher add headers of the moment', async () => {
    const { publisher } = await given(1);
    const traced = { ...event(0), headers: { ce_id: '0', traceparent: '00-1-2-01' } };
    expect((await publisher.publish('events', [traced])).get(0)).toBe(1n);
  });

  it('reads the source a few times, not once for each record, when a relay goes through it', async () => {
    const { source, publisher } = await given(1_000);
    for (let at = 0; at < 1_000; at += 100) await publisher.publish('events', events(at, at + 100));
    expect(source.reads).toBeLessThanOrEqual(30);
  });

  it('goes on after the source could not be read', async () => {
    const { source, bus, publisher } = await given(10);
    const read = source.read.bind(source);
    let failing = true;
    source.read = (from, limit) =>
      failing ? Promise.reject(new Error('the file is locked')) : read(from, limit);
    const got: bigint[] = [];
    const faults: string[] = [];
    await bus.subscribe({
      topic: 'events',
      mode: { kind: 'every' },
      startAt: () => Promise.resolve('earliest'),
      onBatch: ({ records }) => {
        got.push(...records.map(({ offset }) => offset));
        return Promise.resolve();
      },
      onFault: ({ message }) => faults.push(message),
    });
    await until(() => faults.length > 1);
    failing = false;
    source.records.push(event(10));
    await publisher.publish('events', [event(10)]);
    await until(() => got.length === 11);
    expect(new Set(faults)).toEqual(new Set(['the file is locked']));
    await bus.close();
  });

  it('is the only kind that is kept for ever', async () => {
    const bus = createInProcessEventBus();
    const spec = { name: 'events', partitions: 1, retention: 'for-ever' } as const;
    await expect(bus.ensureTopics([spec])).rejects.toThrow(/durable source/);
  });

  it('has the id of its source', async () => {
    const { source, bus } = await given(0);
    expect(await bus.topicId('events')).toBe(source.id);
  });
});

describe('a topic in memory of the bus in a process', () => {
  it('ends a subscriber that fell behind what is kept', async () => {
    const bus: EventBus = createInProcessEventBus({ memoryRecords: 100 });
    await bus.ensureTopics([{ name: 'beats', partitions: 1, retention: { ms: 60_000 } }]);
    const publisher = await bus.publisher();
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const faults: [Error, boolean][] = [];
    await bus.subscribe({
      topic: 'beats',
      mode: { kind: 'every' },
      startAt: () => Promise.resolve('latest'),
      onBatch: () => held,
      onFault: (fault, ended) => faults.push([fault, ended]),
    });
    for (let n = 0; n < 300; n++) await publisher.publish('beats', [event(n)]);
    release();
    await until(() => faults.length > 0);
    expect(faults[0]?.[0]).toBeInstanceOf(OffsetOutOfRange);
    expect(faults[0]?.[1]).toBe(true);
    await bus.close();
  });

  it('forgets records that are older than its retention', async () => {
    const bus = createInProcessEventBus();
    await bus.ensureTopics([{ name: 'beats', partitions: 1, retention: { ms: 20 } }]);
    const publisher = await bus.publisher();
    await publisher.publish('beats', [event(0)]);
    const refused = async (): Promise<boolean> => {
      await publisher.publish('beats', [event(1)]);
      const subscribing = bus.subscribe({
        topic: 'beats',
        mode: { kind: 'every' },
        startAt: () => Promise.resolve(0n),
        onBatch: () => Promise.resolve(),
      });
      return await subscribing.then(
        async (subscription) => {
          await subscription.close();
          return false;
        },
        (fault: unknown) => fault instanceof OffsetOutOfRange,
      );
    };
    await until(refused);
    await bus.close();
  });
});
