import type { Instant, Reason, Sealed } from './events.js';
import type { Authority, Caller, Owner } from './policy.js';

interface CommandFacts {
  /** The clock when the command arrived; a decision reads no other. */
  readonly at: Instant;
  readonly commandId: string;
  readonly caller: Caller;
  readonly origin: Sealed | null;
}

interface OnToken extends CommandFacts {
  readonly tokenId: string;
  /** `If-Match`: refuse when the token's version is another. */
  readonly expectedVersion?: number | undefined;
}

export interface AddToken extends CommandFacts, Owner {
  readonly type: 'AddToken';
  readonly tokenId: string;
  readonly name: Sealed;
  readonly hint: string;
  readonly secretDigest: string;
  readonly userNameDigest: string;
  readonly expiresAt: Instant | null;
  /** How many tokens that are not revoked a user may have (rule 7; a setting). */
  readonly limit: number;
}

export interface RenameToken extends OnToken {
  readonly type: 'RenameToken';
  readonly name: Sealed;
}

export interface DisableToken extends OnToken {
  readonly type: 'DisableToken';
  readonly authority?: Authority | undefined;
  readonly reason: Reason | null;
  readonly note: Sealed | null;
  /** When the scheduler is to enable it again; null is never. */
  readonly until: Instant | null;
}

export interface EnableToken extends OnToken {
  readonly type: 'EnableToken';
  readonly authority?: Authority | undefined;
  readonly reason: Reason | null;
  readonly note: Sealed | null;
}

export interface RevokeToken extends OnToken {
  readonly type: 'RevokeToken';
  readonly reason: Reason | null;
  readonly note: Sealed | null;
}

/** The scheduler's: enable a token whose disable has come to its end, if that disable still holds. */
export interface EnableTokenWhenDue {
  readonly type: 'EnableTokenWhenDue';
  readonly tokenId: string;
  readonly at: Instant;
  readonly commandId: string;
  /** The version that the disable gave the token. */
  readonly disabledAtVersion: number;
}

export type TokenCommand =
  AddToken | RenameToken | DisableToken | EnableToken | RevokeToken | EnableTokenWhenDue;
