import { setTimeout as delay } from 'node:timers/promises';
import type { RecordedEvent } from '@token-status/contracts';
import { eventIdOf } from './command-id.js';
import {
  CommitTooLarge,
  LogCorrupt,
  LogOverloaded,
  LogUnavailable,
  OutcomeUnknown,
} from './event-log.js';
import type { Decided, EventDraft, Submission } from './event-log.js';
import { FoldCache } from './fold-cache.js';
import type { CachedFold } from './fold-cache.js';
import { canonicalEvent, chainHash } from './hash-chain.js';
import type { CommandKey, CommitBatch, Head, LogStore, StoredOutcome } from './log-store.js';

export interface WriterOptions {
  /** Commands decided together at most. */
  readonly maxGroup?: number;
  /** A commit's bounds; the rest of a group waits for the next. */
  readonly maxCommitEvents?: number;
  readonly maxCommitBytes?: number;
  /** Commands that may wait; one more is refused at once. */
  readonly maxWaiting?: number;
  /** After which a command is answered, whatever the store does. */
  readonly timeoutMs?: number;
  /** States that are kept between commands. */
  readonly maxFolds?: number;
  readonly observer?: LogObserver;
  readonly random?: () => number;
}

/** What happens, for metrics and logs; never called with data. */
export interface LogObserver {
  committed?(commit: {
    readonly events: number;
    readonly commands: number;
    readonly ms: number;
  }): void;
  /** Another writer was first. */
  conflict?(): void;
  /** A commit's outcome isn't known yet, or the store is out of reach; it is tried again. */
  fault?(fault: unknown): void;
}

type AnySubmission = Submission<unknown, unknown>;
type AnyDecided = Decided<unknown, unknown>;

/** A command whose key was answered before. */
interface Repeat {
  readonly submission: AnySubmission;
  readonly outcome: StoredOutcome;
}

/** A command as of a position. */
interface Then {
  readonly submission: AnySubmission;
  readonly position: number;
}

interface Waiting {
  readonly submission: AnySubmission;
  readonly foldKey: string;
  readonly answer: (decided: AnyDecided) => void;
  readonly fail: (fault: Error) => void;
  /** Answered: by the log, or by its time limit. */
  settled: boolean;
  /** In a commit whose outcome isn't known: past its time limit it may still be recorded. */
  inFlight: boolean;
}

interface Group {
  readonly batch: CommitBatch;
  readonly answers: ReadonlyMap<Waiting, AnyDecided>;
  /** The folds' states after the batch. */
  readonly states: ReadonlyMap<CachedFold, unknown>;
  readonly head: Head;
}

const PAGE = 1000;
/** Beyond so many events of others, folding anew is quicker than following. */
const MAX_CATCH_UP = 20_000;
/** How long after a conflict a writer expects the next one. */
const CONTENDED_MS = 1000;
/** Tags in one query. */
const MAX_TAGS = 1000;

/**
 * The one writer of a process (decision 1): takes all commands that wait, decides them in order, each
 * on the earlier ones' events, and commits what they decided together. Holding position p + 1 proves
 * that nothing came since p, so conditions cost no round trip.
 */
export class LogWriter {
  readonly #store: LogStore;
  readonly #options: Required<Omit<WriterOptions, 'observer'>>;
  readonly #observer: LogObserver;
  readonly #folds: FoldCache;
  readonly #closing = new AbortController();
  #queue: Waiting[] = [];
  #running: Promise<void> | null = null;
  #head: Head | null = null;
  #conflictAt = -Infinity;
  /** When a closing writer stops seeking what became of its commit. */
  #closeBy = Infinity;
  /** In a row. */
  #losses = 0;

