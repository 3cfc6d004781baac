import type { Authority, Instant, Principal, Reason } from '@token-status/domain';

/** A token as people see it. Its status is a matter of the clock too, so it is computed when asked. */
export interface TokenView {
  readonly id: string;
  /** Plain text; null once its user was forgotten. */
  readonly name: string | null;
  readonly hint: string;
  readonly userId: string;
  readonly accountId: string;
  readonly createdAt: Instant;
  readonly expiresAt: Instant | null;
  readonly disabled: {
    readonly at: Instant;
    readonly by: Principal;
    readonly authority: Authority;
    readonly reason: Reason | null;
    readonly note: string | null;
    readonly until: Instant | null;
  } | null;
  readonly revoked: boolean;
  /** The token's own version, and the log's position of the event that gave it. */
  readonly version: number;
  readonly position: number;
  /** There where later events of the token could not be applied (decision 8): all else is the last that is known. */
  readonly parked?: true;
}
