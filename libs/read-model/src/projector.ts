import { setTimeout as delay } from 'node:timers/promises';
import { readEnvelope, readHeartbeat, topicSpecs } from '@token-status/contracts';
import type { Topics } from '@token-status/contracts';
import { OffsetOutOfRange } from '@token-status/event-bus';
import type {
  Batch,
  EventBus,
  ReceivedRecord,
  SubscribeOptions,
  Subscription,
} from '@token-status/event-bus';
import { tryUntilDone, unlessAborted } from './back-off.js';
import { HeartbeatTrail } from './heartbeat-trail.js';
import type { ParkedRecord } from './parked-record.js';
import { foldRecords, sealedTexts, withTexts } from './projection.js';
import type { ProjectorStep } from './steps.js';
import type { TokenRow, TokenTexts } from './token-row.js';
import type { SourceFact, TokenStatusRepository } from './token-status-repository.js';

/** Opens a text of a user's: null where the user was forgotten, `unreadable` where it is no text of theirs. */
export type OpenSealed = (
  userId: string,
  sealed: string,
) => Promise<{ readonly text: string | null } | 'unreadable'>;

export interface ProjectorOptions {
  readonly bus: EventBus;
  readonly topics: Topics;
  readonly eventPartitions: number;
  /** Projectors of one group divide the partitions among them. */
  readonly group: string;
  /** Tried again until it succeeds: the database may be away when the projector starts. It stays the caller's to close. */
  readonly openRepository: () => Promise<TokenStatusRepository>;
  /** A rejection is a fault: the batch is tried again. */
  readonly openSealed: OpenSealed;
  /** Called between any two steps, so that a test can end the process there. */
  readonly onStep?: (step: ProjectorStep) => void;
  readonly observer?: ProjectorObserver;
  /** So long without a heartbeat, or behind one without a batch, the subscriptions are made anew. */
  readonly stallMs?: number;
  /** A monotonic clock, in milliseconds. */
  readonly now?: () => number;
}

export interface ProjectorObserver {
  batch?(batch: {
    readonly applied: number;
    readonly repeated: number;
    readonly parked: number;
    readonly ms: number;
  }): void;
  alarm?(alarm: ProjectorAlarm): void;
  /** What is being tried again. */
  fault?(fault: unknown): void;
}

/** What an operator must see to. After `halted` nothing is applied until the projector is started anew. */
export type ProjectorAlarm =
  | { readonly kind: 'halted'; readonly why: string }
  | { readonly kind: 'parked'; readonly record: ParkedRecord }
  | { readonly kind: 'text-unreadable'; readonly tokenId: string }
  | { readonly kind: 'stalled'; readonly why: string };

export interface ProjectorState {
  readonly epoch: string | null;
  /** The partitions that this projector holds of its group's. */
  readonly partitions: readonly number[];
  /** Complete up to here, over the partitions held; null while none is. */
  readonly position: number | null;
  /** Of the newest heartbeat. */
  readonly head: number | null;
  /** Positions between the two; a part of them may be in others' partitions. */
  readonly lagPositions: number;
  /** Since the first heartbeat came whose position has not been reached. */
  readonly lagMs: number;
  readonly heartbeatMsAgo: number | null;
  /** Records that wait for an operator, in the whole read model; as of the newest look. */
  readonly parked: number;
}

export type ProjectorReadiness =
  { readonly ok: true } | { readonly ok: false; readonly why: string };

/** How many records are folded and stored in one transaction. */
const CHUNK = 1000;
/** How often a batch is folded anew because another projector moved the partition's offset. */
const MAX_TRIES = 10;

interface HeldPartition {
  stored: bigint | null;
  heartbeatPosition: number;
}

type Part = 'start' | 'events' | 'heartbeats';

/** What ends a subscription's time: it is made anew, or the projector has halted. */
class Resubscribe extends Error {
  override readonly name = 'Resubscribe';
}

class Halted extends Error {
  override readonly name = 'Halted';
}

/**
 * Builds the token status read model from the events topic, and says how far it is complete
 * (`precise.md` 14). What a batch leads to is stored in one transaction with the partition's offset,
 * so a repeated batch, a crash between any two steps and a second holder of a partition change nothing.
 */