  constructor(store: LogStore, options: WriterOptions = {}) {
    this.#store = store;
    this.#options = {
      maxGroup: options.maxGroup ?? 512,
      maxCommitEvents: options.maxCommitEvents ?? 1000,
      maxCommitBytes: options.maxCommitBytes ?? 4 * 1024 * 1024,
      maxWaiting: options.maxWaiting ?? 10_000,
      timeoutMs: options.timeoutMs ?? 5000,
      // A group's own states must all fit, or one would miss an earlier command's event.
      maxFolds: Math.max(options.maxFolds ?? 50_000, 2 * (options.maxGroup ?? 512)),
      random: options.random ?? Math.random,
    };
    this.#observer = options.observer ?? {};
    this.#folds = new FoldCache(this.#options.maxFolds);
  }

  submit<State, Refusal>(submission: Submission<State, Refusal>): Promise<Decided<State, Refusal>> {
    if (this.#closing.signal.aborted) throw new LogUnavailable('the log is closing');
    if (this.#queue.length >= this.#options.maxWaiting) {
      this.#queue = this.#queue.filter((waiting) => !waiting.settled);
    }
    if (this.#queue.length >= this.#options.maxWaiting) {
      throw new LogOverloaded(`${this.#queue.length} commands wait already`);
    }
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        submission: submission as AnySubmission,
        foldKey: FoldCache.key(submission.fold, submission.tags),
        answer: (decided) => {
          if (settle()) resolve(decided as Decided<State, Refusal>);
        },
        fail: (fault) => {
          if (settle()) reject(fault);
        },
        settled: false,
        inFlight: false,
      };
      const timer = setTimeout(() => waiting.fail(timedOut(waiting)), this.#options.timeoutMs);
      const settle = (): boolean => {
        if (waiting.settled) return false;
        waiting.settled = true;
        clearTimeout(timer);
        return true;
      };
      this.#queue.push(waiting);
      this.#running ??= this.#run();
    });
  }

  /** Finishes the commit in hand, within the time limit; what waits behind it is refused. */
  async close(): Promise<void> {
    this.#closeBy = Math.min(this.#closeBy, performance.now() + this.#options.timeoutMs);
    this.#closing.abort();
    for (const waiting of this.#queue.splice(0)) waiting.fail(timedOut(waiting));
    await this.#running;
  }

  async #run(): Promise<void> {
    // Let all that was submitted in this turn of the event loop join the first commit.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const group = this.#queue.splice(0, this.#options.maxGroup);
      try {
        await this.#settle(group);
      } catch (fault) {
        this.#observer.fault?.(fault);
        this.#forget();
        for (const waiting of group) {
          waiting.fail(waiting.inFlight ? timedOut(waiting) : asError(fault));
        }
      }
      // Who has just won lets the others in: without it a loser starves (decision 1).
      if (this.#contended) await this.#yield();
    }
    this.#running = null;
  }

  get #contended(): boolean {
    return performance.now() - this.#conflictAt < CONTENDED_MS;
  }

  #forget(): void {
    this.#head = null;
    this.#folds.clear();
  }

  /** Decides and commits, again and again, until each of the group has its answer. */
  async #settle(group: readonly Waiting[]): Promise<void> {
    let faults = 0;
    for (;;) {
      const open = group.filter((waiting) => !waiting.settled);
      if (open.length === 0) return;
      try {
        await this.#attempt(open);
        faults = 0;
      } catch (fault) {
        if (fault instanceof LogCorrupt || fault instanceof OutcomeUnknown) throw fault;
        // Nothing of this attempt was written: what is in flight has its own loop.
        this.#observer.fault?.(fault);
        this.#forget();
        if (this.#closing.signal.aborted) throw new LogUnavailable('the log is closing');
        await this.#backOff(faults++);
      }
    }
  }

  /**
   * One round. `fenced` where a majority write was made, and the log read, since the commands came:
   * then what they found needs no event to be true (`precise.md` 3).
   */
  async #attempt(open: readonly Waiting[], fenced = false): Promise<void> {
    const known = this.#head;
    if (!known) this.#head = await this.#store.fence();
    else if (this.#contended && !fenced) await this.#catchUp(known);

    const undecided = onceEach(await this.#answerRepeatedKeys(open));
    if (undecided.length === 0) return;
    const group = this.#decide(undecided, await this.#load(undecided));
    if (group.answers.size === 0) return;

    if (group.batch.events.length > 0) {
      if (!(await this.#commit(group))) return;
    } else if (!fenced) {
      const head = await this.#store.fence();
      if (head.position !== group.head.position) await this.#catchUp(group.head);
      return this.#attempt(undecided, true);
    } else if (group.batch.outcomes.length > 0) {
      // Lost only to the same key's outcome, which the next round finds.
      if ((await this.#store.commit(group.batch)) === 'lost') return;
    }
    this.#head = group.head;
    for (const [entry, state] of group.states) entry.state = state;
    for (const [waiting, decided] of group.answers) waiting.answer(decided);
  }

  async #commit({ batch, answers }: Group): Promise<boolean> {
    const started = performance.now();
    for (const waiting of answers.keys()) waiting.inFlight = true;
    const committed = await this.#commitUntilKnown(batch);
    for (const waiting of answers.keys()) waiting.inFlight = false;
    if (committed) {
      this.#losses = 0;
      this.#observer.committed?.({
        events: batch.events.length,
        commands: answers.size,
        ms: performance.now() - started,
      });
      return true;
    }
    this.#conflictAt = performance.now();
    this.#observer.conflict?.();
    const before = this.#head ?? unreachable();
    await this.#catchUp(before);
    const blind = this.#head?.position === before.position;
    // It may have been lost to an earlier try of one of its own commands, and would be for ever.
    if (blind || ++this.#losses % 3 === 0) await this.#answerRepeatedIds([...answers.keys()]);
    // Nothing to see yet: who was first has not finished. Asking on and on would only slow it down.
    if (blind) await this.#yield();
    return false;
  }

  /**
   * `precise.md` 2: after an unknown outcome, reading doesn't fence, since a delayed write may still
   * arrive. So the same events go to the same positions until either they or another's are there.
   *
   * @returns whether this batch is what was written.
   */
  async #commitUntilKnown(batch: CommitBatch): Promise<boolean> {
    let unknown = 0;
    for (;;) {
      try {
        if ((await this.#store.commit(batch)) === 'committed') return true;
        if (unknown === 0) return false;
        const there = await this.#whatIsThere(batch);
        if (there !== 'nothing') return there === 'ours';
      } catch (fault) {
        this.#observer.fault?.(fault);
      }
      if (performance.now() > this.#closeBy) {
        throw new OutcomeUnknown('the log is closing, and its database did not answer');
      }
      await this.#backOff(unknown++);
    }
  }

  async #whatIsThere(batch: CommitBatch): Promise<'ours' | 'another' | 'nothing'> {
    await this.#store.fence();
    const [first] = batch.events;
    if (!first) return 'another';
    // The same command, recorded elsewhere, keeps ours out for ever, a delayed one included.
    const repeated = await this.#store.readByIds(batch.events.map((event) => event.id));
    const answered = await this.#store.outcomes(batch.outcomes);
    // Last: a delayed write of ours may land between two of these, and is then found as what it is.
    const [there] = await this.#store.read(first.position - 1, 1);
    if (there) return there.hash === first.hash ? 'ours' : 'another';
    return repeated.length + answered.length > 0 ? 'another' : 'nothing';
  }

  /** Reads what others appended since a head, and folds it into the states that are kept. */
  async #catchUp(from: Head): Promise<void> {
    let head = from;
    for (let read = 0; read < MAX_CATCH_UP;) {
      const events = await this.#store.read(head.position, PAGE);
      for (const event of events) {
        head = follows(head, event);
        this.#folds.apply(event);
      }
      this.#head = head;
      if (events.length < PAGE) return;
      read += events.length;
    }
    this.#forget();
    this.#head = await this.#store.fence();
  }

  /** Folds what the commands need and no earlier one left; one query serves all (`precise.md` 6). */
  async #load(open: readonly Waiting[]): Promise<ReadonlyMap<Waiting, CachedFold>> {
    const head = this.#head ?? unreachable();
    const loaded = new Map<Waiting, CachedFold>();
    const missing = new Map<string, CachedFold>();
    for (const waiting of open) {
      const { fold, tags } = waiting.submission;
      let entry = this.#folds.get(waiting.foldKey) ?? missing.get(waiting.foldKey);
      if (!entry) {
        entry = { key: waiting.foldKey, fold, tags, state: fold.initial };
        missing.set(entry.key, entry);
      }
      loaded.set(waiting, entry);
    }
    const broken = await foldAll(this.#store, [...missing.values()], head.position);
    for (const entry of missing.values()) if (!broken.has(entry)) this.#folds.add(entry);
    for (const [waiting, entry] of loaded) {
      const fault = broken.get(entry);
      if (!fault) continue;
      waiting.fail(fault);
      loaded.delete(waiting);
    }
    return loaded;
  }

  /** Each command on the earlier ones' events; one refusal, or one fault, fails no other. */
  #decide(open: readonly Waiting[], folds: ReadonlyMap<Waiting, CachedFold>): Group {
    const states = new Map<CachedFold, unknown>();
    const events: RecordedEvent[] = [];
    const decided: [Waiting, AnyDecided][] = [];
    let head = this.#head ?? unreachable();
    let bytes = 0;
    const stateOf = (entry: CachedFold): unknown =>
      states.has(entry) ? states.get(entry) : entry.state;

    for (const waiting of open) {
      const entry = folds.get(waiting);
      // Whoever was told in the meantime that nothing was recorded must be told the truth.
      if (!entry || waiting.settled) continue;
      try {
        const drafts = waiting.submission.decide(stateOf(entry));
        if ('refused' in drafts) {
          decided.push([waiting, { kind: 'refused', repeated: false, refusal: drafts.refused }]);
          continue;
        }
        const placed = place(head, waiting.submission, drafts);
        if (
          placed.events.length > this.#options.maxCommitEvents ||
          placed.bytes > this.#options.maxCommitBytes
        ) {
          throw new CommitTooLarge(
            `one command's ${placed.events.length} events (${placed.bytes} bytes) are more than a commit holds`,
          );
        }
        if (
          events.length + placed.events.length > this.#options.maxCommitEvents ||
          bytes + placed.bytes > this.#options.maxCommitBytes
        ) {
          break; // The rest comes with the next commit.
        }
        const after = new Map<CachedFold, unknown>();
        for (const event of placed.events) {
          for (const touched of this.#folds.touchedBy(event)) {
            const before = after.has(touched) ? after.get(touched) : stateOf(touched);
            after.set(touched, touched.fold.evolve(before, event));
          }
        }
        for (const [touched, state] of after) states.set(touched, state);
        events.push(...placed.events);
        bytes += placed.bytes;
        head = placed.head;
        decided.push([
          waiting,
          {
            kind: drafts.length > 0 ? 'recorded' : 'unchanged',
            repeated: false,
            events: placed.events,
            state: stateOf(entry),
            position: head.position,
          },
        ]);
      } catch (fault) {
        waiting.fail(asError(fault));
      }
    }
    const outcomes = decided.flatMap(([waiting, answer]) =>
      waiting.submission.key
        ? [outcomeOf(waiting.submission, waiting.submission.key, answer, head)]
        : [],
    );
    return { batch: { events, outcomes }, answers: new Map(decided), states, head };
  }

  /** `precise.md` 4: looked up before anything else is asked. */
  async #answerRepeatedKeys(open: readonly Waiting[]): Promise<readonly Waiting[]> {
    const keys = open.flatMap(({ submission }) => submission.key ?? []);
    if (keys.length === 0) return open;
    const outcomes = new Map<string, StoredOutcome>();
    for (const outcome of await this.#store.outcomes(keys)) outcomes.set(nameOf(outcome), outcome);
    if (outcomes.size === 0) return open;
    // A key that many ask for at once is made ready once: its answer is the same for all of the same kind.
    const repeats = new Map<string, Repeat & { readonly waiting: Waiting[] }>();
    for (const waiting of open) {
      const { submission, foldKey } = waiting;
      const { key } = submission;
      const outcome = key && outcomes.get(nameOf(key));
      if (!outcome) continue;
      const same = JSON.stringify([nameOf(key), key.fingerprint, foldKey]);
      const repeat = repeats.get(same);
      if (repeat) repeat.waiting.push(waiting);
      else repeats.set(same, { submission, outcome, waiting: [waiting] });
    }
    const answers = await this.#answersAgain([...repeats.values()]);
    for (const repeat of repeats.values()) {
      const answer = answers.get(repeat);
      for (const waiting of repeat.waiting) {
        if (answer instanceof Error) waiting.fail(answer);
        else if (answer) waiting.answer(answer);
      }
    }
    return open.filter((waiting) => !waiting.settled);
  }

  /** Commands without a key whose events are in the log already, by another try of the same id. */
  async #answerRepeatedIds(open: readonly Waiting[]): Promise<void> {
    const unkeyed = open.filter(({ submission }) => !submission.key);
    const byFirstId = new Map(
      unkeyed.map((waiting) => [eventIdOf(waiting.submission.commandId, 0), waiting]),
    );
    if (byFirstId.size === 0) return;
    for (const first of await this.#store.readByIds([...byFirstId.keys()])) {
      const waiting = byFirstId.get(first.id);
      if (!waiting) continue;
      const { submission } = waiting;
      const events = [first];
      for (const event of await this.#store.read(first.position, this.#options.maxCommitEvents)) {
        if (event.id !== eventIdOf(submission.commandId, events.length)) break;
        events.push(event);
      }
      const position = first.position + events.length - 1;
      const [answer] = await this.#asOf([{ submission, events, position }]);
      if (answer instanceof Error) waiting.fail(answer);
      else if (answer) waiting.answer(answer);
    }
  }

  /** First answers, made again with few queries: a bulk command that is repeated has thousands. */
  async #answersAgain<R extends Repeat>(
    repeats: readonly R[],
  ): Promise<ReadonlyMap<R, AnyDecided | Error>> {
    const answers = new Map<R, AnyDecided | Error>();
    const decided: (Then & { readonly repeat: R; readonly ids: readonly string[] })[] = [];
    for (const repeat of repeats) {
      const { submission, outcome } = repeat;
      if (outcome.fingerprint !== submission.key?.fingerprint) {
        answers.set(repeat, { kind: 'key-reused' });
      } else if (outcome.result === 'refused') {
        answers.set(repeat, { kind: 'refused', repeated: true, refusal: outcome.refusal });
      } else {
        const { commandId, events, position } = outcome;
        const ids = Array.from({ length: events }, (_, n) => eventIdOf(commandId, n));
        decided.push({ repeat, ids, submission, position });
      }
    }
    const ids = decided.flatMap((each) => each.ids);
    const events = new Map<string, RecordedEvent>();
    for (let from = 0; from < ids.length; from += PAGE) {
      const read = await this.#store.readByIds(ids.slice(from, from + PAGE));
      for (const event of read) events.set(event.id, event);
    }
    const made = await this.#asOf(
      decided.map((each) => ({ ...each, events: each.ids.flatMap((id) => events.get(id) ?? []) })),
    );
    decided.forEach(({ repeat }, n) => {
      const answer = made[n];
      if (answer) answers.set(repeat, answer);
    });
    return answers;
  }

  /** Answers, each from the log as it was then; or how a fold failed, which is its own command's fault. */
  async #asOf(
    those: readonly (Then & { readonly events: readonly RecordedEvent[] })[],
  ): Promise<readonly (AnyDecided | Error)[]> {
    const entries = those.map(({ submission: { fold, tags }, position }) => ({
      ...{ key: '', fold, tags, state: fold.initial },
      upTo: position,
    }));
    const newest = those.reduce((most, { position }) => Math.max(most, position), 0);
    const broken = await foldAll(this.#store, entries, newest);
    return those.map(({ events, position }, n) => {
      const entry = entries[n] ?? unreachable();
      const kind = events.length > 0 ? 'recorded' : 'unchanged';
      return broken.get(entry) ?? { kind, repeated: true, events, state: entry.state, position };
    });
  }

  #yield(): Promise<void> {
    return delay(1 + this.#options.random() * 4);
  }

  /** Exponential with full jitter, from 5 ms to 500 ms. */
  async #backOff(tries: number): Promise<void> {
    const most = Math.min(500, 5 * 2 ** Math.min(tries, 10));
    await delay(1 + this.#options.random() * most);
  }
}

