import { createHash, randomBytes } from 'node:crypto';
import { currentVersion, tagsOf, toEventRecord } from '@token-status/contracts';
import type {
  EventRecord,
  EventType,
  PublishedEvent,
  RecordedEvent,
  WireEvent,
} from '@token-status/contracts';

/** A log's events as the relay publishes them, written by hand: for what reads them. */
export class TokenHistory {
  readonly #versions = new Map<string, { version: number; userId: string }>();
  #position = 0;

  constructor(readonly epoch: string = randomBytes(16).toString('hex')) {}

  get position(): number {
    return this.#position;
  }

  /** @returns the new token's event; a name stands for its sealed form. */
  add(userId = 'u-1', name = 'v1.sealed-name'): RecordedEvent {
    const tokenId = newTokenId();
    this.#versions.set(tokenId, { version: 0, userId });
    return this.#next(tokenId, 'TokenAdded', {
      name,
      hint: 'abc123',
      secretDigest: createHash('sha256').update(tokenId).digest('hex'),
      userNameDigest: createHash('sha256').update(userId).digest('hex'),
      expiresAt: null,
    });
  }

  rename(tokenId: string, name: string): RecordedEvent {
    return this.#next(tokenId, 'TokenRenamed', { name });
  }

  disable(tokenId: string, note: string | null = null): RecordedEvent {
    return this.#next(tokenId, 'TokenDisabled', {
      disabledWith: 'owner',
      reason: 'rotation',
      note,
      until: null,
    });
  }

  enable(tokenId: string): RecordedEvent {
    return this.#next(tokenId, 'TokenEnabled', { cause: 'command', reason: null, note: null });
  }

  revoke(tokenId: string): RecordedEvent {
    return this.#next(tokenId, 'TokenRevoked', { reason: null, note: null });
  }

  record(event: RecordedEvent): EventRecord {
    return toEventRecord(event, this.epoch);
  }

  published(event: RecordedEvent): PublishedEvent {
    return {
      id: event.id,
      epoch: this.epoch,
      position: event.position,
      traceparent: null,
      event: { type: event.type, ...event.data } as unknown as WireEvent,
    };
  }

  #next(tokenId: string, type: EventType, own: Record<string, unknown>): RecordedEvent {
    const known = this.#versions.get(tokenId);
    if (!known) throw new Error('add the token first');
    const position = ++this.#position;
    const data = {
      tokenId,
      tokenVersion: ++known.version,
      userId: known.userId,
      accountId: 'acme',
      at: new Date(Date.UTC(2026, 0, 1) + position * 1000).toISOString(),
      by: { kind: 'user', id: known.userId },
      authority: 'owner',
      commandId: randomBytes(16).toString('hex'),
      origin: null,
      ...own,
    };
    return {
      position,
      id: randomBytes(16).toString('hex'),
      type,
      schemaVersion: currentVersion[type],
      tags: tagsOf({ type, ...data } as unknown as WireEvent),
      data,
      traceparent: null,
      hash: '0'.repeat(64),
    };
  }
}

export const newTokenId = (): string => `tok_${randomBytes(16).toString('hex')}`;

/** The token that an event is about. */
export const tokenOf = (event: RecordedEvent): string => String(event.data.tokenId);
