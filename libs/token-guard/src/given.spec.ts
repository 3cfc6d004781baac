import { createHash, generateKeyPairSync } from 'node:crypto';
import { newSecret, secretDigest, toEventRecord, userNameDigest } from '@token-status/contracts';
import type { PublishedEvent, SigningKey, WireEvent } from '@token-status/contracts';
import type { ReceivedRecord } from '@token-status/event-bus';

/** What the specs of this room start from. Not a test: the runner takes `.unit.` and `.int.` only. */

export const EPOCH = 'e'.repeat(32);

const hex = (text: string): string => createHash('sha256').update(text).digest('hex');

export interface GivenToken {
  readonly tokenId: string;
  readonly userId: string;
  readonly accountId: string;
  readonly userName: string;
  readonly secret: string;
  readonly expiresAt: string | null;
}

export const token = (name: string, more: Partial<GivenToken> = {}): GivenToken => ({
  tokenId: `tok_${hex(name).slice(0, 32)}`,
  userId: `user-of-${name}`,
  accountId: 'acme',
  userName: `${name}@example.com`,
  secret: newSecret(),
  expiresAt: null,
  ...more,
});

const LIKE = token('like');

/** One of very many: made in a moment, five to a user, and known by its number. */
export const nth = (n: number): GivenToken => ({
  ...LIKE,
  tokenId: `tok_${hex(`token ${n}`).slice(0, 32)}`,
  userId: `user-${String(Math.floor(n / 5)).padStart(11, '0')}`,
  accountId: `account-${String(Math.floor(n / 500)).padStart(8, '0')}`,
  secret: `secret ${n}`,
  expiresAt: n % 3 === 0 ? new Date(n * 1e9).toISOString() : null,
});

type Type = WireEvent['type'];

/** An event of a token; `variant` makes another event with the same version. */
export function wireEvent(of: GivenToken, type: Type, version: number, variant = ''): WireEvent {
  const facts = {
    tokenId: of.tokenId,
    tokenVersion: version,
    userId: of.userId,
    accountId: of.accountId,
    at: '2026-01-01T00:00:00.000Z',
    by: { kind: 'user', id: of.userId },
    authority: 'owner',
    commandId: hex(`${of.tokenId} ${version} ${variant}`).slice(0, 32),
    origin: null,
  } as const;
  const why = { reason: null, note: null } as const;
  switch (type) {
    case 'TokenAdded':
      return {
        type,
        ...facts,
        name: 'sealed-name',
        hint: of.secret.slice(4, 10),
        secretDigest: secretDigest(of.secret),
        userNameDigest: userNameDigest(of.secret, of.userName),
        expiresAt: of.expiresAt,
      };
    case 'TokenRenamed':
      return { type, ...facts, name: 'sealed-new-name' };
    case 'TokenDisabled':
      return { type, ...facts, ...why, disabledWith: 'owner', until: null };
    case 'TokenEnabled':
      return { type, ...facts, ...why, cause: 'command' };
    case 'TokenRevoked':
      return { type, ...facts, ...why };
  }
}

export const eventId = (event: WireEvent): string =>
  hex(`event of ${event.commandId}`).slice(0, 32);

/** Where no position is named, a token's events lie in the log in the order of their versions. */
export const published = (event: WireEvent, position = event.tokenVersion): PublishedEvent => ({
  id: eventId(event),
  epoch: EPOCH,
  position,
  traceparent: null,
  event,
});

/** As the relay sends it. */
export function eventRecord(event: WireEvent, position: number, epoch = EPOCH): ReceivedRecord {
  const { type, ...data } = event;
  const record = toEventRecord(
    {
      id: eventId(event),
      type,
      schemaVersion: 1,
      tags: [],
      data,
      traceparent: null,
      position,
      hash: '0'.repeat(64),
    },
    epoch,
  );
  return { ...record, partition: 0, offset: BigInt(position - 1) };
}

/** A key of a relay's, another one each time. */
export const givenEd25519 = (keyid: string): SigningKey => ({
  keyid,
  algorithm: 'Ed25519',
  key: generateKeyPairSync('ed25519').privateKey,
});

export const bearer = (secret: string): string => `Bearer ${secret}`;

export const basic = (userName: string, secret: string, prefix = 'BOOMI_TOKEN.'): string =>
  `Basic ${Buffer.from(`${prefix}${userName}:${secret}`, 'utf8').toString('base64')}`;