/**
 * Folds each entry's events up to a position, or to its own where that comes before, with few queries; a
 * fold that throws breaks only its own.
 */
async function foldAll(
  store: LogStore,
  entries: readonly Folding[],
  upTo: number,
): Promise<Map<CachedFold, Error>> {
  const broken = new Map<CachedFold, Error>();
  // An entry's tags must be in one query, or its events come out of order; and in one only, or they come twice.
  for (const byTag of chunksByTag(entries)) {
    const tags = [...byTag.keys()];
    for (let after = 0; after < upTo;) {
      const events = await store.read(after, PAGE, { tags, upTo });
      for (const event of events) {
        const touched = new Set(event.tags.flatMap((tag) => byTag.get(tag) ?? []));
        for (const entry of touched) {
          if (broken.has(entry) || event.position > (entry.upTo ?? upTo)) continue;
          try {
            entry.state = entry.fold.evolve(entry.state, event);
          } catch (fault) {
            broken.set(entry, asError(fault));
          }
        }
      }
      const last = events.at(-1);
      if (!last || events.length < PAGE) break;
      after = last.position;
    }
  }
  return broken;
}

type Folding = CachedFold & { readonly upTo?: number };

function chunksByTag(entries: readonly Folding[]): ReadonlyMap<string, readonly Folding[]>[] {
  const chunks: Map<string, Folding[]>[] = [];
  for (const entry of entries) {
    const { tags } = entry;
    let chunk = chunks.at(-1);
    if (!chunk || chunk.size + tags.length > MAX_TAGS)
      chunks.push((chunk = new Map<string, Folding[]>()));
    for (const tag of tags) {
      const those = chunk.get(tag);
      if (those) those.push(entry);
      else chunk.set(tag, [entry]);
    }
  }
  return chunks;
}

