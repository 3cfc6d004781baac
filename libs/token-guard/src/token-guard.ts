import { setImmediate as nextTurn } from 'node:timers/promises';
import { readHeartbeat, topics as topicsUnder } from '@token-status/contracts';
import type { Topics, Verdict, VerificationKey } from '@token-status/contracts';
import { OffsetOutOfRange, createKafkaEventBus } from '@token-status/event-bus';
import type {
  Batch,
  EventBus,
  KafkaEventBusOptions,
  Offsets,
  Publisher,
  ReceivedRecord,
  TopicSpec,
} from '@token-status/event-bus';
import { systemClocks } from './clocks.js';
import type { Clocks } from './clocks.js';
import { CompactTable } from './compact-table.js';
import { bearerCredential, parseCredential } from './credential.js';
import { decide, decideAgain } from './decision.js';
import type { Decision, OnStale, TokenIdentity } from './decision.js';
import { FailureLimits } from './failure-limits.js';
import type { FailureLimit } from './failure-limits.js';
import { FreshnessProof } from './freshness.js';
import type { ClockOffset, Freshness } from './freshness.js';
import { Intake } from './intake.js';
import type { Alarm, IntakeCounts, ReadTo } from './intake.js';
import { KeptSubscription } from './kept-subscription.js';
import { SignatureCheck, WHY_UNVERIFIED, asRead, mayKeep } from './signature-check.js';
import { asError, within } from './retry.js';
import { loadSnapshot } from './snapshot.js';
import type { SnapshotContents } from './snapshot.js';
import { SnapshotSchedule } from './snapshot-schedule.js';
import type { ParkedToken, TokenChange, TokenCounts } from './token-table.js';

export interface TokenGuardOptions {
  /** Stays the caller's: `close()` of the guard leaves it open. */
  readonly bus: EventBus;
  readonly topics: Topics;
  /** Made where they are missing, before the first subscription; none by default. */
  readonly ensureTopics?: readonly TopicSpec[];
  /** 1 to 128 of `A-Za-z0-9._:-`, another for each process: the relay echoes probes by it. */
  readonly gatewayId: string;
  /** What stands before the user name in Basic (rule 12). Default `BOOMI_TOKEN.` */
  readonly basicPrefix?: string;
  /** Of the log (`precise.md` 5). Without it the first that is seen is adopted. */
  readonly epoch?: string;
  /** Older than this and nobody passes. Default 5000. */
  readonly maxStalenessMs?: number;
  /** A wall clock further from the relay's than this makes the guard stale. Default 500. */
  readonly maxClockErrorMs?: number;
  /** Default 250. */
  readonly probeEveryMs?: number;
  /** So long without anything new, while the broker has something new, and a subscription is made again. Default 2000. */
  readonly silentAfterMs?: number;
  readonly clocks?: Clocks;
  /** 0 ≤ value < 1, for jitter only. */
  readonly random?: () => number;
  /**
   * Where the table is kept over a restart, which then reads only what came since; of this process
   * alone. Who can write the file decides which tokens pass. Without it, every start reads the history.
   */
  readonly snapshot?: SnapshotOptions;
  /** Where {@link GuardConfiguration} has none. */
  readonly verificationKeys?: readonly VerificationKey[] | null;
  readonly onAlarm?: (alarm: Alarm) => void;
  /** Faults that are being retried: a broker that is away, say. */
  readonly onFault?: (fault: Error) => void;
}

/** Instead of a bus: where Kafka is. The guard makes its own bus, and closes it. */
export interface KafkaTokenGuardOptions extends Omit<TokenGuardOptions, 'bus' | 'topics'> {
  /** `clientId`: the gateway's id by default. */
  readonly kafka: Omit<KafkaEventBusOptions, 'clientId'> & { readonly clientId?: string };
  /** Default `topics()`: `api-token.events` and so on. */
  readonly topics?: Topics;
}

export interface SnapshotOptions {
  readonly file: string;
  /** Between two saves; one more is made when the guard is closed. Default 300,000. */
  readonly everyMs?: number;
}

