import type { Authority, Principal } from './policy.js';

/**
 * A text that is readable only with its user's key (`libs/personal-data`); equal texts of one user
 * are equal when sealed, so names can be compared without being read. The domain never opens one.
 */
export type Sealed = string;

/** RFC 3339 in UTC with milliseconds, as `Date.toISOString` writes it; so order is text order. */
export type Instant = string;

/** Why a token was disabled: a fixed list (rule 8), so that it can be counted and translated. */
export const REASONS = [
  'exposed',
  'suspected-leak',
  'rotation',
  'unused',
  'offboarding',
  'policy',
  'other',
] as const;
export type Reason = (typeof REASONS)[number];

/** What every event says: whose token, who did it, on whose authority, when, by which command. */
export interface EventFacts {
  readonly tokenId: string;
  /** 1, 2, 3 … without a gap, for each token. */
  readonly tokenVersion: number;
  readonly userId: string;
  readonly accountId: string;
  readonly at: Instant;
  readonly by: Principal;
  readonly authority: Authority;
  readonly commandId: string;
  /** From where the command came: the caller's address, sealed. */
  readonly origin: Sealed | null;
}

export interface TokenAdded extends EventFacts {
  readonly type: 'TokenAdded';
  readonly name: Sealed;
  readonly hint: string;
  /** SHA-256 of the secret, hex (decision 10). */
  readonly secretDigest: string;
  /** HMAC-SHA-256 of the owner's user name, hex: what Basic's user name is compared with (rule 12). */
  readonly userNameDigest: string;
  readonly expiresAt: Instant | null;
}

export interface TokenRenamed extends EventFacts {
  readonly type: 'TokenRenamed';
  readonly name: Sealed;
}

/** `disabledWith` and `until` say what holds from now on, which may be more than this caller asked. */
export interface TokenDisabled extends EventFacts {
  readonly type: 'TokenDisabled';
  readonly disabledWith: Authority;
  readonly reason: Reason | null;
  readonly note: Sealed | null;
  readonly until: Instant | null;
}

export interface TokenEnabled extends EventFacts {
  readonly type: 'TokenEnabled';
  /** `until`: the scheduler, at the end that the disable carried (rule 8). */
  readonly cause: 'command' | 'until';
  readonly reason: Reason | null;
  readonly note: Sealed | null;
}

export interface TokenRevoked extends EventFacts {
  readonly type: 'TokenRevoked';
  readonly reason: Reason | null;
  readonly note: Sealed | null;
}

export type TokenEvent = TokenAdded | TokenRenamed | TokenDisabled | TokenEnabled | TokenRevoked;
