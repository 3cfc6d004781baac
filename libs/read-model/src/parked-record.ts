import type { Instant } from '@token-status/domain';
import type { BusRecord } from '@token-status/event-bus';

/**
 * Why a record was not applied: it can't be read; versions before it are missing; it contradicts what
 * is known (the same version under another id, another owner, an order that is not the log's); or the
 * token was parked already.
 */
export type ParkReason = 'unreadable' | 'gap' | 'contradiction' | 'behind-parked';

/** A record that waits for an operator, as it was read (decision 8). */
export interface ParkedRecord {
  readonly partition: number;
  readonly offset: bigint;
  readonly tokenId: string;
  readonly tokenVersion: number | null;
  readonly position: number | null;
  readonly eventId: string | null;
  readonly why: ParkReason;
  /** For operators; holds no value of the event's. */
  readonly detail: string;
  readonly parkedAt: Instant;
  readonly record: BusRecord;
}