/** Gives a command's drafts their ids, positions and hashes. */
function place(
  from: Head,
  { commandId, traceparent }: AnySubmission,
  drafts: readonly EventDraft[],
): { events: RecordedEvent[]; bytes: number; head: Head } {
  let head = from;
  let bytes = 0;
  const events = drafts.map((draft, n) => {
    const event = {
      position: head.position + 1,
      id: eventIdOf(commandId, n),
      type: draft.type,
      schemaVersion: draft.schemaVersion,
      tags: draft.tags,
      data: draft.data,
      traceparent: traceparent ?? null,
    };
    const canonical = canonicalEvent(event);
    bytes += Buffer.byteLength(canonical);
    const hash = chainHash(head.hash, canonical);
    head = { position: event.position, hash };
    return { ...event, hash };
  });
  return { events, bytes, head };
}

/** The head after an event that somebody else wrote. */
function follows(head: Head, event: RecordedEvent): Head {
  if (event.position !== head.position + 1) {
    throw new LogCorrupt(`position ${head.position + 1} is missing before ${event.position}`);
  }
  if (chainHash(head.hash, canonicalEvent(event)) !== event.hash) {
    throw new LogCorrupt(
      `the hash of position ${event.position} does not follow from the one before`,
    );
  }
  return { position: event.position, hash: event.hash };
}

