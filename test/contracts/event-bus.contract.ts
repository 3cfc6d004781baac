import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type {
  Batch,
  BusRecord,
  EventBus,
  Offsets,
  ReceivedRecord,
  SubscribeOptions,
  Subscription,
} from '@token-status/event-bus';
import { OffsetOutOfRange } from '@token-status/event-bus';
import { until } from './until.js';

/** A bus with its topics, made once for the suite. */
export interface EventBusUnderTest {
  /** A further client of the same bus; where the bus is in the process, the same one each time. */
  readonly bus: () => EventBus;
  /** Makes a new topic, and says how many partitions it has. */
  readonly newTopic: () => Promise<{ readonly topic: string; readonly partitions: number }>;
  /** For a topic that a test makes itself; `discard` finds it by that. Default: any. */
  readonly nameOfTopic?: () => string;
  /** Stores records where the topic is kept, if that is elsewhere than in the bus. */
  readonly store?: (topic: string, records: readonly BusRecord[]) => Promise<void>;
  /** Makes a topic's first records go, if the suite is told that it `forgets`. */
  readonly forget?: (topic: string) => Promise<void>;
  readonly discard: () => Promise<void>;
}

/** What every event bus keeps, whatever is behind it (decision 4, `precise.md` 12 and 14). */
export function eventBusContract(
  name: string,
  make: () => Promise<EventBusUnderTest>,
  { forgets }: { readonly forgets: boolean },
): void {
  describe(`${name}, as an event bus`, () => {
    let under: EventBusUnderTest;
    const buses: EventBus[] = [];
    const subscriptions: Subscription[] = [];

    beforeAll(async () => {
      under = await make();
    });
    afterAll(async () => {
      await under.discard();
    });
    afterEach(async () => {
      await Promise.all(subscriptions.splice(0).map((subscription) => subscription.close()));
      await Promise.all(buses.splice(0).map((bus) => bus.close()));
    });

    const newBus = (): EventBus => {
      const bus = under.bus();
      // One that the whole suite uses is closed by `discard`.
      if (bus !== under.bus()) buses.push(bus);
      return bus;
    };

    /** A bus, a topic that is new, and a way to publish to it. */
    const given = async () => {
      const { topic, partitions } = await under.newTopic();
      const bus = newBus();
      const publisher = await bus.publisher();
      const publish = async (records: readonly BusRecord[]): Promise<Offsets> => {
        await under.store?.(topic, records);
        return await publisher.publish(topic, records);
      };
      return { topic, partitions, bus, publisher, publish };
    };

    /** A subscriber that keeps what it got. */
    const listen = async (
      bus: EventBus,
      topic: string,
      options: Partial<SubscribeOptions> = {},
    ): Promise<{ got: ReceivedRecord[]; batches: Batch[]; subscription: Subscription }> => {
      const got: ReceivedRecord[] = [];
      const batches: Batch[] = [];
      const subscription = await bus.subscribe({
        topic,
        mode: { kind: 'every' },
        startAt: () => Promise.resolve('earliest'),
        ...options,
        onBatch: async (batch) => {
          await options.onBatch?.(batch);
          batches.push(batch);
          got.push(...batch.records);
        },
      });
      subscriptions.push(subscription);
      return { got, batches, subscription };
    };

    it('hands on a record as it was published', async () => {
      const { bus, topic, publish } = await given();
      const sent: BusRecord[] = [
        { key: 'töken', headers: { ce_id: '1', ce_type: 'TokenAdded' }, value: '{"a":"ü"}' },
        { key: null, headers: {}, value: '' },
      ];
      await publish(sent);
      const { got } = await listen(bus, topic);
      await until(() => got.length === sent.length);
      const received = got.map(({ key, headers, value }) => ({ key, headers, value }));
      expect(received).toHaveLength(2);
      expect(received).toEqual(expect.arrayContaining(sent));
    });

    it('hands on the records of one key in the order in which they were published', async () => {
      const { bus, topic, publish } = await given();
      const { got } = await listen(bus, topic);
      const sent = numbered(0, 300);
      for (let at = 0; at < sent.length; at += 60) await publish(sent.slice(at, at + 60));
      await until(() => got.length >= sent.length);
      expect(valuesByKey(got)).toEqual(valuesByKey(sent));
    });

    it('keeps the order of calls that did not wait for each other', async () => {
      const { bus, topic, publisher } = await given();
      const { got } = await listen(bus, topic);
      const sent = Array.from({ length: 40 }, (_, n) => record('one key', n));
      await under.store?.(topic, sent);
      await Promise.all(sent.map((one) => publisher.publish(topic, [one])));
      await until(() => got.length >= sent.length);
      expect(got.map(({ value }) => value)).toEqual(sent.map(({ value }) => value));
    });

    it('says for each partition that got a record which offset comes after the last of them', async () => {
      const { bus, topic, partitions, publish } = await given();
      const first = await publish([record('a', 0)]);
      expect(first.size).toBe(1);
      const [[partition, next] = [-1, -1n]] = first;
      expect((await publish([record('a', 1), record('a', 2)])).get(partition)).toBe(next + 2n);

      const all = await publish(numbered(3, 200));
      const ends = await bus.ends(topic);
      expect(ends.size).toBe(partitions);
      expect([...all].sort()).toEqual([...ends].sort());
    });

    it('publishes nothing when it is given nothing', async () => {
      const { bus, topic, publisher } = await given();
      expect(await publisher.publish(topic, [])).toEqual(new Map());
      expect([...(await bus.ends(topic)).values()].reduce((sum, end) => sum + end, 0n)).toBe(0n);
    });

    it('starts a subscriber where it says', async () => {
      const { bus, topic, publish } = await given();
      await publish(numbered(0, 50));
      const starts = new Map([...(await bus.ends(topic))].map(([at, end]) => [at, end / 2n]));
      const { got } = await listen(bus, topic, {
        startAt: (partition) => Promise.resolve(starts.get(partition) ?? -1n),
      });
      const expected = [...(await bus.ends(topic))].reduce(
        (sum, [partition, end]) => sum + Number(end - (starts.get(partition) ?? 0n)),
        0,
      );
      await until(() => got.length >= expected);
      expect(got).toHaveLength(expected);
      for (const [partition, start] of starts) {
        const offsets = got.filter((one) => one.partition === partition).map((one) => one.offset);
        expect(offsets).toEqual(offsets.map((_, n) => start + BigInt(n)));
      }
    });

    it("shows a subscriber at 'latest' only what comes after", async () => {
      const { bus, topic, publish } = await given();
      await publish(numbered(0, 20));
      const { got, subscription } = await listen(bus, topic, {
        startAt: () => Promise.resolve('latest'),
      });
      expect(subscription.positions()).toEqual(await bus.ends(topic));
      await publish(numbered(20, 20));
      await until(() => got.length >= 20);
      expect(valuesByKey(got)).toEqual(valuesByKey(numbered(20, 20)));
    });

    it('asks for the start of each partition once, and before its first batch', async () => {
      const { bus, topic, partitions, publish } = await given();
      await publish(numbered(0, 50));
      const asked: number[] = [];
      const early: number[] = [];
      const { got } = await listen(bus, topic, {
        startAt: (partition) => {
          asked.push(partition);
          return Promise.resolve('earliest');
        },
        onBatch: ({ partition }) => {
          if (!asked.includes(partition)) early.push(partition);
          return Promise.resolve();
        },
      });
      await until(() => got.length >= 50);
      expect(asked.sort()).toEqual(Array.from({ length: partitions }, (_, at) => at));
      expect(early).toEqual([]);
    });

    it('asks again when a subscriber could not say where to start, and tells it of the fault', async () => {
      const { bus, topic, publish } = await given();
      await publish(numbered(0, 10));
      const faults: string[] = [];
      let failed = false;
      const { got } = await listen(bus, topic, {
        startAt: () => {
          if (failed) return Promise.resolve('earliest');
          failed = true;
          return Promise.reject(new Error('the checkpoint is out of reach'));
        },
        onFault: (fault, ended) => faults.push(`${fault.message}, ${ended ? 'ended' : 'retried'}`),
      });
      await until(() => got.length >= 10);
      expect(faults).toEqual(['the checkpoint is out of reach, retried']);
    });

    it('hands on a batch that was rejected again, and skips nothing', async () => {
      const { bus, topic, publish } = await given();
      await publish(numbered(0, 90));
      const seen: string[][] = [];
      const faults: string[] = [];
      const failures = new Map<number, number>();
      const { got } = await listen(bus, topic, {
        onBatch: ({ partition, records }) => {
          const failed = failures.get(partition) ?? 0;
          if (failed === 2) return Promise.resolve();
          failures.set(partition, failed + 1);
          seen.push(records.map(({ value }) => `${partition} ${value}`));
          return Promise.reject(new Error('not now'));
        },
        onFault: (fault, ended) => faults.push(`${fault.message}, ${ended ? 'ended' : 'retried'}`),
      });
      await until(() => got.length >= 90);
      expect(valuesByKey(got)).toEqual(valuesByKey(numbered(0, 90)));
      expect(new Set(faults)).toEqual(new Set(['not now, retried']));
      // Each twice rejected, and both times the same records.
      expect(seen.length).toBe(failures.size * 2);
      expect(new Set(seen.map((batch) => batch.join())).size).toBe(failures.size);
    });

    it('goes on with other partitions while one has a batch that is rejected', async () => {
      const { bus, topic, partitions, publish } = await given();
      const ends = await publish(numbered(0, 90));
      let accept = false;
      const { got } = await listen(bus, topic, {
        onBatch: ({ partition }) =>
          partition === 0 && !accept ? Promise.reject(new Error('not now')) : Promise.resolve(),
      });
      const others = Number(90n - (ends.get(0) ?? 0n));
      await until(() => got.length >= others);
      if (partitions > 1) {
        const more = numbered(90, 90);
        const moreEnds = await publish(more);
        const moreOthers = Number(180n - (moreEnds.get(0) ?? 0n));
        await until(() => got.length >= moreOthers);
      }
      expect(got.filter(({ partition }) => partition === 0)).toEqual([]);
      accept = true;
      await until(() => got.length >= (partitions > 1 ? 180 : 90));
      expect(valuesByKey(got)).toEqual(valuesByKey(numbered(0, partitions > 1 ? 180 : 90)));
    });

    it('waits for a subscriber that takes its time, and gives it one batch of a partition at a time', async () => {
      const { bus, topic, publish } = await given();
      const inHand = new Set<number>();
      const together: number[] = [];
      let slow = true;
      const { got } = await listen(bus, topic, {
        onBatch: async ({ partition }) => {
          if (inHand.has(partition)) together.push(partition);
          inHand.add(partition);
          const wait = slow ? 1_500 : 1;
          slow = false;
          await new Promise((resolve) => setTimeout(resolve, wait));
          inHand.delete(partition);
        },
      });
      for (let at = 0; at < 200; at += 10) await publish(numbered(at, 10));
      await until(() => got.length >= 200);
      expect(valuesByKey(got)).toEqual(valuesByKey(numbered(0, 200)));
      expect(together).toEqual([]);
    });

    it('gives every record to every subscriber that reads all partitions', async () => {
      const { bus, topic, partitions, publish } = await given();
      await publish(numbered(0, 30));
      const assigned: (readonly number[])[] = [];
      const readers = await Promise.all([
        listen(bus, topic, { onAssigned: (all) => assigned.push(all) }),
        listen(newBus(), topic),
        listen(newBus(), topic),
      ]);
      await publish(numbered(30, 30));
      for (const { got } of readers) {
        await until(() => got.length >= 60);
        expect(valuesByKey(got)).toEqual(valuesByKey(numbered(0, 60)));
      }
      expect(assigned.at(-1)).toEqual(Array.from({ length: partitions }, (_, at) => at));
    });

    it('says how far a subscriber is', async () => {
      const { bus, topic, publish } = await given();
      await publish(numbered(0, 40));
      const { got, batches, subscription } = await listen(bus, topic);
      await until(() => got.length >= 40);
      const ends = await bus.ends(topic);
      await until(() => [...ends].every(([at, end]) => subscription.positions().get(at) === end));
      for (const { partition, records, nextOffset } of batches) {
        const last = records.at(-1)?.offset ?? -1n;
        expect(records.every((one) => one.partition === partition)).toBe(true);
        expect(nextOffset).toBeGreaterThan(last);
      }
    });

    describe('for subscribers that share a group', () => {
      /** A projector as it should be: what it stored says where it starts. */
      const sharing = async (bus: EventBus, topic: string, checkpoints: Map<number, bigint>) => {
        const held: { partitions: readonly number[] } = { partitions: [] };
        const reader = await listen(bus, topic, {
          mode: { kind: 'shared', group: `group-of-${topic}` },
          startAt: (partition) => Promise.resolve(checkpoints.get(partition) ?? 'earliest'),
          onAssigned: (partitions) => (held.partitions = partitions),
          onBatch: ({ partition, nextOffset }) => {
            checkpoints.set(partition, nextOffset);
            return Promise.resolve();
          },
        });
        return { ...reader, held };
      };

      it('divides the partitions, and each record goes to one of them', async () => {
        const { bus, topic, partitions, publish } = await given();
        const checkpoints = new Map<number, bigint>();
        const a = await sharing(bus, topic, checkpoints);
        expect(a.held.partitions).toHaveLength(partitions);
        const b = await sharing(newBus(), topic, checkpoints);
        await until(() => a.held.partitions.length + b.held.partitions.length === partitions);
        await publish(numbered(0, 90));
        await until(() => a.got.length + b.got.length >= 90);
        expect(valuesByKey(inOrder([...a.got, ...b.got]))).toEqual(valuesByKey(numbered(0, 90)));
        for (const [one, other] of [
          [a, b],
          [b, a],
        ] as const) {
          const theirs = new Set(one.got.map(({ partition }) => partition));
          expect(other.held.partitions.filter((partition) => theirs.has(partition))).toEqual([]);
        }
      });

      it('hands a partition over without a gap when its reader leaves', async () => {
        const { bus, topic, publish } = await given();
        const checkpoints = new Map<number, bigint>();
        const first = await sharing(bus, topic, checkpoints);
        await publish(numbered(0, 60));
        await until(() => first.got.length >= 60);
        const second = await sharing(newBus(), topic, checkpoints);
        const leaving = first.subscription.close();
        await publish(numbered(60, 60));
        await leaving;
        await publish(numbered(120, 60));
        await until(() => first.got.length + second.got.length >= 180);
        expect(valuesByKey(inOrder([...first.got, ...second.got]))).toEqual(
          valuesByKey(numbered(0, 180)),
        );
      });

      it('does not make the first start again when a second comes and goes', async () => {
        const { bus, topic, partitions, publish } = await given();
        const checkpoints = new Map<number, bigint>();
        const first = await sharing(bus, topic, checkpoints);
        await publish(numbered(0, 60));
        await until(() => first.got.length >= 60);

        const others: ReceivedRecord[][] = [];
        for (let round = 1; round <= 2; round++) {
          const second = await sharing(newBus(), topic, checkpoints);
          others.push(second.got);
          await publish(numbered(round * 60, 30));
          await second.subscription.close();
          await publish(numbered(round * 60 + 30, 30));
        }
        const all = (): ReceivedRecord[] => [first.got, ...others].flat();
        await until(() => all().length >= 180);
        await until(() => first.held.partitions.length === partitions);
        // Each exactly once: one that started again would have had the first ones twice.
        const places = all().map(({ partition, offset }) => `${partition}/${offset}`);
        expect(new Set(places).size).toBe(places.length);
        expect(valuesByKey(inOrder(all()))).toEqual(valuesByKey(numbered(0, 180)));
      });
    });

    it('ends a subscription that is to start past the end, and says what there is', async () => {
      const { bus, topic, publish } = await given();
      const ends = await publish([record('a', 0), record('a', 1)]);
      const [[partition, end] = [-1, -1n]] = ends;
      const faults: [Error, boolean][] = [];
      const batches: Batch[] = [];
      const subscribing = bus.subscribe({
        topic,
        mode: { kind: 'every' },
        startAt: (at) => Promise.resolve(at === partition ? end + 1n : 'earliest'),
        onBatch: (batch) => {
          batches.push(batch);
          return Promise.resolve();
        },
        onFault: (fault, ended) => faults.push([fault, ended]),
      });
      await expect(subscribing).rejects.toThrow(OffsetOutOfRange);
      await expect(subscribing).rejects.toMatchObject({
        topic,
        partition,
        asked: end + 1n,
        earliest: 0n,
        end,
      });
      expect(faults.map(([fault, ended]) => [fault instanceof OffsetOutOfRange, ended])).toEqual([
        [true, true],
      ]);
      expect(batches.filter((batch) => batch.partition === partition)).toEqual([]);
    });

    it('starts at the very end, which is not past it', async () => {
      const { bus, topic, publish } = await given();
      await publish(numbered(0, 10));
      const ends = await bus.ends(topic);
      const { got } = await listen(bus, topic, {
        startAt: (partition) => Promise.resolve(ends.get(partition) ?? -1n),
      });
      await publish(numbered(10, 10));
      await until(() => got.length >= 10);
      expect(valuesByKey(got)).toEqual(valuesByKey(numbered(10, 10)));
    });

    if (forgets) {
      it('ends a subscription that is to start before the beginning', async () => {
        const { bus, topic, publish } = await given();
        await publish(numbered(0, 60));
        await under.forget?.(topic);
        const subscribing = bus.subscribe({
          topic,
          mode: { kind: 'every' },
          startAt: () => Promise.resolve(0n),
          onBatch: () => Promise.resolve(),
        });
        await expect(subscribing).rejects.toThrow(OffsetOutOfRange);
        // 'earliest' is what is left.
        const { subscription } = await listen(bus, topic);
        expect(Math.max(...[...subscription.positions().values()].map(Number))).toBeGreaterThan(0);
      });
    }

    it('waits for the batch in hand when a subscription closes, and gives it no other', async () => {
      const { bus, topic, publish } = await given();
      const steps: string[] = [];
      let release: () => void = () => undefined;
      const released = new Promise<void>((resolve) => (release = resolve));
      const { subscription } = await listen(bus, topic, {
        onBatch: async ({ signal }) => {
          steps.push('took a batch');
          signal.addEventListener('abort', () => steps.push('was told to stop'));
          await released;
          steps.push('stored it');
        },
      });
      await publish([record('a', 0)]);
      await until(() => steps.length === 1);
      const closing = subscription.close().then(() => steps.push('closed'));
      await publish([record('a', 1)]);
      await until(() => steps.length === 2);
      release();
      await closing;
      await subscription.close();
      expect(steps).toEqual(['took a batch', 'was told to stop', 'stored it', 'closed']);
    });

    it('closes in time though a subscriber rejects its batch again and again', async () => {
      const { bus, topic, publish } = await given();
      await publish(numbered(0, 10));
      let tries = 0;
      const { subscription } = await listen(bus, topic, {
        onBatch: () => {
          tries++;
          return Promise.reject(new Error('never'));
        },
      });
      await until(() => tries > 2);
      await subscription.close();
      const before = tries;
      await publish(numbered(10, 10));
      expect(tries).toBe(before);
    });

    it('makes a topic once, however often and by how many it is asked for', async () => {
      const { topic, partitions } = await under.newTopic();
      const spec = { name: topic, partitions, retention: { ms: 3_600_000 } } as const;
      await Promise.all([newBus(), newBus()].map((bus) => bus.ensureTopics([spec])));
      expect((await newBus().ends(topic)).size).toBe(partitions);
    });

    it('refuses a topic that has another number of partitions, and names both', async () => {
      const { topic, partitions } = await under.newTopic();
      const wrong = { name: topic, partitions: partitions + 4, retention: { ms: 3_600_000 } };
      const refused = newBus().ensureTopics([wrong]);
      await expect(refused).rejects.toThrow(topic);
      await expect(refused).rejects.toThrow(
        new RegExp(`\\b${partitions}\\b.*\\b${partitions + 4}\\b`),
      );
    });

    it('knows a topic by an id that is its own', async () => {
      const { topic } = await under.newTopic();
      const { topic: other } = await under.newTopic();
      const id = await newBus().topicId(topic);
      expect(id).not.toBe('');
      expect(await newBus().topicId(topic)).toBe(id);
      expect(await newBus().topicId(other)).not.toBe(id);
    });

    it('lets a subscriber come before its topic', async () => {
      const bus = newBus();
      const topic = under.nameOfTopic?.() ?? randomUUID();
      const subscribing = listen(bus, topic);
      await bus.ensureTopics([{ name: topic, partitions: 2, retention: { ms: 3_600_000 } }]);
      const { got } = await subscribing;
      await (await bus.publisher()).publish(topic, numbered(0, 10));
      await until(() => got.length >= 10);
    });

    it('publishes nothing by a publisher that is closed', async () => {
      const { topic, publisher } = await given();
      await publisher.close();
      await publisher.close();
      await expect(publisher.publish(topic, [record('a', 0)])).rejects.toThrow(/closed/);
    });
  });

  describe(`${name}, as an event bus that is closed`, () => {
    it('has closed its publishers and subscriptions, and takes no more', async () => {
      const under = await make();
      const { topic, partitions } = await under.newTopic();
      const bus = under.bus();
      const publisher = await bus.publisher();
      const faults: boolean[] = [];
      await bus.subscribe({
        topic,
        mode: { kind: 'every' },
        startAt: () => Promise.resolve('earliest'),
        onBatch: () => Promise.resolve(),
        onFault: (_, ended) => faults.push(ended),
      });
      await Promise.all([bus.close(), bus.close()]);
      const spec = { name: topic, partitions, retention: { ms: 1 } };
      await expect(publisher.publish(topic, [record('a', 0)])).rejects.toThrow(/closed/);
      await expect(bus.publisher()).rejects.toThrow(/closed/);
      await expect(bus.ensureTopics([spec])).rejects.toThrow(/closed/);
      await expect(bus.ends(topic)).rejects.toThrow(/closed/);
      await expect(bus.topicId(topic)).rejects.toThrow(/closed/);
      await expect(
        bus.subscribe({
          topic,
          mode: { kind: 'every' },
          startAt: () => Promise.resolve('earliest'),
          onBatch: () => Promise.resolve(),
        }),
      ).rejects.toThrow(/closed/);
      expect(faults).toEqual([]);
      await under.discard();
    });
  });
}

const record = (key: string, n: number): BusRecord => ({
  key,
  headers: { ce_id: String(n) },
  value: JSON.stringify({ n }),
});

/** Records n, n + 1, … spread over ten keys. */
const numbered = (from: number, count: number): BusRecord[] =>
  Array.from({ length: count }, (_, at) => record(`key-${(from + at) % 10}`, from + at));

/** What several readers got, as the partitions have it: it goes from one reader to another and back. */
const inOrder = (records: readonly ReceivedRecord[]): ReceivedRecord[] =>
  [...records].sort((a, b) => Number(a.offset - b.offset));

/** What each key was given, in order. */
function valuesByKey(records: readonly BusRecord[]): Record<string, string[]> {
  const byKey: Record<string, string[]> = {};
  for (const { key, value } of records) (byKey[String(key)] ??= []).push(value);
  return byKey;
}
