import type { RecordedEvent } from '@token-status/contracts';
import type { Checkpoints, CommandKey, Head, Leases, Plans, ReadOptions } from './log-store.js';

/**
 * The event log as commands and readers use it: decide-and-append on what the log says (decision 2),
 * and reading by position. One writer for each process; `openEventLog` puts it on a {@link LogStore}.
 */
export interface EventLog {
  /** The identity of this history; a restored database starts another (`precise.md` 5). */
  readonly epoch: string;

  /**
   * Folds the events that the decision needs, decides, and appends what was decided on condition that
   * none of those tags got an event meanwhile; else it reads on and decides again.
   *
   * The answer is the log's: an appended event is on disk at a majority; a refusal or 'unchanged' held
   * at a moment between the call and its answer (`precise.md` 3).
   *
   * @throws OutcomeUnknown  past the time limit, when the events may have been recorded or may yet be.
   * @throws LogUnavailable  past the time limit, when they were not and won't be.
   * @throws LogOverloaded   at once, when too many commands wait.
   * @throws CommitTooLarge  when one command's events are more than a commit holds.
   */
  decideAndAppend<State, Refusal>(
    submission: Submission<State, Refusal>,
  ): Promise<Decided<State, Refusal>>;

  /**
   * Events after a position, in order; ends at the head as it was at the last read.
   *
   * @param after 0 for all.
   */
  read(after: number, options?: ReadOptions): AsyncIterable<RecordedEvent>;

  /** As {@link read}, in batches, and goes on as events are appended, until the signal aborts. */
  follow(after: number, signal: AbortSignal): AsyncIterable<readonly RecordedEvent[]>;

  /**
   * A majority write, and then the head as of after it: everything that had been committed when this
   * was called is at or before the position that it gives.
   */
  fence(): Promise<Head>;

  /** For those who tail the log: who of several is at work, and how far they have come. */
  readonly leases: Leases;
  readonly checkpoints: Checkpoints;

  /** For commands of many parts: which they are. */
  readonly plans: Plans;

  /** Waits for the commit in hand; commands that still wait are refused. */
  close(): Promise<void>;
}

/** How events become the state of a decision. States are kept between commands, so they are values. */
export interface Fold<State> {
  /** Unique among the folds of a process. */
  readonly name: string;
  readonly initial: State;
  readonly evolve: (state: State, event: RecordedEvent) => State;
}

/** An event as a decision gives it; the log adds its id, position and hash. */
export interface EventDraft {
  readonly type: string;
  readonly schemaVersion: number;
  readonly tags: readonly string[];
  readonly data: Readonly<Record<string, unknown>>;
}

export interface Submission<State, Refusal> {
  /** 32 hex digits; the same id never appends twice. For a keyed command, {@link commandIdOf} its key. */
  readonly commandId: string;
  /** The events that the decision rests on: all with any of these tags. */
  readonly tags: readonly string[];
  readonly fold: Fold<State>;
  /** Pure; called again whenever the state has moved on. */
  readonly decide: (state: State) => readonly EventDraft[] | { readonly refused: Refusal };
  /** Present when the caller asked for exactly once by `Idempotency-Key`. */
  readonly key?: CommandKey | undefined;
  readonly traceparent?: string | null;
}

export type Decided<State, Refusal> =
  | {
      /** `unchanged` where the command asked for what already holds. */
      readonly kind: 'recorded' | 'unchanged';
      /** This key was answered before: the state and position are those of that first answer. */
      readonly repeated: boolean;
      readonly events: readonly RecordedEvent[];
      /** After the events. */
      readonly state: State;
      /** Of the log, up to which the answer holds. */
      readonly position: number;
    }
  | { readonly kind: 'refused'; readonly repeated: boolean; readonly refusal: Refusal }
  /** The key was used before, with another request: nothing was decided. */
  | { readonly kind: 'key-reused' };

export class OutcomeUnknown extends Error {
  override readonly name = 'OutcomeUnknown';
}
export class LogUnavailable extends Error {
  override readonly name = 'LogUnavailable';
}
export class LogOverloaded extends Error {
  override readonly name = 'LogOverloaded';
}
export class CommitTooLarge extends Error {
  override readonly name = 'CommitTooLarge';
}
/** The stored history contradicts itself: a gap, a broken chain, another epoch. Never retried. */
export class LogCorrupt extends Error {
  override readonly name = 'LogCorrupt';
}