function outcomeOf(
  submission: AnySubmission,
  key: CommandKey,
  answer: AnyDecided,
  head: Head,
): StoredOutcome {
  const common = { caller: key.caller, key: key.key, fingerprint: key.fingerprint };
  const refused = answer.kind === 'refused';
  const decided = answer.kind === 'recorded' || answer.kind === 'unchanged';
  return {
    ...common,
    commandId: submission.commandId,
    result: answer.kind === 'key-reused' ? 'refused' : answer.kind,
    events: decided ? answer.events.length : 0,
    refusal: refused ? answer.refusal : null,
    position: decided ? answer.position : head.position,
  };
}

/** The first of each command id; a second one in the same commit would stand in its way. */
function onceEach(open: readonly Waiting[]): readonly Waiting[] {
  const seen = new Set<string>();
  return open.filter(({ submission: { commandId } }) => {
    if (seen.has(commandId)) return false;
    seen.add(commandId);
    return true;
  });
}

const nameOf = ({ caller, key }: Pick<CommandKey, 'caller' | 'key'>): string =>
  JSON.stringify([caller, key]);

const timedOut = (waiting: Waiting): Error =>
  waiting.inFlight
    ? new OutcomeUnknown('the commit was sent and its outcome is not known yet')
    : new LogUnavailable('the event log did not answer in time; nothing was recorded');

const asError = (fault: unknown): Error =>
  fault instanceof Error ? fault : new Error('a fold or decision threw', { cause: fault });

const unreachable = (): never => {
  throw new LogCorrupt('the writer lost its head');
};
