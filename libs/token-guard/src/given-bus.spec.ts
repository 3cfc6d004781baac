import { readProbe, signEvent, signHeartbeat } from '@token-status/contracts';
import type { Probe, SigningKey, Topics } from '@token-status/contracts';
import { OffsetOutOfRange } from '@token-status/event-bus';
import type {
  BusRecord,
  EventBus,
  Offsets,
  Publisher,
  ReceivedRecord,
  SubscribeOptions,
  Subscription,
} from '@token-status/event-bus';
import { EPOCH } from './given.spec.js';
import { until as untilHolds } from '../../../test/contracts/until.js';

/**
 * A bus in memory, of one partition a topic, that can be told to misbehave as Kafka's clients do: go
 * silent without an error, end, or be another topic under the same name. What real buses do is held
 * by their own contract suite; the guard runs on Kafka in `token-guard.int.spec.ts`.
 */
export class BusThatMisbehaves implements EventBus {
  readonly #records = new Map<string, ReceivedRecord[]>();
  readonly #open = new Set<{
    options: SubscribeOptions;
    next: bigint;
    silent: boolean;
    wake: () => void;
  }>();
  /** Subscriptions that were made, by topic. */
  readonly subscribed: string[] = [];
  away = false;
  /** By topic, what subscribing to it waits for. */
  readonly joining = new Map<string, Promise<unknown>>();
  /** By topic, what the first batch after that waits for. */
  readonly fetching = new Map<string, Promise<unknown>>();
  id = 'first';

  /** How many records were sent to the topic. */
  sent(topic: string): number {
    return this.#of(topic).length;
  }

  get openSubscriptions(): number {
    return this.#open.size;
  }

  ensureTopics(): Promise<void> {
    return this.away ? Promise.reject(new Error('no broker answers')) : Promise.resolve();
  }

  publisher(): Promise<Publisher> {
    return Promise.resolve({
      publish: (topic: string, records: readonly BusRecord[]) => {
        if (this.away) return Promise.reject(new Error('no broker answers'));
        return Promise.resolve(this.send(topic, records));
      },
      close: () => Promise.resolve(),
    });
  }

  send(topic: string, records: readonly BusRecord[]): Offsets {
    const held = this.#of(topic);
    for (const record of records) {
      held.push({ ...record, partition: 0, offset: BigInt(held.length) });
    }
    for (const { options, wake } of this.#open) if (options.topic === topic) wake();
    return new Map([[0, BigInt(held.length)]]);
  }

  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    if (this.away) throw new Error('no broker answers');
    this.subscribed.push(options.topic);
    await this.joining.get(options.topic);
    return this.#begin(options);
  }

  async #begin(options: SubscribeOptions): Promise<Subscription> {
    const held = this.#of(options.topic);
    const start = await options.startAt(0);
    const end = BigInt(held.length);
    const next = start === 'earliest' ? 0n : start === 'latest' ? end : start;
    if (next > end) {
      const fault = new OffsetOutOfRange(options.topic, 0, next, 0n, end);
      options.onFault?.(fault, true);
      throw fault;
    }
    const closing = new AbortController();
    let wake = (): void => undefined;
    const subscription = { options, next, silent: false, wake: () => wake() };
    this.#open.add(subscription);
    const run = async (): Promise<void> => {
      await this.fetching.get(options.topic);
      while (!closing.signal.aborted) {
        const records = this.#of(options.topic).slice(Number(subscription.next));
        if (records.length === 0 || subscription.silent) {
          await new Promise<void>((resolve) => (wake = resolve));
          continue;
        }
        const nextOffset = subscription.next + BigInt(records.length);
        const { signal } = closing;
        await options.onBatch({ topic: options.topic, partition: 0, records, nextOffset, signal });
        subscription.next = nextOffset;
      }
    };
    const running = run();
    return {
      positions: () => new Map([[0, subscription.next]]),
      close: async () => {
        closing.abort();
        wake();
        await running;
        this.#open.delete(subscription);
      },
    };
  }

  ends(topic: string): Promise<Offsets> {
    return Promise.resolve(new Map([[0, BigInt(this.#of(topic).length)]]));
  }

  topicId(): Promise<string> {
    return Promise.resolve(this.id);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** The subscriptions to the topic that are there now get nothing any more, and no error. */
  silence(topic: string): void {
    for (const each of this.#open) if (each.options.topic === topic) each.silent = true;
  }

  /** The subscriptions to the topic end with this fault. */
  end(topic: string, fault: Error): void {
    for (const { options } of [...this.#open]) {
      if (options.topic === topic) options.onFault?.(fault, true);
    }
  }

  /** The topic is deleted and made anew, empty. */
  replace(topic: string): void {
    this.#records.set(topic, []);
    this.id += "'s successor";
  }

  #of(topic: string): ReceivedRecord[] {
    let held = this.#records.get(topic);
    if (!held) this.#records.set(topic, (held = []));
    return held;
  }
}

/** What the relay does: echoes the newest nonce of each gateway with the log's head. */
export class RelayOfTheTest {
  readonly #echoes = new Map<string, Probe>();
  readonly #topics: Topics;
  readonly #bus: EventBus;
  #publisher: Publisher | null = null;
  #subscription: Subscription | null = null;
  #timer: NodeJS.Timeout | undefined;
  /** The log's head. */
  position = 0;
  epoch = EPOCH;
  echoing = true;
  /** Milliseconds that its clock is ahead. */
  ahead = 0;
  signingKey: SigningKey | null = null;

  constructor(bus: EventBus, topics: Topics) {
    this.#bus = bus;
    this.#topics = topics;
  }

  async start(everyMs = 10): Promise<void> {
    this.#publisher = await this.#bus.publisher();
    this.#subscription = await this.#bus.subscribe({
      topic: this.#topics.probes,
      mode: { kind: 'every' },
      startAt: () => Promise.resolve('latest'),
      onBatch: ({ records }) => {
        for (const { value } of records) {
          const probe = readProbe(value);
          if (probe) this.#echoes.set(probe.gateway, probe);
        }
        return Promise.resolve();
      },
    });
    this.beat(everyMs);
  }

  beat(everyMs = 10): void {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => void this.#sendHeartbeat(), everyMs);
  }

  pause(): void {
    clearInterval(this.#timer);
  }

  async #sendHeartbeat(): Promise<void> {
    const heartbeat = {
      epoch: this.epoch,
      at: new Date(Date.now() + this.ahead).toISOString(),
      position: this.position,
      offsets: {},
      echoes: this.echoing ? [...this.#echoes.values()] : [],
    };
    const record = { key: null, headers: {}, value: JSON.stringify(heartbeat) };
    const { heartbeats } = this.#topics;
    const sent = this.signingKey ? signHeartbeat(record, heartbeats, this.signingKey) : record;
    await this.#publisher?.publish(heartbeats, [sent]).catch(() => undefined);
  }

  /** Sends records of events and takes the log's head to `position`. */
  async publish(records: readonly BusRecord[], position: number): Promise<void> {
    const { signingKey } = this;
    const { events } = this.#topics;
    const sent = signingKey ? records.map((each) => signEvent(each, events, signingKey)) : records;
    await this.#publisher?.publish(events, sent);
    this.position = position;
  }

  /** As somebody does who may write to the topics and has no key. */
  async forge(topic: 'events' | 'heartbeats', records: readonly BusRecord[]): Promise<void> {
    await this.#publisher?.publish(this.#topics[topic], records);
  }

  async close(): Promise<void> {
    this.pause();
    await this.#subscription?.close();
    await this.#publisher?.close();
  }
}

/** As the specs of this room say it: what is waited for first. */
export const until = (
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 20_000,
): Promise<void> => untilHolds(condition, withinMs, what);