export class Projector {
  readonly #options: Required<Omit<ProjectorOptions, 'observer'>>;
  readonly #observer: ProjectorObserver;
  readonly #closing = new AbortController();
  readonly #held = new Map<number, HeldPartition>();
  readonly #trail = new HeartbeatTrail();
  #running: Promise<void> | null = null;
  #epoch: string | null = null;
  #parked = 0;
  /** Whether it is still the topic that the read model was built from; asked anew after every join. */
  #topicChecked: Promise<unknown> | null = null;
  #subscribed = false;
  #halted: string | null = null;
  /** What each part failed with and has not succeeded at since. */
  readonly #trouble = new Map<Part, string>();
  #batchesInHand = 0;
  #batchAt = 0;
  #heartbeatAt: number | null = null;
  #endSession: () => void = () => undefined;

  constructor(options: ProjectorOptions) {
    this.#options = {
      onStep: () => undefined,
      stallMs: 10_000,
      now: () => performance.now(),
      ...options,
    };
    this.#observer = options.observer ?? {};
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Stops after the batch in hand. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  readiness(): ProjectorReadiness {
    if (this.#halted !== null) return { ok: false, why: `halted: ${this.#halted}` };
    for (const [part, fault] of this.#trouble) return { ok: false, why: `${part}: ${fault}` };
    if (!this.#subscribed) return { ok: false, why: 'not subscribed' };
    const since = this.state().heartbeatMsAgo;
    if (since === null) return { ok: false, why: 'no heartbeat came yet' };
    if (since > this.#options.stallMs) {
      return { ok: false, why: `the newest heartbeat came ${Math.round(since)} ms ago` };
    }
    return { ok: true };
  }

  state(): ProjectorState {
    const now = this.#options.now();
    const head = this.#trail.newest?.position ?? null;
    const position = this.#position();
    const behindSince = position === null ? null : this.#trail.oldestBeyond(position);
    return {
      epoch: this.#epoch,
      partitions: [...this.#held.keys()].sort((a, b) => a - b),
      position,
      head,
      lagPositions: head === null || position === null ? 0 : Math.max(0, head - position),
      lagMs: behindSince === null ? 0 : now - behindSince,
      heartbeatMsAgo: this.#heartbeatAt === null ? null : now - this.#heartbeatAt,
      parked: this.#parked,
    };
  }

  #position(): number | null {
    if (this.#held.size === 0) return null;
    return Math.min(...[...this.#held.values()].map((held) => held.heartbeatPosition));
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    const onFault = (fault: unknown): void => this.#retry('start', fault);
    try {
      const repository = await tryUntilDone(
        () => unlessAborted(this.#options.openRepository(), signal),
        { signal, onFault },
      );
      await tryUntilDone(() => unlessAborted(this.#prepare(repository), signal), {
        signal,
        onFault,
      });
      while (!this.#isHalted()) {
        await tryUntilDone(() => this.#session(repository, signal), { signal, onFault });
        // Whatever ended it may end the next one at once.
        if (!this.#isHalted()) await delay(Math.random() * 1000, undefined, { signal });
      }
    } catch (fault) {
      if (!signal.aborted) throw fault;
    }
  }

  /** Makes sure that topic and read model are of one history. */
  async #prepare(repository: TokenStatusRepository): Promise<void> {
    const { bus, topics, eventPartitions } = this.#options;
    const mine = new Set([topics.events, topics.heartbeats]);
    await bus.ensureTopics(
      topicSpecs(topics, eventPartitions).filter(({ name }) => mine.has(name)),
    );
    await this.#settle(repository, 'partitions', String(eventPartitions));
    await this.#settleTopic(repository);
    this.#parked = await repository.parkedCount();
  }

  /** Halts where it is another one than the read model was built from. */
  async #settle(repository: TokenStatusRepository, fact: SourceFact, value: string): Promise<void> {
    const settled = await repository.settle(fact, value);
    if (settled !== value) {
      this.#halt(`the read model was built from ${fact} ${settled}, this is ${value}`);
    }
  }

  /** One time of being subscribed; resolves when it is over and rejects when it could not begin. */
  async #session(repository: TokenStatusRepository, closing: AbortSignal): Promise<void> {
    const { topics, group } = this.#options;
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, closing]);
    this.#endSession = () => over.abort();
    this.#held.clear();
    const opened: Subscription[] = [];
    try {
      opened.push(
        await this.#subscribe('events', over, signal, {
          topic: topics.events,
          mode: { kind: 'shared', group },
          startAt: (partition) => this.#startAt(repository, partition),
          onBatch: (batch) => this.#onEvents(repository, batch),
          onAssigned: (partitions) => {
            // It reads again, whatever was the matter; on a quiet topic no batch comes to say so.
            this.#trouble.delete('events');
            this.#topicChecked = null;
            this.#keepOnly(partitions);
          },
        }),
      );
      const heartbeats = await this.#subscribe('heartbeats', over, signal, {
        topic: topics.heartbeats,
        mode: { kind: 'every' },
        startAt: () => Promise.resolve('latest'),
        onBatch: (batch) => this.#onHeartbeats(repository, batch),
      });
      opened.push(heartbeats);
      this.#subscribed = true;
      this.#trouble.delete('start');
      await this.#watch(repository, heartbeats, signal);
    } catch (fault) {
      if (!signal.aborted) throw fault;
    } finally {
      this.#subscribed = false;
      over.abort();
      await Promise.allSettled(opened.map((subscription) => subscription.close()));
    }
  }

