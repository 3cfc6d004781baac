import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  MAX_ECHOES,
  readProbe,
  signEvent,
  signHeartbeat,
  toEventRecord,
  topicSpecs,
} from '@token-status/contracts';
import type { Heartbeat, Probe, RecordedEvent, SigningKey, Topics } from '@token-status/contracts';
import type { BusRecord, EventBus, Offsets, Publisher } from '@token-status/event-bus';
import type { EventLog } from '@token-status/event-log';
import { delay, keepTrying } from '@token-status/platform';
import { unlessAborted } from './unless-aborted.js';

export interface EventRelayOptions {
  /** Tried again until it succeeds: the database may be away when the relay starts. */
  readonly openLog: () => Promise<EventLog>;
  readonly bus: EventBus;
  readonly topics: Topics;
  readonly eventPartitions: number;
  /** Who this relay is, among the standbys. */
  readonly holder?: string;
  /** How long a relay that died keeps the others from taking over (`precise.md` 11). */
  readonly leaseMs?: number;
  readonly heartbeatMs?: number;
  /** Signs each event and heartbeat (`precise.md` 27). Without it, none is signed. */
  readonly signingKey?: SigningKey | undefined;
  /** Called between any two steps, so that a test can end the process there. */
  readonly onStep?: (step: RelayStep) => void;
  readonly observer?: RelayObserver;
  readonly now?: () => number;
}

/** The steps that a relay can die between, in order. */
export const RELAY_STEPS = [
  'relay.leading',
  'relay.read',
  'relay.published',
  'relay.stored',
  'relay.beat-fenced',
  'relay.beat-published',
] as const;
export type RelayStep = (typeof RELAY_STEPS)[number];

export interface RelayObserver {
  published?(batch: { readonly events: number; readonly ms: number }): void;
  beat?(beat: { readonly ms: number }): void;
  led?(leading: boolean, term: number | null): void;
  fault?(fault: unknown): void;
}

export interface RelayState {
  readonly leading: boolean;
  readonly term: number | null;
  /** Every event up to here has been acknowledged by the broker. */
  readonly published: number;
  /** The log's head, as of the newest fence. */
  readonly head: number;
  /** Since this relay last asked for the lease with success, won or not; null before. */
  readonly leaseAskedMsAgo: number | null;
  /** Since its newest heartbeat was acknowledged; null when it has sent none. */
  readonly beatMsAgo: number | null;
  /** Longer ago than this, either of the two is a fault: it is asked, and beats, more often by far. */
  readonly patienceMs: number;
}

const NAME = 'event-relay';
/** How long a reign that is over waits for the batch in hand; a broker may be silent for much longer. */
const GRACE_MS = 2000;
/** Signed without a pause: a few milliseconds by Ed25519. */
const SIGNED_AT_ONCE = 200;

/**
 * Publishes the log, in order and at least once, and proves with heartbeats how far (decisions 4, 5).
 *
 * One relay leads, by a lease in the log's database; the others stand by. The leader tails the log by
 * position, sends, and stores its position once the broker has acknowledged: a crash repeats, never
 * skips. A leader that was paused past its lease may send again what its successor sent; consumers
 * tell repeats by token version, so that is harmless, and its position is refused by its term.
 */
export class EventRelay {
  readonly #options: Required<Omit<EventRelayOptions, 'observer' | 'signingKey'>> &
    Pick<EventRelayOptions, 'signingKey'>;
  readonly #observer: RelayObserver;
  readonly #closing = new AbortController();
  #running: Promise<void> | null = null;
  #term: number | null = null;
  #published = 0;
  #head = 0;
  #leaseAskedAt: number | null = null;
  #beatAt: number | null = null;

