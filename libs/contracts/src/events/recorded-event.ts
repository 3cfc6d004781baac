import type { WireEvent } from './wire-events.js';

/** An event before the log gave it a position. */
export interface NewEvent {
  /** 32 hex digits, from the command's id and the event's place among the command's events (decision 3). */
  readonly id: string;
  readonly type: string;
  /** The version of the data's schema. */
  readonly schemaVersion: number;
  /** What a later command can ask for it by (decision 2): `token:…`, `user:…`, `account:…`, `secret:…`. */
  readonly tags: readonly string[];
  readonly data: Readonly<Record<string, unknown>>;
  /** W3C trace context of the command that caused it. */
  readonly traceparent: string | null;
}

/** An event as the log holds it. */
export interface RecordedEvent extends NewEvent {
  /** 1, 2, 3 … over the whole log, without a gap, in commit order. */
  readonly position: number;
  /** SHA-256, hex, over the previous event's hash and this event in canonical JSON (RFC 8785). */
  readonly hash: string;
}

/** The tags of a token's event: whose it is, at each level, and for a new one its secret's digest. */
export function tagsOf(event: WireEvent): string[] {
  const tags = [tag.token(event.tokenId), tag.user(event.userId), tag.account(event.accountId)];
  if (event.type === 'TokenAdded') tags.push(tag.secret(event.secretDigest));
  return tags;
}

export const tag = {
  token: (id: string) => `token:${id}`,
  user: (id: string) => `user:${id}`,
  account: (id: string) => `account:${id}`,
  secret: (digest: string) => `secret:${digest}`,
} as const;
