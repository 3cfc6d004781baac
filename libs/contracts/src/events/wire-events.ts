/**
 * Events as they are written, once and for ever: one type per version that was ever written.
 * A newer form is a new version beside the old one, with an upcaster in `upcast.ts` — never an edit.
 */

interface FactsV1 {
  readonly tokenId: string;
  readonly tokenVersion: number;
  readonly userId: string;
  readonly accountId: string;
  readonly at: string;
  readonly by: { readonly kind: 'user' | 'service' | 'scheduler'; readonly id: string };
  readonly authority: AuthorityV1;
  readonly commandId: string;
  readonly origin: string | null;
}
type AuthorityV1 = 'owner' | 'administrator' | 'security';
type ReasonV1 =
  'exposed' | 'suspected-leak' | 'rotation' | 'unused' | 'offboarding' | 'policy' | 'other';

export interface TokenAddedV1 extends FactsV1 {
  readonly name: string;
  readonly hint: string;
  readonly secretDigest: string;
  readonly userNameDigest: string;
  readonly expiresAt: string | null;
}

export interface TokenRenamedV1 extends FactsV1 {
  readonly name: string;
}

export interface TokenDisabledV1 extends FactsV1 {
  readonly disabledWith: AuthorityV1;
  readonly reason: ReasonV1 | null;
  readonly note: string | null;
  readonly until: string | null;
}

export interface TokenEnabledV1 extends FactsV1 {
  readonly cause: 'command' | 'until';
  readonly reason: ReasonV1 | null;
  readonly note: string | null;
}

export interface TokenRevokedV1 extends FactsV1 {
  readonly reason: ReasonV1 | null;
  readonly note: string | null;
}

/** The newest version of each type: what is written today and what {@link upcast} gives. */
export interface WireEventData {
  readonly TokenAdded: TokenAddedV1;
  readonly TokenRenamed: TokenRenamedV1;
  readonly TokenDisabled: TokenDisabledV1;
  readonly TokenEnabled: TokenEnabledV1;
  readonly TokenRevoked: TokenRevokedV1;
}

export type EventType = keyof WireEventData;

/** An event's type and data together, so that one tells the other. */
export type WireEvent = {
  readonly [T in EventType]: { readonly type: T } & WireEventData[T];
}[EventType];