  constructor(options: EventRelayOptions) {
    this.#options = {
      holder: randomUUID(),
      leaseMs: 1500,
      heartbeatMs: 250,
      onStep: () => undefined,
      now: Date.now,
      ...options,
    };
    this.#observer = options.observer ?? {};
  }

  start(): void {
    this.#running ??= this.#run();
  }

  state(): RelayState {
    const since = (at: number | null): number | null =>
      at === null ? null : performance.now() - at;
    return {
      leading: this.#term !== null,
      term: this.#term,
      published: this.#published,
      head: this.#head,
      leaseAskedMsAgo: since(this.#leaseAskedAt),
      beatMsAgo: since(this.#beatAt),
      patienceMs: 4000 + this.#options.leaseMs + this.#options.heartbeatMs,
    };
  }

  /** Stops after the batch in hand, and frees the lease so that a standby need not wait for its end. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { openLog, bus, topics, eventPartitions, leaseMs } = this.#options;
    const { signal } = this.#closing;
    const onFault = (fault: unknown): void => {
      if (!signal.aborted) this.#observer.fault?.(fault);
    };
    try {
      const log = await keepTrying(openLog, { signal, onFault });
      await keepTrying(
        () => unlessAborted(bus.ensureTopics(topicSpecs(topics, eventPartitions)), signal),
        { signal, onFault },
      );
      while (!signal.aborted) {
        const term = await keepTrying(() => this.#acquire(log), {
          signal,
          onFault,
          maxMs: leaseMs,
        });
        if (term === null) {
          await delay((leaseMs / 3) * (0.5 + Math.random()), signal);
        } else {
          await this.#lead(log, term, (this.#leaseAskedAt ?? -Infinity) + leaseMs);
          // Whatever ended it, it may end it again at once.
          await delay(Math.random() * 200, signal);
        }
      }
    } catch (fault) {
      if (!signal.aborted) throw fault;
    }
  }

  async #acquire(log: EventLog): Promise<number | null> {
    const { holder, leaseMs } = this.#options;
    const asked = performance.now();
    const term = await log.leases.acquire(NAME, holder, leaseMs);
    this.#leaseAskedAt = asked;
    return term;
  }

  /** Leads until the lease is lost, a part fails for good, or the relay closes. */
  async #lead(log: EventLog, term: number, until: number): Promise<void> {
    const { bus, topics, holder } = this.#options;
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, this.#closing.signal]);
    const probes = new Probes();
    const end = (fault?: unknown): void => {
      if (fault !== undefined && !signal.aborted) this.#observer.fault?.(fault);
      over.abort();
    };
    const reign = new Reign(log, term, until, signal, end);
    const opened: { close(): Promise<void> }[] = [];
    const open = async <T extends { close(): Promise<void> }>(opening: Promise<T>): Promise<T> => {
      try {
        const part = await unlessAborted(opening, signal);
        opened.push(part);
        return part;
      } catch (fault) {
        // It may come about all the same, when nobody waits for it any more.
        void opening.then(
          (part) => part.close(),
          () => undefined,
        );
        throw fault;
      }
    };
    // The lease runs while the broker is being asked: renew from the first moment.
    const renewing = this.#renew(reign).then(end, end);
    try {
      const publisher = await open(bus.publisher());
      // Its own, or a heartbeat waits behind events that nobody's proof depends on yet.
      const heart = await open(bus.publisher());
      await open(
        bus.subscribe({
          topic: topics.probes,
          mode: { kind: 'every' },
          startAt: () => Promise.resolve('latest'),
          onBatch: ({ records }) => {
            probes.note(records);
            return Promise.resolve();
          },
          onFault: (fault, ended) => {
            if (ended) end(fault);
            else this.#observer.fault?.(fault);
          },
        }),
      );
      // Offsets only locate, and only the broker knows them after a takeover.
      const offsets = new Map(await unlessAborted(bus.ends(topics.events), signal));
      // Another topic under the same name is another reader's history: it gets all of the log.
      const topicId = await unlessAborted(bus.topicId(topics.events), signal);
      const checkpoint = `${NAME}/${topicId}`;
      this.#published = await log.checkpoints.load(checkpoint);
      this.#term = term;
      this.#observer.led?.(true, term);
      this.#options.onStep('relay.leading');
      await Promise.all([
        this.#tail(reign, publisher, offsets, checkpoint).then(end, end),
        this.#beat(reign, heart, offsets, probes).then(end, end),
      ]);
    } catch (fault) {
      end(fault);
    } finally {
      this.#term = null;
      this.#observer.led?.(false, term);
      over.abort();
      await renewing;
      await Promise.allSettled(opened.map((part) => part.close()));
      await log.leases.release(NAME, holder).catch(() => undefined);
    }
  }

  async #renew(reign: Reign): Promise<void> {
    const { leaseMs } = this.#options;
    const { signal } = reign;
    for (;;) {
      await delay(leaseMs / 3, signal).catch(() => undefined);
      if (signal.aborted) return;
      const asked = performance.now();
      try {
        if ((await this.#acquire(reign.log)) !== reign.term) return;
        reign.until = asked + leaseMs;
      } catch (fault) {
        this.#observer.fault?.(fault);
      }
      if (performance.now() >= reign.until) return;
    }
  }

  async #tail(
    reign: Reign,
    publisher: Publisher,
    offsets: Map<number, bigint>,
    checkpoint: string,
  ): Promise<void> {
    const { topics, onStep } = this.#options;
    const { log } = reign;
    let storing: Promise<void> | null = null;
    let stored = this.#published;
    const acknowledgedUpTo = new Map<number, bigint>();
    /** Beside the sending: the position may lag, since what follows it is only repeated. */
    const store = async (): Promise<void> => {
      while (stored < this.#published) {
        const position = this.#published;
        if (!(await log.checkpoints.store(checkpoint, position, reign.term))) {
          throw new Deposed('a relay of a later term has stored its position');
        }
        stored = position;
        onStep('relay.stored');
      }
      storing = null;
    };
    for await (const events of log.follow(this.#published, reign.signal)) {
      onStep('relay.read');
      const acknowledged = await this.#publish(reign, publisher, topics.events, events);
      onStep('relay.published');
      for (const [partition, offset] of acknowledged) {
        if (offset <= (acknowledgedUpTo.get(partition) ?? -1n)) {
          // The position must not be stored for the topic that is gone.
          throw new Error(`${topics.events} was made again: the new one gets all of the log`);
        }
        acknowledgedUpTo.set(partition, offset);
        offsets.set(partition, offset);
      }
      this.#published = events.at(-1)?.position ?? this.#published;
      reign.progress.dispatchEvent(new Event('published'));
      storing ??= store();
      storing.catch(reign.end);
    }
    await storing;
  }

  /** Sends a batch until it is acknowledged or the reign is over; the same order again each time. */
  async #publish(
    reign: Reign,
    publisher: Publisher,
    topic: string,
    events: readonly RecordedEvent[],
  ): Promise<Offsets> {
    const started = performance.now();
    const records = await this.#recordsOf(events, reign);
    const acknowledged = await keepTrying(
      () => {
        reign.check();
        return unlessAborted(publisher.publish(topic, records), reign.signal, GRACE_MS);
      },
      {
        signal: reign.signal,
        onFault: (fault) => {
          if (fault instanceof Deposed || reign.signal.aborted) throw fault;
          this.#observer.fault?.(fault);
        },
        firstMs: 20,
        maxMs: 500,
      },
    );
    this.#observer.published?.({ events: events.length, ms: performance.now() - started });
    return acknowledged;
  }

  /** Signed once: what is sent again is the same. Others have their turn meanwhile, the lease above all. */
  async #recordsOf(events: readonly RecordedEvent[], reign: Reign): Promise<BusRecord[]> {
    const { signingKey, topics } = this.#options;
    const records: BusRecord[] = [];
    for (const event of events) {
      const record = toEventRecord(event, reign.log.epoch);
      records.push(signingKey ? signEvent(record, topics.events, signingKey) : record);
      if (signingKey && records.length % SIGNED_AT_ONCE === 0) await nextTurn();
    }
    return records;
  }

  /** `precise.md` 9, in its order: what was probed, the clock, the write, the head, the sending of all before it. */
  async #beat(
    reign: Reign,
    publisher: Publisher,
    offsets: ReadonlyMap<number, bigint>,
    probes: Probes,
  ): Promise<void> {
    const { topics, heartbeatMs, signingKey, now, onStep } = this.#options;
    const { log } = reign;
    while (!reign.signal.aborted) {
      const started = performance.now();
      try {
        const echoes = probes.take();
        const at = new Date(now()).toISOString();
        const head = await log.fence();
        this.#head = head.position;
        onStep('relay.beat-fenced');
        await this.#publishedUpTo(head.position, reign);
        reign.check();
        const heartbeat: Heartbeat = {
          epoch: log.epoch,
          at,
          position: head.position,
          offsets: Object.fromEntries([...offsets].map(([p, o]) => [String(p), o.toString()])),
          echoes,
        };
        const record = {
          key: null,
          headers: { 'content-type': 'application/json' },
          value: JSON.stringify(heartbeat),
        };
        const sent = signingKey ? signHeartbeat(record, topics.heartbeats, signingKey) : record;
        await unlessAborted(publisher.publish(topics.heartbeats, [sent]), reign.signal);
        this.#beatAt = performance.now();
        this.#observer.beat?.({ ms: this.#beatAt - started });
        onStep('relay.beat-published');
      } catch (fault) {
        reign.signal.throwIfAborted();
        if (fault instanceof Deposed) throw fault;
        // A heartbeat that failed proves nothing and is not sent again; the next one is a new one.
        this.#observer.fault?.(fault);
      }
      await delay(Math.max(0, heartbeatMs - (performance.now() - started)), reign.signal);
    }
  }

  async #publishedUpTo(position: number, { progress, signal }: Reign): Promise<void> {
    while (this.#published < position) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          progress.removeEventListener('published', wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        progress.addEventListener('published', wake);
        signal.addEventListener('abort', wake);
      });
    }
  }
}