/** What may change while a guard runs. */
export interface GuardConfiguration {
  /** null, and left out, is no limit. Replaced by another one, it begins anew. */
  readonly failureLimits?: FailureLimit | null;
  /**
   * By which events and heartbeats must be signed (`precise.md` 27). Left out, as at creation; null, nothing
   * is verified; none of them, nothing is believed. With others, what was read may have to be read again,
   * and nobody passes meanwhile; with more of them, only where something had not verified.
   */
  readonly verificationKeys?: readonly VerificationKey[] | null;
}

export interface CheckInput {
  /** Every value of the request's `Authorization` header: more than one is malformed. */
  readonly authorization?: string | readonly string[] | undefined;
  /** Instead: a secret by itself, as introspection is given it; judged as by Bearer. */
  readonly secret?: string;
  /** The answer must be at least as new as this position of the log. */
  readonly minPosition?: number;
  /** Default `deny`. */
  readonly onStale?: OnStale;
  /** Of who presents it: what limits on failures go by; a function is called for failures only. */
  readonly address?: string | (() => string | undefined) | undefined;
}

export interface GuardState {
  readonly gatewayId: string;
  readonly state: Freshness['state'];
  /** null when fresh. */
  readonly why: string | null;
  /** Since the newest proof; null before the first. */
  readonly ageMs: number | null;
  readonly epoch: string | null;
  readonly watermark: number;
  /** The highest head of the log that a heartbeat told of; null before the first. */
  readonly headPosition: number | null;
  /** The relay's clock less ours; null before the first exchange. */
  readonly clockOffset: ClockOffset | null;
  readonly tokens: TokenCounts;
  /** The first 20. */
  readonly parkedTokens: readonly ParkedToken[];
  readonly events: IntakeCounts;
  /** Ids of the keys by which events and heartbeats must be signed; null where nothing is verified. */
  readonly verificationKeyIds: readonly string[] | null;
  /** Events topic: partition → next offset. */
  readonly offsets: Offsets;
  readonly alarms: number;
  /** Subscriptions made again because they had gone silent. */
  readonly rebuilds: number;
  /** null where none is configured. */
  readonly snapshot: SnapshotState | null;
}

export interface SnapshotState {
  /** What became of the file at the start. */
  readonly start: 'loading' | 'loaded' | 'none' | 'refused';
  /** Of the newest one; RFC 3339. null before the first. */
  readonly savedAt: string | null;
  readonly savedBytes: number | null;
}

/** `disabled`, `enabled`, `revoked`, `parked`: a token's id. `stale`: why. `closed`: nothing is told any more. */
export interface GuardEvents {
  disabled: [tokenId: string];
  enabled: [tokenId: string];
  revoked: [tokenId: string];
  parked: [tokenId: string];
  stale: [why: string];
  fresh: [];
  closed: [];
}

type Listeners = { readonly [E in keyof GuardEvents]: ((...args: GuardEvents[E]) => void)[] };

export interface TokenGuard {
  /** Resolves when the guard is fresh for the first time; rejects when it is closed before that. */
  ready(): Promise<void>;
  /** Whether a credential passes, now. In memory; never throws; the same for every surface. */
  check(input: CheckInput): Decision;
  /**
   * Whether a token that has passed would pass now, without its credential; of one that a route let pass
   * on a stale view, as of any, it is `unavailable` while the view is stale.
   */
  recheck(token: Pick<TokenIdentity, 'tokenId'>): Decision;
  /** Replaces what was configured before, from the next check on. @throws nothing. */
  configure(configuration: GuardConfiguration): void;
  freshness(): Freshness;
  state(): GuardState;
  /** What it judges expiry and ages by. */
  readonly clocks: Clocks;
  /**
   * Changes of tokens are told from the first `fresh` on, and not while the history is read again:
   * after `stale`, who holds something open checks it anew on `fresh`.
   */
  on<E extends keyof GuardEvents>(
    event: E,
    listener: (...args: GuardEvents[E]) => void,
  ): TokenGuard;
  /** Resolves when nothing is read or sent any more. Idempotent. */
  close(): Promise<void>;
}

