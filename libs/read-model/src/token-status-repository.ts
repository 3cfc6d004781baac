import type { Instant } from '@token-status/domain';
import type { ParkedRecord } from './parked-record.js';
import type { TokenRow } from './token-row.js';
import type { DueToken, TokenPage, TokenSearch } from './token-search.js';
import type { TokenView } from './token-view.js';

/** What the query side asks. */
export interface TokenStatusReads {
  get(tokenId: string): Promise<TokenView | null>;
  /** All of a user's tokens, newest first. */
  listByUser(userId: string): Promise<readonly TokenView[]>;
  /**
   * Tokens by what is known of them, newest first, page by page.
   *
   * @throws ForeignCursor for a cursor that is none, or is another query's
   * @throws RangeError for a limit out of range
   */
  search(query: TokenSearch): Promise<TokenPage>;
  /**
   * Tokens whose disable has come to its end and still holds, as far as is known here: disabled with
   * `until` at or before `at`, neither revoked nor expired by then. The earliest first, at most `limit`.
   */
  due(at: Instant, limit: number): Promise<readonly DueToken[]>;
  /**
   * The log's position up to which the read model is complete: the least, over partitions, of the
   * newest heartbeat's position whose offset the partition has passed (`precise.md` 14).
   */
  position(): Promise<number>;
}

/** How far one partition of the events topic has been applied. */
export interface Checkpoint {
  /** Of the next record to read; null where none was applied yet. */
  readonly nextOffset: bigint | null;
  /** Of the newest heartbeat whose offset for this partition has been passed; 0 before the first. */
  readonly heartbeatPosition: number;
}

/** What one batch of a partition leads to. All of it is stored, or none. */
export interface Step {
  readonly partition: number;
  /** The stored offset that the batch was read from: where another projector has moved it, nothing is stored. */
  readonly from: bigint | null;
  readonly nextOffset: bigint;
  /** See {@link Checkpoint}; as of `nextOffset`. */
  readonly heartbeatPosition: number;
  /** Whole rows, each of a version that is not below the stored one's. */
  readonly rows: readonly TokenRow[];
  readonly parked: readonly ParkedRecord[];
}

/** What the read model was built from. Another of any of these is another history. */
export type SourceFact = 'epoch' | 'topic' | 'partitions';

/** What the projector writes and the query side reads. Two adapters, one contract suite. */
export interface TokenStatusRepository extends TokenStatusReads {
  /** Notes a fact unless one is noted already. @returns the one that holds. */
  settle(fact: SourceFact, value: string): Promise<string>;
  checkpoints(): Promise<ReadonlyMap<number, Checkpoint>>;
  /**
   * To be called by a projector that was given a partition. Ends what a former holder that died within a
   * transaction has left locked, and gives how far the partition has been applied.
   */
  take(partition: number): Promise<Checkpoint>;
  load(tokenIds: readonly string[]): Promise<ReadonlyMap<string, TokenRow>>;
  /**
   * Stores a step in one transaction, on condition that the partition's offset is still `from`. A
   * token lives in one partition, so this alone keeps a late or repeated batch from undoing a newer one.
   *
   * @throws Error where a row's version is below the stored one's: a fault of the caller's.
   */
  apply(step: Step): Promise<'applied' | 'overtaken'>;
  /** Raises partitions' heartbeat positions; a lower one than the stored changes nothing. */
  advance(heartbeatPositions: ReadonlyMap<number, number>): Promise<void>;
  /** What waits for an operator, by partition and offset. */
  parked(limit?: number): Promise<readonly ParkedRecord[]>;
  parkedCount(): Promise<number>;
  close(): Promise<void>;
}

export const NOT_STARTED: Checkpoint = { nextOffset: null, heartbeatPosition: 0 };

/** `precise.md` 14, for adapters: 0 until every partition has passed a heartbeat. */
export function positionOf(
  partitions: number,
  checkpoints: ReadonlyMap<number, Checkpoint>,
): number {
  let least = Infinity;
  for (let partition = 0; partition < partitions; partition++) {
    least = Math.min(least, checkpoints.get(partition)?.heartbeatPosition ?? 0);
  }
  return Number.isFinite(least) ? least : 0;
}
