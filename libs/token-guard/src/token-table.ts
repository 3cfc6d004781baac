import type { PublishedEvent } from '@token-status/contracts';

/** What a gateway knows of a token: no more than its decision needs. */
export interface TokenEntry {
  readonly tokenId: string;
  readonly userId: string;
  readonly accountId: string;
  /** Of the newest event that was applied. */
  readonly version: number;
  readonly disabled: boolean;
  readonly revoked: boolean;
  /** Milliseconds since the Unix epoch; null = never. Whether it has passed is the clock's business. */
  readonly expiresAt: number | null;
  /** An event of this token could not be applied: it is denied, whatever else is said here (decision 8). */
  readonly parked: boolean;
  /**
   * Whether this is its owner's user name, in a time that does not depend on how much of it is right.
   * @param userNameDigest HMAC-SHA-256 of the name under the secret, hex (`precise.md` 23).
   */
  isOfUserName(userNameDigest: string): boolean;
}

export type TokenChange = 'added' | 'renamed' | 'disabled' | 'enabled' | 'revoked';

export type Applied =
  | { readonly kind: 'applied'; readonly change: TokenChange }
  /** Had been applied before: the same version as the same event (`precise.md` 5). */
  | { readonly kind: 'repeated' }
  /** This event is a fault; its token is parked from now on. */
  | {
      readonly kind: 'parked';
      readonly why: string;
      /** Another one that is parked with it: it has the same secret. */
      readonly other?: string;
    }
  /** The token had been parked before; the event waits behind the one that parked it. */
  | { readonly kind: 'behind-parked' };

/** Tokens by what is stored of them; an expired one counts as what it was, since expiry is no event. */
export interface TokenCounts {
  readonly active: number;
  readonly disabled: number;
  readonly revoked: number;
  readonly parked: number;
}

export interface ParkedToken {
  readonly tokenId: string;
  readonly why: string;
}

/**
 * The statuses of all tokens, by the SHA-256 of the secret. Synchronous and in memory.
 *
 * Any interleaving of different tokens' events, any repetition, and any restart from an earlier
 * offset must leave the table that one full replay leaves (`token-table.contract.spec.ts` holds every
 * implementation to that).
 */
export interface TokenTable {
  /**
   * Applies the event iff its version is its token's next and its position is after the last one's.
   * Never throws on an event that could be read: what does not fit parks its token, and a parked token
   * stays so.
   */
  apply(event: PublishedEvent): Applied;
  /** Denies a token of which an event could not be read. @returns whether it had not been parked yet. */
  park(tokenId: string, why: string): boolean;
  /**
   * The comparison takes no less time where less of the digest is right. The entry says what held at
   * the look-up, whenever it is read.
   *
   * @param secret kept nowhere. @returns parked ones too; null where there is none.
   */
  lookup(secret: string): TokenEntry | null;
  /** As {@link lookup}; null too for one that was parked before anything else of it could be read. */
  byId(tokenId: string): TokenEntry | null;
  counts(): TokenCounts;
  /** The first `limit` of the parked tokens, for operators. */
  parked(limit: number): readonly ParkedToken[];
}