const CHANGES_TOLD: Partial<
  Record<TokenChange | 'parked', 'disabled' | 'enabled' | 'revoked' | 'parked'>
> = {
  disabled: 'disabled',
  enabled: 'enabled',
  revoked: 'revoked',
  parked: 'parked',
};

/** A batch is taken in slices, so that checks are answered while the history is read. */
const SLICE = 200;
const SUBSCRIBE_TIMEOUT_MS = 60_000;
const ASK_TIMEOUT_MS = 5_000;
const TOPIC_CHECK_EVERY_MS = 30_000;
const PROBE_TIMEOUT_MS = 1_000;
/** Probes on their way to the broker at once; more say nothing more. */
const MAX_PROBES_IN_FLIGHT = 4;

/** Starts at once, and goes on trying where the broker is away: until then every check is `unavailable`. */
export function createTokenGuard(options: TokenGuardOptions | KafkaTokenGuardOptions): TokenGuard {
  if ('bus' in options) return new Guard(options).start();
  const { kafka, ...others } = options;
  const bus = createKafkaEventBus({ clientId: options.gatewayId, ...kafka });
  return new Guard({ topics: topicsUnder(), ...others, bus }, bus).start();
}

/** Those that may be left out and have no default. */
type OptionsLeftOut = Pick<
  TokenGuardOptions,
  'ensureTopics' | 'epoch' | 'snapshot' | 'verificationKeys' | 'onAlarm' | 'onFault'
>;