/** The lease is over or another's: nothing more may be sent. */
class Deposed extends Error {
  override readonly name = 'Deposed';
}

/** One time of leading: its term, and until when by this process's own clock. */
class Reign {
  readonly progress = new EventTarget();

  constructor(
    readonly log: EventLog,
    readonly term: number,
    public until: number,
    readonly signal: AbortSignal,
    readonly end: (fault: unknown) => void,
  ) {}

  /** @throws Deposed when the lease has run out here, whatever the database thinks. */
  check(): void {
    this.signal.throwIfAborted();
    if (performance.now() >= this.until) throw new Deposed('the lease ran out');
  }
}

/**
 * Each gateway's newest nonce, echoed once: a gateway probes again long before it is stale. When there
 * are more than a heartbeat holds, the rest comes with the next.
 */
class Probes {
  readonly #byGateway = new Map<string, Probe>();

  note(records: readonly { readonly value: string }[]): void {
    for (const { value } of records) {
      const probe = readProbe(value);
      if (!probe) continue; // Not ours: it proves nothing to anybody.
      // Bounded, whatever is sent.
      if (this.#byGateway.size >= 10 * MAX_ECHOES) this.#byGateway.clear();
      this.#byGateway.set(probe.gateway, probe);
    }
  }

  take(): Probe[] {
    const echoes = [...this.#byGateway.values()].slice(0, MAX_ECHOES);
    for (const { gateway } of echoes) this.#byGateway.delete(gateway);
    return echoes;
  }
}
