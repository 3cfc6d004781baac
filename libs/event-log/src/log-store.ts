import type { RecordedEvent } from '@token-status/contracts';

/**
 * What the log needs of a database (decision 1). Two adapters, MongoDB and SQLite, pass the suites in
 * `test/contracts/event-log.contract.ts`. A store writes what it is given; positions, hashes and
 * conditions are the writer's.
 */
export interface LogStore {
  readonly epoch: string;

  /** A majority write, and then the head as of after it. */
  fence(): Promise<Head>;

  /**
   * Writes all of it or nothing, on disk at a majority before it resolves.
   *
   * `lost`: nothing was written by this call, since something with one of its positions, event ids or
   * command keys is there already, or is being written — possibly an earlier try of this very commit.
   * Rejects with anything when the outcome is not known; the same commit may then be tried again.
   */
  commit(batch: CommitBatch): Promise<'committed' | 'lost'>;

  /**
   * Events with position > after, in order, at most `limit`; only such as a majority holds.
   * Never less than a {@link fence} or {@link commit} of this store has already shown.
   */
  read(after: number, limit: number, options?: ReadOptions): Promise<readonly RecordedEvent[]>;

  /** Events by id, in order of position. */
  readByIds(ids: readonly string[]): Promise<readonly RecordedEvent[]>;

  outcomes(keys: readonly CommandKey[]): Promise<readonly StoredOutcome[]>;

  /**
   * Calls the listener soon after somebody appended, in this process or another, and whenever it begins
   * to watch for that. A hint: it may come late, twice or, while a connection is being made again, not
   * until then; readers also look by themselves.
   */
  onAppend(listener: () => void): () => void;

  readonly leases: Leases;
  readonly checkpoints: Checkpoints;
  readonly plans: Plans;

  close(): Promise<void>;
}

export interface ReadOptions {
  readonly upTo?: number;
  /** Only events with any of these tags. */
  readonly tags?: readonly string[];
}

/** The newest event: where the next goes, and what its hash goes over. Position 0 is the empty log. */
export interface Head {
  readonly position: number;
  readonly hash: string;
}

export interface CommitBatch {
  readonly events: readonly RecordedEvent[];
  readonly outcomes: readonly StoredOutcome[];
}

/** Whose key, which key, and the digest of method, path and canonical body (`precise.md` 4). */
export interface CommandKey {
  readonly caller: string;
  readonly key: string;
  readonly fingerprint: string;
}

/** What a keyed command came to (`precise.md` 4), kept for ever beside the log; unique by caller and key. */
export interface StoredOutcome extends CommandKey {
  readonly commandId: string;
  readonly result: 'recorded' | 'unchanged' | 'refused';
  /** How many events the command appended; they stand in a row. */
  readonly events: number;
  /** For `refused`: the refusal, which must be JSON. */
  readonly refusal: unknown;
  /** The log's position up to which the answer holds. */
  readonly position: number;
}

/** One active holder for each name, by the database's clock. */
export interface Leases {
  /**
   * Takes a lease that is free or ended, or renews one's own.
   *
   * @returns the term, which grows by one with each new holder; null while somebody else holds it.
   */
  acquire(name: string, holder: string, ttlMs: number): Promise<number | null>;
  /** Ends one's own lease at once; a no-op when it is another's by now. */
  release(name: string, holder: string): Promise<void>;
}

/**
 * What a command of many parts is about, settled before its first part (`precise.md` 7): whoever repeats
 * it goes by the same items, whatever is there by then. Unique by caller and key; kept for ever, as the
 * outcomes are.
 */
export interface Plan extends Pick<CommandKey, 'caller' | 'key'> {
  readonly items: readonly string[];
}

export interface Plans {
  /** Null where none was settled, as far as is known here. */
  find(key: Pick<CommandKey, 'caller' | 'key'>): Promise<Plan | null>;
  /** Keeps a plan unless there is one already. @returns the one that holds: all who race get the same. */
  settle(plan: Plan): Promise<Plan>;
}

/** How far somebody has come in the log. */
export interface Checkpoints {
  /** 0 where there is none. */
  load(name: string): Promise<number>;
  /** Never moves backwards, and does nothing for a term that is over; false where that was so. */
  store(name: string, position: number, term: number): Promise<boolean>;
}