class Guard implements TokenGuard {
  readonly #options: Required<Omit<TokenGuardOptions, keyof OptionsLeftOut>> & OptionsLeftOut;
  readonly #listeners: Listeners = {
    disabled: [],
    enabled: [],
    revoked: [],
    parked: [],
    stale: [],
    fresh: [],
    closed: [],
  };
  readonly #events: KeptSubscription;
  readonly #heartbeats: KeptSubscription;
  readonly #ready: Promise<void>;
  #settleReady!: { resolve: () => void; reject: (why: Error) => void };
  #intake: Intake<CompactTable>;
  #proof: FreshnessProof;
  #timer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | null = null;
  #told: Freshness['state'] = 'starting';
  #failureLimit: FailureLimit | null = null;
  #failures: FailureLimits | null = null;
  #signatures: SignatureCheck | null;
  /** The history is being read for the first time, or again. */
  #replaying = true;
  #publisher: Promise<Publisher> | null = null;
  #connected: Publisher | null = null;
  #probesInFlight = 0;
  #topicsEnsured: Promise<void> | null = null;
  #topicId: string | null = null;
  #topicCheckedAt = 0;
  #heartbeatAt: number;
  #eventAt: number;
  #watching = false;
  readonly #alarmedOnce = new Set<Alarm['code']>();
  #alarms = 0;
  #rebuilds = 0;
  #snapshot: SnapshotState | null = null;
  readonly #snapshots: SnapshotSchedule | null;
  #loading: Promise<void> | null = null;
  readonly #stopLoading = new AbortController();
  /** What the newest snapshot, and the one that is being made, hold. */
  #savedMark = '';
  #savingMark = '';

  /** @param ownBus ends with the guard. */
  constructor(
    options: TokenGuardOptions,
    private readonly ownBus?: EventBus,
  ) {
    this.#options = {
      basicPrefix: 'BOOMI_TOKEN.',
      maxStalenessMs: 5000,
      maxClockErrorMs: 500,
      probeEveryMs: 250,
      silentAfterMs: 2000,
      clocks: systemClocks,
      random: Math.random,
      ...options,
    };
    this.#ready = new Promise((resolve, reject) => (this.#settleReady = { resolve, reject }));
    // Nobody has to wait for it.
    this.#ready.catch(() => undefined);
    this.#signatures = checkBy(options.verificationKeys ?? null);
    this.#proof = this.#newProof(options.epoch ?? null);
    this.#intake = this.#newIntake();
    this.#heartbeatAt = this.#eventAt = this.#options.clocks.monotonic();
    const retry = { firstMs: 250, maxMs: 5000, random: this.#options.random };
    const { bus, topics } = this.#options;
    const shared = { bus, retry, subscribeTimeoutMs: SUBSCRIBE_TIMEOUT_MS };
    this.#events = new KeptSubscription({
      ...shared,
      topic: topics.events,
      prepare: () => this.#prepare(),
      startAt: (partition) => this.#intake.positions.get(partition) ?? 'earliest',
      onBatch: (batch) => this.#takeEvents(batch),
      // Silence counts from here: joining may have taken longer than that.
      onSubscribed: () => (this.#eventAt = this.#options.clocks.monotonic()),
      onFault: (fault, ended) => {
        this.#options.onFault?.(fault);
        if (ended && fault instanceof OffsetOutOfRange) this.#readAgain(fault.message);
      },
    });
    this.#heartbeats = new KeptSubscription({
      ...shared,
      topic: topics.heartbeats,
      prepare: () => this.#ensureTopics(),
      startAt: () => 'latest',
      onBatch: (batch) => this.#takeHeartbeats(batch),
      onSubscribed: () => (this.#heartbeatAt = this.#options.clocks.monotonic()),
      onFault: (fault) => this.#options.onFault?.(fault),
    });
    this.#snapshots = this.#scheduleSnapshots();
  }

  start(): this {
    this.#loading = this.#load();
    this.#snapshots?.start();
    this.#events.start();
    this.#heartbeats.start();
    this.#timer = setInterval(() => this.#tick(), this.#options.probeEveryMs);
    return this;
  }

  ready(): Promise<void> {
    return this.#ready;
  }

  check({
    authorization,
    secret,
    minPosition = 0,
    onStale = 'deny',
    address,
  }: CheckInput): Decision {
    const { basicPrefix, clocks } = this.#options;
    const now = clocks.wall();
    const decision = decide({
      credential:
        secret === undefined
          ? parseCredential(authorization, basicPrefix)
          : bearerCredential(secret),
      freshness: this.#proof.judge(clocks.monotonic(), now),
      table: this.#intake.table,
      watermark: this.#intake.watermark,
      minPosition,
      onStale,
      now,
    });
    if (decision.outcome !== 'stranger' || !this.#failures) return decision;
    const from = typeof address === 'function' ? address() : address;
    if (from === undefined) return decision;
    const waitMs = this.#failures.fail(from, clocks.monotonic());
    if (waitMs === 0) return decision;
    return {
      ...decision,
      outcome: 'limited',
      retryAfterSecs: Math.ceil(waitMs / 1000),
    };
  }

  recheck({ tokenId }: Pick<TokenIdentity, 'tokenId'>): Decision {
    const { table } = this.#intake;
    const now = this.clocks.wall();
    return decideAgain({ tokenId, freshness: this.#proof.judge(), table, now });
  }

  configure({ failureLimits = null, verificationKeys }: GuardConfiguration): void {
    // What was given at creation is not lost by configuring something else.
    const asCreated = this.#options.verificationKeys ?? null;
    this.#verifyBy(verificationKeys === undefined ? asCreated : verificationKeys);
    const before = this.#failureLimit;
    this.#failureLimit = failureLimits;
    // The same limit again, with other things about it, must not forgive what was counted.
    if (before?.burst !== failureLimits?.burst || before?.perMinute !== failureLimits?.perMinute) {
      this.#failures = failureLimits && new FailureLimits(failureLimits);
    }
  }

  get clocks(): Clocks {
    return this.#options.clocks;
  }

  freshness(): Freshness {
    return this.#proof.judge();
  }

  state(): GuardState {
    const freshness = this.#proof.judge();
    return {
      gatewayId: this.#options.gatewayId,
      state: freshness.state,
      why: freshness.state === 'fresh' ? null : freshness.why,
      ageMs: freshness.ageMs,
      epoch: this.#proof.epoch,
      watermark: this.#intake.watermark,
      headPosition: this.#proof.newestPosition,
      clockOffset: this.#proof.clockOffset(),
      tokens: this.#intake.table.counts(),
      parkedTokens: this.#intake.table.parked(20),
      events: this.#intake.counts,
      verificationKeyIds: this.#signatures?.keyids ?? null,
      offsets: new Map(this.#intake.positions),
      alarms: this.#alarms,
      rebuilds: this.#rebuilds,
      snapshot: this.#snapshot,
    };
  }

  on<E extends keyof GuardEvents>(event: E, listener: (...args: GuardEvents[E]) => void): this {
    this.#listeners[event].push(listener);
    return this;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    this.#emit('closed');
    this.#stopLoading.abort();
    this.#settleReady.reject(new Error('the token guard was closed'));
    await Promise.all([this.#events.close(), this.#heartbeats.close()]);
    await this.#loading;
    // The last thing that was read is in it.
    await this.#snapshots?.close();
    // One that is still connecting is left to the bus, whose close ends it.
    await this.#connected?.close();
    await this.ownBus?.close();
  }

  // Reading

  async #takeEvents({ records, partition, nextOffset, signal }: Batch): Promise<void> {
    // The intake of the moment: should the history be read again meanwhile, this batch is not part of it.
    const intake = this.#intake;
    const isOver = (): boolean => signal.aborted || intake !== this.#intake;
    for (let from = 0; from < records.length; from += SLICE) {
      if (isOver()) return;
      let slice = records.slice(from, from + SLICE);
      if (this.#signatures) slice = slice.map(asRead);
      const verdicts = this.#signatures && (await this.#verdictsOn(slice));
      if (isOver()) return;
      intake.take(slice, verdicts);
      this.#eventAt = this.#options.clocks.monotonic();
      this.#proof.reach(intake.watermark);
      if (from + SLICE < records.length) await nextTurn();
    }
    intake.goOnFrom(partition, nextOffset);
    this.#tellTransition();
  }

  /** By the keys that are set when all are there: a record must not be judged by those of before. */
  async #verdictsOn(slice: readonly ReceivedRecord[]): Promise<readonly Verdict[] | null> {
    for (;;) {
      const signatures = this.#signatures;
      const verdicts = await signatures?.verdictsOnEvents(slice, this.#options.topics.events);
      if (signatures === this.#signatures) return verdicts ?? null;
    }
  }

  async #takeHeartbeats({ records }: Batch): Promise<void> {
    for (const record of records) {
      if (this.#signatures && !(await this.#isVerified(record))) continue;
      const heartbeat = readHeartbeat(record.value);
      // What is no heartbeat proves nothing: as good as not sent.
      if (!heartbeat) continue;
      this.#heartbeatAt = this.#options.clocks.monotonic();
      if (this.#proof.accepts(heartbeat.epoch)) {
        this.#proof.hear(heartbeat, this.#intake.watermark);
      } else {
        this.#alarmOnce('foreign-epoch', 'a heartbeat of another log came');
      }
    }
    this.#tellTransition();
  }

  /** A heartbeat that is not is as good as not sent: it proves nothing, and brings no epoch. */
  async #isVerified(record: ReceivedRecord): Promise<boolean> {
    const signatures = this.#signatures;
    const verdict = await signatures?.verdictOnHeartbeat(record, this.#options.topics.heartbeats);
    // By keys that are not set any more: the next heartbeat comes soon.
    if (verdict === undefined || signatures !== this.#signatures) return false;
    if (verdict === 'verified') return true;
    this.#alarmOnce(
      'heartbeat-unverified',
      `a heartbeat proves nothing: ${WHY_UNVERIFIED[verdict]}`,
    );
    return false;
  }

  /** Before each subscription to the events: offsets mean something only in the topic they are from. */
  async #prepare(): Promise<void> {
    await this.#ensureTopics();
    const { bus, topics } = this.#options;
    const topicId = await bus.topicId(topics.events);
    // It brings the offsets to start from, and the id of the topic that they are from.
    await this.#loading;
    this.#checkTopic(topicId);
  }

  /** Once: what is missing later was there, and is for an operator to look at. */
  async #ensureTopics(): Promise<void> {
    const { bus, ensureTopics = [] } = this.#options;
    const ensuring = (this.#topicsEnsured ??= bus.ensureTopics(ensureTopics));
    try {
      await ensuring;
    } catch (fault) {
      this.#topicsEnsured = null;
      throw fault;
    }
  }

  #checkTopic(topicId: string): boolean {
    this.#topicCheckedAt = this.#options.clocks.monotonic();
    const same = this.#topicId === null || this.#topicId === topicId;
    this.#topicId = topicId;
    if (!same) this.#readAgain('the events topic is another one under the same name');
    return same;
  }

  /** Forgets all and reads the history from its beginning; nobody passes until that is proven complete. */
  #readAgain(why: string, epoch = this.#proof.epoch): void {
    // Where nothing has been read yet, there is nothing to be alarmed at.
    if (this.#intake.positions.size > 0) {
      this.#alarm({ code: 'history-replaced', message: `${why}: reading everything again` });
    }
    this.#replaying = true;
    // The epoch stays: only configuration may change logs.
    this.#proof = this.#newProof(epoch);
    this.#intake = this.#newIntake();
    this.#tellTransition();
  }

  #verifyBy(keys: readonly VerificationKey[] | null): void {
    const before = this.#signatures;
    const now = checkBy(keys);
    if (before?.fingerprints.join() === now?.fingerprints.join()) return;
    this.#signatures = now;
    this.#alarmedOnce.delete('heartbeat-unverified');
    if (!now) {
      const message = 'no keys are set any more: events and heartbeats are not verified';
      this.#alarm({ code: 'verification-off', message });
    }
    const read = {
      verifiedBy: before?.fingerprints ?? null,
      unverified: this.#intake.readTo.unverified ?? 0,
    };
    if (mayKeep(read, now?.fingerprints ?? null)) return;
    // Without keys, a batch is taken as it comes: there is none in hand that was not looked at.
    const untouched = before === null && this.#intake.positions.size === 0;
    // An epoch may have been adopted from what would not be believed now.
    this.#readAgain('the verification keys are others', this.#options.epoch ?? null);
    if (!untouched) this.#events.rebuild();
  }

  #newProof(epoch: string | null): FreshnessProof {
    const { gatewayId, maxStalenessMs, maxClockErrorMs, clocks } = this.#options;
    return new FreshnessProof({ gatewayId, epoch, maxStalenessMs, maxClockErrorMs, clocks });
  }

  #newIntake(table = new CompactTable(), from?: ReadTo): Intake<CompactTable> {
    const proof = this.#proof;
    const hooks = {
      acceptsEpoch: (epoch: string) => proof.accepts(epoch),
      onBroken: (why: string) => proof.fail(why),
      onAlarm: (alarm: Alarm) => this.#alarm(alarm),
      onChange: (tokenId: string, change: TokenChange | 'parked') => {
        const event = CHANGES_TOLD[change];
        if (event && !this.#replaying) this.#emit(event, tokenId);
      },
    };
    return new Intake(table, hooks, from);
  }

  // Saving and loading

  /** Never rejects: without a snapshot that can be used, the history is read from its beginning. */
  async #load(): Promise<void> {
    const { snapshot, topics } = this.#options;
    if (!snapshot) return;
    this.#snapshot = { start: 'loading', savedAt: null, savedBytes: null };
    const signatures = this.#signatures;
    const keys = signatures?.fingerprints ?? null;
    const expected = { topic: topics.events, epoch: this.#proof.epoch, keys };
    try {
      const loaded = await loadSnapshot(snapshot.file, expected, this.#stopLoading.signal);
      if (loaded.kind === 'loaded') {
        const { source, table, readTo, savedAt } = loaded;
        // A heartbeat may have told the epoch meanwhile.
        if (this.#signatures !== signatures) {
          this.#refuseSnapshot('the verification keys were replaced while it was loaded');
        } else if (this.#proof.epoch === null || this.#proof.epoch === source.epoch) {
          this.#proof.accepts(source.epoch);
          this.#topicId = source.topicId;
          this.#intake = this.#newIntake(table, readTo);
          this.#proof.reach(this.#intake.watermark);
          this.#savedMark = this.#mark();
          this.#snapshot = { ...this.#snapshot, start: 'loaded', savedAt };
        } else {
          this.#refuseSnapshot('it is of another log (epoch)');
        }
      } else if (loaded.kind === 'refused') {
        this.#refuseSnapshot(loaded.why);
      } else {
        this.#snapshot = { ...this.#snapshot, start: 'none' };
      }
    } catch (fault) {
      if (!this.#closing) this.#refuseSnapshot(asError(fault).message);
    }
  }

  #refuseSnapshot(why: string): void {
    this.#snapshot = { start: 'refused', savedAt: null, savedBytes: null };
    this.#alarm({
      code: 'snapshot-refused',
      message: `the snapshot is not used: ${why}; reading the history from its beginning`,
    });
  }

  #scheduleSnapshots(): SnapshotSchedule | null {
    const { snapshot, random } = this.#options;
    if (!snapshot) return null;
    return new SnapshotSchedule({
      file: snapshot.file,
      everyMs: snapshot.everyMs ?? 300_000,
      random,
      contents: () => this.#toSave(),
      onSaved: (savedBytes) => {
        this.#savedMark = this.#savingMark;
        const savedAt = new Date(this.#options.clocks.wall()).toISOString();
        this.#snapshot = { start: 'none', ...this.#snapshot, savedAt, savedBytes };
      },
      onFault: (fault) =>
        this.#alarm({
          code: 'snapshot-not-saved',
          message: `the table could not be saved: ${fault.message}`,
        }),
    });
  }

  #toSave(): SnapshotContents | null {
    const { epoch } = this.#proof;
    const { table, readTo, counts } = this.#intake;
    const topicId = this.#topicId;
    if (epoch === null || topicId === null || this.#snapshot?.start === 'loading') return null;
    // It has read past something that it can't trust itself after; a restart is to come upon that again.
    if (counts.rejected > 0) return null;
    this.#savingMark = this.#mark();
    if (this.#savingMark === this.#savedMark) return null;
    const source = { epoch, topicId, topic: this.#options.topics.events };
    return { table, readTo, source, verifiedBy: this.#signatures?.fingerprints ?? null };
  }

  /** Another one wherever there is something new to save. */
  #mark(): string {
    const next = [...this.#intake.positions].map(([partition, offset]) => `${partition}:${offset}`);
    const keys = this.#signatures?.fingerprints.join() ?? '';
    return `${this.#topicId ?? ''} ${keys} ${next.sort().join(' ')}`;
  }

  // Proving

  #tick(): void {
    void this.#sendProbe();
    this.#tellTransition();
    void this.#watch();
  }

  async #sendProbe(): Promise<void> {
    if (this.#probesInFlight >= MAX_PROBES_IN_FLIGHT) return;
    this.#probesInFlight++;
    try {
      const publisher = await within(ASK_TIMEOUT_MS, 'connecting', this.#connectedPublisher());
      if (this.#closing) return;
      // Only now: time spent on connecting would count against the proof.
      const probe = this.#proof.probe();
      const record = { key: this.#options.gatewayId, headers: {}, value: JSON.stringify(probe) };
      const sending = publisher.publish(this.#options.topics.probes, [record]);
      // One that hangs must not keep the next ones back.
      await within(PROBE_TIMEOUT_MS, 'sending a probe', sending);
    } catch (fault) {
      // The next probe is as good; without any, the guard goes stale by itself.
      if (!this.#closing) this.#options.onFault?.(asError(fault));
    } finally {
      this.#probesInFlight--;
    }
  }

  #connectedPublisher(): Promise<Publisher> {
    if (!this.#publisher) {
      const connecting = this.#options.bus.publisher();
      this.#publisher = connecting;
      connecting.then(
        (publisher) => {
          this.#connected = publisher;
        },
        () => {
          this.#publisher = null;
        },
      );
    }
    return this.#publisher;
  }

  // Watching (`precise.md` 11)

  /**
   * A consumer may stall for hours without an error, and heartbeats are the only witness. Its
   * subscription is made again only while the broker has something that it has not read: where the
   * relay or the broker is away, a new consumer would help nobody.
   */
  async #watch(): Promise<void> {
    if (this.#watching) return;
    this.#watching = true;
    try {
      const { clocks, silentAfterMs, topics } = this.#options;
      const now = clocks.monotonic();
      if (now - this.#heartbeatAt > silentAfterMs) {
        this.#heartbeatAt = now;
        if (await this.#hasMore(topics.heartbeats, this.#heartbeats.positions())) {
          this.#rebuild(this.#heartbeats, topics.heartbeats);
        }
      }
      const behind = (this.#proof.newestPosition ?? 0) > this.#intake.watermark;
      if (behind && now - this.#eventAt > silentAfterMs) {
        this.#eventAt = now;
        if (await this.#hasMore(topics.events, this.#events.positions())) {
          this.#rebuild(this.#events, topics.events);
        }
      }
      if (this.#topicId !== null && now - this.#topicCheckedAt > TOPIC_CHECK_EVERY_MS) {
        this.#topicCheckedAt = now;
        const ask = this.#options.bus.topicId(topics.events);
        const topicId = await within(ASK_TIMEOUT_MS, 'asking for the topic id', ask);
        if (!this.#checkTopic(topicId)) this.#events.rebuild();
      }
    } catch (fault) {
      this.#options.onFault?.(asError(fault));
    } finally {
      this.#watching = false;
    }
  }

  async #hasMore(topic: string, positions: Offsets | null): Promise<boolean> {
    // Without a subscription, one is being made already.
    if (!positions) return false;
    const ask = this.#options.bus.ends(topic);
    const ends = await within(ASK_TIMEOUT_MS, `asking for the ends of ${topic}`, ask);
    for (const [partition, end] of ends) {
      if (end > (positions.get(partition) ?? 0n)) return true;
    }
    return false;
  }

  #rebuild(subscription: KeptSubscription, topic: string): void {
    this.#rebuilds++;
    this.#alarm({
      code: 'consumer-silent',
      message: `nothing came from ${topic} though there is more: subscribing again`,
    });
    subscription.rebuild();
  }

  // Telling

  #tellTransition(): void {
    const freshness = this.#proof.judge();
    if (freshness.state === 'fresh') {
      this.#replaying = false;
      this.#settleReady.resolve();
    }
    const before = this.#told;
    this.#told = freshness.state;
    if (before === freshness.state) return;
    if (freshness.state === 'fresh') this.#emit('fresh');
    else if (before === 'fresh') this.#emit('stale', freshness.why);
  }

  #emit<E extends keyof GuardEvents>(event: E, ...args: GuardEvents[E]): void {
    for (const listener of this.#listeners[event]) {
      try {
        listener(...args);
      } catch (fault) {
        // It must not stop the reading, nor the other listeners.
        this.#alarm({ code: 'listener-failed', message: `${event}: ${asError(fault).message}` });
      }
    }
  }

  #alarmOnce(code: Alarm['code'], message: string): void {
    if (this.#alarmedOnce.has(code)) return;
    this.#alarmedOnce.add(code);
    this.#alarm({ code, message });
  }

  #alarm(alarm: Alarm): void {
    this.#alarms++;
    this.#options.onAlarm?.(alarm);
  }
}

const checkBy = (keys: readonly VerificationKey[] | null): SignatureCheck | null =>
  keys && new SignatureCheck(keys);
