import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '../../../../test/contracts/until.js';
import { startKafka } from '../../../../test/servers/index.js';
import type { KafkaServer } from '../../../../test/servers/index.js';
import type { BusRecord, EventBus, SubscribeOptions } from '../event-bus.js';
import { PublishOutcomeUnknown } from '../event-bus.js';
import { createKafkaEventBus } from './kafka-event-bus.js';
import type { KafkaEventBusOptions } from './kafka-event-bus.js';

// A broker of its own: it is paused and killed.
let broker: KafkaServer;
const open: EventBus[] = [];

beforeAll(async () => {
  broker = await startKafka();
});
afterEach(async () => {
  broker.resume();
  await Promise.all(open.splice(0).map((bus) => bus.close()));
});
afterAll(async () => {
  await broker.stop();
});

const newBus = (options: Partial<KafkaEventBusOptions> = {}): EventBus => {
  const bus = createKafkaEventBus({
    brokers: [broker.brokers],
    clientId: 'faults',
    connectionTimeoutMs: 1_000,
    requestTimeoutMs: 1_000,
    deliveryTimeoutMs: 3_000,
    sessionTimeoutMs: 6_000,
    ...options,
  });
  open.push(bus);
  return bus;
};

const given = async (options: Partial<KafkaEventBusOptions> = {}) => {
  const bus = newBus(options);
  const topic = `faults-${randomUUID()}`;
  await bus.ensureTopics([{ name: topic, partitions: 2, retention: 'for-ever' }]);
  const publisher = await bus.publisher();
  return { bus, topic, publisher };
};

/** Keeps places, so that it shows whether one came twice or never. */
const listen = async (bus: EventBus, topic: string, options: Partial<SubscribeOptions> = {}) => {
  const places: string[] = [];
  const values: number[] = [];
  const ended: Error[] = [];
  const subscription = await bus.subscribe({
    topic,
    mode: { kind: 'every' },
    startAt: () => Promise.resolve('earliest'),
    onBatch: ({ records }) => {
      for (const { partition, offset, value } of records) {
        places.push(`${partition}/${offset}`);
        values.push(Number(value));
      }
      return Promise.resolve();
    },
    onFault: (fault, isEnd) => {
      if (isEnd) ended.push(fault);
    },
    ...options,
  });
  return { places, values, ended, subscription };
};

const record = (n: number): BusRecord => ({ key: `key ${n % 4}`, headers: {}, value: String(n) });

/** As a relay does: the same again until it is acknowledged. */
async function publishAll(
  publish: (records: readonly BusRecord[]) => Promise<unknown>,
  from: number,
  to: number,
): Promise<Error[]> {
  const faults: Error[] = [];
  for (let n = from; n < to; n++) {
    for (let acknowledged = false; !acknowledged;) {
      acknowledged = await publish([record(n)]).then(
        () => true,
        (fault: unknown) => {
          faults.push(fault as Error);
          return false;
        },
      );
      if (!acknowledged) await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  return faults;
}

/** Nothing is missing, and the first coming of each record of a key is in order. */
const expectAllInOrder = (values: readonly number[], count: number): void => {
  const firsts = [...new Set(values)];
  expect([...firsts].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, n) => n));
  for (let key = 0; key < 4; key++) {
    const ofKey = firsts.filter((n) => n % 4 === key);
    expect(ofKey).toEqual([...ofKey].sort((a, b) => a - b));
  }
};