  async #subscribe(
    part: Part,
    over: AbortController,
    signal: AbortSignal,
    options: Omit<SubscribeOptions, 'onFault'>,
  ): Promise<Subscription> {
    const onFault = (fault: Error, ended: boolean): void => {
      if (fault instanceof OffsetOutOfRange) this.#halt(fault.message);
      else if (!(fault instanceof Halted || fault instanceof Resubscribe)) this.#retry(part, fault);
      if (ended) over.abort();
    };
    const subscribing = this.#options.bus.subscribe({ ...options, onFault });
    try {
      return await unlessAborted(subscribing, signal);
    } catch (fault) {
      if (fault instanceof OffsetOutOfRange) this.#halt(fault.message);
      // It may come about all the same, when nobody waits for it any more.
      void subscribing.then(
        (subscription) => subscription.close(),
        () => undefined,
      );
      throw fault;
    }
  }

  /**
   * Looks now and then whether the subscriptions deliver what the broker has: Kafka clients were seen
   * to stall for hours with no error. Returns when the session is over.
   */
  async #watch(
    repository: TokenStatusRepository,
    heartbeats: Subscription,
    signal: AbortSignal,
  ): Promise<void> {
    const { bus, topics, now, stallMs } = this.#options;
    const since = now();
    this.#batchAt = since;
    for (;;) {
      // With jitter, so that not all consumers of a broker that was slow are made anew at once.
      await delay((stallMs / 4) * (0.5 + Math.random()), undefined, { signal });
      const behind = [...this.#held].some(
        ([partition, { stored }]) => (this.#trail.newestOffset(partition) ?? 0n) > (stored ?? 0n),
      );
      if (behind && this.#batchesInHand === 0 && now() - this.#batchAt > stallMs) {
        this.#observer.alarm?.({
          kind: 'stalled',
          why: 'no batch comes, though a heartbeat says that there is one',
        });
        return;
      }
      if (now() - Math.max(since, this.#heartbeatAt ?? 0) > stallMs) {
        const read = heartbeats.positions();
        const asking = bus.ends(topics.heartbeats).catch(() => new Map<number, bigint>());
        // A broker that is silent must not keep the projector from ending.
        const ends = await unlessAborted(asking, signal);
        if ([...ends].some(([partition, end]) => end > (read.get(partition) ?? end))) {
          this.#observer.alarm?.({
            kind: 'stalled',
            why: 'the broker has newer heartbeats than came here',
          });
          return;
        }
      }
      // Other projectors park too.
      this.#parked = await repository.parkedCount().catch(() => this.#parked);
    }
  }

  async #startAt(
    repository: TokenStatusRepository,
    partition: number,
  ): Promise<bigint | 'earliest'> {
    const { nextOffset: stored, heartbeatPosition } = await repository.take(partition);
    this.#held.set(partition, { stored, heartbeatPosition });
    this.#batchAt = this.#options.now();
    return stored ?? 'earliest';
  }

  #keepOnly(partitions: readonly number[]): void {
    const kept = new Set(partitions);
    for (const partition of this.#held.keys()) {
      if (!kept.has(partition)) this.#held.delete(partition);
    }
  }

  async #onEvents(repository: TokenStatusRepository, batch: Batch): Promise<void> {
    this.#refuseWhenHalted();
    this.#batchesInHand++;
    try {
      this.#options.onStep('projector.received');
      await this.#checkTopic(repository);
      this.#refuseWhenHalted();
      const { records, nextOffset, partition, signal } = batch;
      const fault = await this.#firstFault(repository, records);
      const good = fault === null ? records : records.slice(0, fault.index);
      const end = records[good.length]?.offset ?? nextOffset;
      // A batch without records moves the offset too.
      for (let i = 0; i === 0 || i < good.length; i += CHUNK) {
        const next = good[i + CHUNK]?.offset ?? end;
        await this.#project(repository, partition, good.slice(i, i + CHUNK), next, signal);
      }
      if (fault !== null) this.#halt(fault.why);
      this.#refuseWhenHalted();
      this.#trouble.delete('events');
    } finally {
      this.#batchesInHand--;
      this.#batchAt = this.#options.now();
    }
  }

  /** A topic that was made again under its name has our offsets too, once it is as long, for other events. */
  #checkTopic(repository: TokenStatusRepository): Promise<unknown> {
    this.#topicChecked ??= this.#settleTopic(repository).catch((fault: unknown) => {
      this.#topicChecked = null;
      throw fault;
    });
    return this.#topicChecked;
  }

  async #settleTopic(repository: TokenStatusRepository): Promise<void> {
    const { bus, topics } = this.#options;
    await this.#settle(repository, 'topic', await bus.topicId(topics.events));
  }

  /** What no reader may skip: an event without a token id, or of another history (`precise.md` 5, 13). */
  async #firstFault(
    repository: TokenStatusRepository,
    records: readonly ReceivedRecord[],
  ): Promise<{ readonly index: number; readonly why: string } | null> {
    for (const [index, record] of records.entries()) {
      const at = `the record at ${record.partition}/${record.offset}`;
      const { tokenId, epoch } = readEnvelope(record);
      if (tokenId === null) return { index, why: `${at} has no valid token id` };
      if (epoch === null || epoch === this.#epoch) continue;
      this.#epoch ??= await repository.settle('epoch', epoch);
      if (epoch !== this.#epoch) {
        return { index, why: `${at} is of epoch ${epoch}, the read model of ${this.#epoch}` };
      }
    }
    return null;
  }

  async #project(
    repository: TokenStatusRepository,
    partition: number,
    records: readonly ReceivedRecord[],
    nextOffset: bigint,
    signal: AbortSignal,
  ): Promise<void> {
    const { onStep, now } = this.#options;
    const held = this.#held.get(partition);
    if (!held) throw new Resubscribe(`partition ${partition} came without having been assigned`);
    const started = now();
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const from = held.stored;
      if (from !== null && nextOffset <= from) return;
      const fresh = records.filter(({ offset }) => from === null || offset >= from);
      const ids = new Set(fresh.map((record) => readEnvelope(record).tokenId ?? ''));
      const loaded = await repository.load([...ids]);
      onStep('projector.loaded');
      const folded = foldRecords(loaded, fresh, new Date().toISOString());
      onStep('projector.folded');
      const unreadable = new Set<string>();
      const rows = await Promise.all(
        [...folded.rows.values()].map((row) => this.#opened(loaded.get(row.id), row, unreadable)),
      );
      onStep('projector.opened');
      // Taken away meanwhile: whoever has it now does this.
      signal.throwIfAborted();
      const heartbeatPosition = this.#trail.passed(partition, nextOffset);
      const { parked } = folded;
      const outcome = await repository.apply({
        partition,
        from,
        nextOffset,
        heartbeatPosition,
        rows,
        parked,
      });
      if (outcome === 'applied') {
        onStep('projector.stored');
        held.stored = nextOffset;
        this.#raise(held, heartbeatPosition);
        await this.#tellOf(repository, parked, unreadable);
        this.#observer.batch?.({
          applied: folded.applied,
          repeated: folded.repeated,
          parked: parked.length,
          ms: now() - started,
        });
        return;
      }
      // Another projector held the partition for a moment, or this one's commit got through after all.
      held.stored = (await repository.checkpoints()).get(partition)?.nextOffset ?? null;
      if (held.stored === null || (from !== null && held.stored < from)) {
        throw this.#resubscribe(`partition ${partition}'s stored offset moved back`);
      }
    }
    throw new Error(`partition ${partition} is being moved on by somebody else`);
  }

  /** Opens what changed of a row's texts; what did not change stays as it was read, or was forgotten. */
  async #opened(
    before: TokenRow | undefined,
    row: TokenRow,
    unreadable: Set<string>,
  ): Promise<TokenRow> {
    const { token } = row;
    if (!token) return row;
    const old = sealedTexts(before?.token ?? null);
    const current = sealedTexts(token);
    const open = async (text: keyof TokenTexts): Promise<string | null> => {
      const sealed = current[text];
      if (sealed === null) return null;
      if (before && sealed === old[text]) return before.texts[text];
      const opened = await this.#options.openSealed(token.userId, sealed);
      if (opened !== 'unreadable') return opened.text;
      unreadable.add(token.id);
      return null;
    };
    return withTexts(row, { name: await open('name'), note: await open('note') });
  }

  /** Once it is stored, so that what is tried again is not told twice. */
  async #tellOf(
    repository: TokenStatusRepository,
    parked: readonly ParkedRecord[],
    unreadable: ReadonlySet<string>,
  ): Promise<void> {
    for (const tokenId of unreadable) this.#observer.alarm?.({ kind: 'text-unreadable', tokenId });
    if (parked.length === 0) return;
    for (const record of parked) this.#observer.alarm?.({ kind: 'parked', record });
    // Only a number to show: stored is stored.
    this.#parked = await repository.parkedCount().catch(() => this.#parked + parked.length);
  }

  async #onHeartbeats(repository: TokenStatusRepository, { records }: Batch): Promise<void> {
    this.#refuseWhenHalted();
    this.#options.onStep('projector.heartbeat-received');
    for (const { value } of records) {
      const heartbeat = readHeartbeat(value);
      if (!heartbeat) continue;
      this.#epoch ??= await repository.settle('epoch', heartbeat.epoch);
      if (heartbeat.epoch !== this.#epoch) {
        this.#halt(`a heartbeat is of epoch ${heartbeat.epoch}, the read model of ${this.#epoch}`);
        this.#refuseWhenHalted();
      }
      this.#heartbeatAt = this.#options.now();
      this.#trail.note(heartbeat, this.#heartbeatAt);
    }
    await this.#advance(repository);
    this.#options.onStep('projector.advanced');
    this.#trouble.delete('heartbeats');
  }

  async #advance(repository: TokenStatusRepository): Promise<void> {
    const raised = new Map<number, number>();
    for (const [partition, { stored, heartbeatPosition }] of this.#held) {
      const position = this.#trail.passed(partition, stored);
      if (position > heartbeatPosition) raised.set(partition, position);
    }
    await repository.advance(raised);
    for (const [partition, position] of raised) {
      const held = this.#held.get(partition);
      if (held) this.#raise(held, position);
    }
  }

  #raise(held: HeldPartition, heartbeatPosition: number): void {
    held.heartbeatPosition = Math.max(held.heartbeatPosition, heartbeatPosition);
    const position = this.#position();
    if (position !== null) this.#trail.forgetUpTo(position);
  }

  /** Its message may hold an address or a credential, so only the observer gets to see it. */
  #retry(part: Part, fault: unknown): void {
    this.#trouble.set(part, fault instanceof Error ? fault.name : 'a fault');
    this.#observer.fault?.(fault);
  }

  #resubscribe(why: string): Error {
    this.#endSession();
    return new Resubscribe(why);
  }

  /** For good: nothing is applied any more, and the subscriptions end, not waiting for this. */
  #halt(why: string): void {
    if (this.#halted !== null) return;
    this.#halted = why;
    this.#observer.alarm?.({ kind: 'halted', why });
    this.#endSession();
  }

  #isHalted(): boolean {
    return this.#halted !== null;
  }

  #refuseWhenHalted(): void {
    if (this.#halted !== null) throw new Halted(this.#halted);
  }
}
