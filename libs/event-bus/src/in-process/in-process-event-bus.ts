import { within } from '../bounded.js';
import type { EventBus, Publisher, TopicSpec } from '../event-bus.js';
import { Group } from './group.js';
import { InProcessSubscription } from './in-process-subscription.js';
import type { DurableSource } from './partition-log.js';
import type { Topic } from './topic.js';
import { durableTopic, memoryTopic } from './topic.js';

export interface InProcessEventBusOptions {
  /**
   * For each topic that is kept for ever, where its records are. Such a topic has one partition, and
   * subscribers read it from there: publishing checks that a record is in it and wakes them.
   */
  readonly durable?: Readonly<Record<string, DurableSource>>;
  /** How many records a partition of another topic keeps, within its retention. Default 10,000. */
  readonly memoryRecords?: number;
  /** After that `subscribe` rejects and gives up. Default 30 s. */
  readonly subscribeTimeoutMs?: number;
  /** How long `close` waits for a batch in hand. Default 10 s. */
  readonly closeTimeoutMs?: number;
}

/** The event bus of the standalone process: publishers and subscribers in one process, no server. */
export function createInProcessEventBus(options: InProcessEventBusOptions = {}): EventBus {
  const { durable = {}, memoryRecords = 10_000 } = options;
  const { subscribeTimeoutMs = 30_000, closeTimeoutMs = 10_000 } = options;
  const topics = new Map<string, Topic>();
  const groups = new Map<string, Group>();
  const subscriptions = new Set<InProcessSubscription>();
  const awaited = new Map<string, (() => void)[]>();
  let closed: Promise<void> | undefined;

  const failIfClosed = (): void => {
    if (closed !== undefined) throw new Error('the event bus is closed');
  };

  const known = (name: string): Topic => {
    failIfClosed();
    const topic = topics.get(name);
    if (topic === undefined) throw new Error(`there is no topic ${name}`);
    return topic;
  };

  /** As on Kafka, a subscriber may come before the topic does. */
  const coming = async (name: string): Promise<Topic> => {
    if (!topics.has(name)) {
      const made = new Promise<void>((resolve) => {
        awaited.set(name, [...(awaited.get(name) ?? []), resolve]);
      });
      await within(subscribeTimeoutMs, `waiting for the topic ${name}`, made);
    }
    return known(name);
  };

  const make = (spec: TopicSpec): Topic => {
    const source = durable[spec.name];
    if (source !== undefined) return durableTopic(spec.name, source);
    if (spec.retention === 'for-ever') {
      throw new Error(
        `${spec.name} is to be kept for ever, and no durable source for it was given`,
      );
    }
    return memoryTopic(spec, { ms: spec.retention.ms, records: memoryRecords });
  };

  const ensure = (spec: TopicSpec): void => {
    const topic = topics.get(spec.name) ?? make(spec);
    if (topic.partitions.length !== spec.partitions) {
      throw new Error(
        `the topic ${spec.name} has ${topic.partitions.length} partitions and must have ${spec.partitions}`,
      );
    }
    topics.set(spec.name, topic);
    for (const go of awaited.get(spec.name) ?? []) go();
    awaited.delete(spec.name);
  };

  return {
    // eslint-disable-next-line @typescript-eslint/require-await -- so that what it throws is a rejection
    async ensureTopics(specs) {
      failIfClosed();
      for (const spec of specs) ensure(spec);
    },

    // eslint-disable-next-line @typescript-eslint/require-await -- so that what it throws is a rejection
    async publisher() {
      failIfClosed();
      let open = true;
      const publisher: Publisher = {
        async publish(topic, records) {
          if (!open) throw new Error('this publisher is closed');
          const found = known(topic);
          return records.length === 0 ? new Map() : await found.publish(records);
        },
        close() {
          open = false;
          return Promise.resolve();
        },
      };
      return publisher;
    },

    async subscribe(subscribeOptions) {
      failIfClosed();
      const { topic: name, mode } = subscribeOptions;
      const topic = await coming(name);
      const { length } = topic.partitions;
      const key = mode.kind === 'shared' ? JSON.stringify([name, mode.group]) : undefined;
      const group = key === undefined ? undefined : (groups.get(key) ?? new Group(length));
      if (key !== undefined && group !== undefined) groups.set(key, group);

      const subscription = new InProcessSubscription(
        topic,
        subscribeOptions,
        closeTimeoutMs,
        (it) => {
          subscriptions.delete(it);
          group?.leave(it);
        },
      );
      subscriptions.add(subscription);
      const start = async (): Promise<void> => {
        if (group !== undefined) {
          await group.join(subscription);
          return;
        }
        const started = Array.from({ length }, (_, partition) =>
          subscription.take(partition, Promise.resolve()),
        );
        subscription.tellAssigned();
        await subscription.untilStarted(started);
      };
      try {
        await within(subscribeTimeoutMs, `subscribing to ${name}`, start());
        return subscription;
      } catch (fault) {
        void subscription.close();
        throw fault;
      }
    },

    async ends(name) {
      const ranges = await Promise.all(known(name).partitions.map((log) => log.range()));
      return new Map(ranges.map(({ end }, partition) => [partition, end]));
    },

    // eslint-disable-next-line @typescript-eslint/require-await -- so that what it throws is a rejection
    async topicId(name) {
      return known(name).id;
    },

    close() {
      closed ??= Promise.all([...subscriptions].map((open) => open.close())).then(() => undefined);
      for (const go of [...awaited.values()].flat()) go();
      return closed;
    },
  };
}