describe('while the broker is paused', () => {
  it('a publish ends in time with its outcome unknown, and the next ones go through', async () => {
    // It is the limit of the delivery that ends it, long before that of a request.
    const { bus, topic, publisher } = await given({ requestTimeoutMs: 40_000 });
    const { values, places } = await listen(bus, topic);
    await publishAll((records) => publisher.publish(topic, records), 0, 20);

    broker.pause();
    const since = Date.now();
    const unknown = publisher.publish(topic, [record(20)]);
    await expect(unknown).rejects.toThrow(PublishOutcomeUnknown);
    expect(Date.now() - since).toBeLessThan(20_000);
    broker.resume();

    // The same again, as the caller should: it may be there twice now, and is not lost.
    await publishAll((records) => publisher.publish(topic, records), 20, 60);
    await until(() => new Set(values).size === 60);
    expectAllInOrder(values, 60);
    expect(new Set(places).size).toBe(places.length);
  });

  it('a subscriber is not told that it ended, and goes on where it was', async () => {
    const { bus, topic, publisher } = await given();
    const { values, places, ended } = await listen(bus, topic);
    await publishAll((records) => publisher.publish(topic, records), 0, 20);
    await until(() => values.length === 20);

    broker.pause();
    // Longer than its session lasts: the broker throws it out of the group.
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    broker.resume();

    await publishAll((records) => publisher.publish(topic, records), 20, 40);
    await until(() => new Set(values).size === 40);
    expectAllInOrder(values, 40);
    expect(new Set(places).size).toBe(places.length);
    expect(ended).toEqual([]);
  });

  it('a consumer that gets no answer at all is replaced, before its request times out', async () => {
    const { bus, topic, publisher } = await given({
      requestTimeoutMs: 30_000,
      deliveryTimeoutMs: 30_000,
      stallAfterMs: 2_000,
    });
    const faults: string[] = [];
    const { values } = await listen(bus, topic, {
      onFault: ({ message }) => faults.push(message),
    });
    await publisher.publish(topic, [record(0)]);
    await until(() => values.length === 1);
    broker.pause();
    await until(() => faults.includes('no broker has answered this consumer for 2000 ms'));
    broker.resume();
    await publisher.publish(topic, [record(1)]);
    await until(() => values.length === 2);
    expect(values).toEqual([0, 1]);
  });

  it('a bus closes in time', async () => {
    const { bus, topic, publisher } = await given({ requestTimeoutMs: 60_000 });
    await listen(bus, topic);
    broker.pause();
    const unknown = publisher.publish(topic, [record(0)]);
    const [, since] = [unknown.catch(() => undefined), Date.now()];
    await bus.close();
    expect(Date.now() - since).toBeLessThan(40_000);
    await expect(unknown).rejects.toThrow();
  });
});

describe('a publisher that is closed while it connects', () => {
  it('sends nothing afterwards', async () => {
    const { bus, topic } = await given();
    const {
      bus: closing,
      topic: other,
      publisher,
    } = await given({
      requestTimeoutMs: 30_000,
      deliveryTimeoutMs: 6_000,
      closeTimeoutMs: 300,
    });
    broker.pause();
    await expect(publisher.publish(other, [record(0)])).rejects.toThrow(PublishOutcomeUnknown);
    // The next one has to connect first.
    const waiting = expect(publisher.publish(topic, [record(1)])).rejects.toThrow();
    await closing.close();
    broker.resume();
    await waiting;
    expect([...(await bus.ends(topic)).values()]).toEqual([0n, 0n]);
  });
});

describe('when the broker is killed and started again', () => {
  it.each(['every', 'shared'] as const)(
    'no acknowledged record is lost, and a subscriber of kind %s goes on where it was',
    async (kind) => {
      const { bus, topic, publisher } = await given();
      const checkpoints = new Map<number, bigint>();
      const places: string[] = [];
      const values: number[] = [];
      await listen(bus, topic, {
        mode: kind === 'every' ? { kind } : { kind, group: `group-${topic}` },
        startAt: (partition) => Promise.resolve(checkpoints.get(partition) ?? 'earliest'),
        onBatch: ({ partition, records, nextOffset }) => {
          checkpoints.set(partition, nextOffset);
          for (const { offset, value } of records) {
            places.push(`${partition}/${offset}`);
            values.push(Number(value));
          }
          return Promise.resolve();
        },
      });
      await publishAll((records) => publisher.publish(topic, records), 0, 20);
      await until(() => values.length === 20);

      const publishing = publishAll((records) => publisher.publish(topic, records), 20, 200);
      await broker.kill9();
      await broker.restart();
      await publishing;

      await until(() => new Set(values).size === 200);
      expectAllInOrder(values, 200);
      expect(new Set(places).size).toBe(places.length);
    },
  );

  it('the answers to questions come again', async () => {
    const { bus, topic, publisher } = await given();
    await publisher.publish(topic, [record(0)]);
    const id = await bus.topicId(topic);
    await broker.kill9();
    await expect(bus.ends(topic)).rejects.toThrow();
    await broker.restart();
    // It lives again before every partition has its leader.
    await until(async () => {
      const ends = await bus.ends(topic).catch(() => new Map<number, bigint>());
      return [...ends.values()].reduce((sum, end) => sum + end, 0n) === 1n;
    });
    expect(await bus.topicId(topic)).toBe(id);
  });
});
