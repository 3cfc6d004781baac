import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { tag, upcast } from '@token-status/contracts';
import type { Owner } from '@token-status/domain';
import type { CommandLog } from '../ports.js';
import { EVENT_LOG } from '../tokens.js';

const MOST_KEPT = 100_000;

/**
 * Whose a token is. It must be known before a command can be made, since notes and names are sealed with
 * the owner's key; and it never changes, so what was read once can be kept.
 */
@Injectable()
export class TokenOwners {
  private readonly kept = new LRUCache<string, Owner>({ max: MOST_KEPT });

  constructor(@Inject(EVENT_LOG) private readonly log: CommandLog) {}

  /** Reads ahead, in one query, for the many of a bulk command. */
  async readAhead(tokenIds: readonly string[]): Promise<void> {
    const missing = new Set(tokenIds.filter((id) => !this.kept.has(id)));
    if (missing.size === 0) return;
    for await (const event of this.log.read(0, { tags: [...missing].map(tag.token) })) {
      const { tokenId, userId, accountId } = upcast(event.type, event.schemaVersion, event.data);
      this.kept.set(tokenId, { userId, accountId });
      missing.delete(tokenId);
      if (missing.size === 0) return;
    }
  }

  /** As far as it is kept: after {@link readAhead}, null is a token that the log does not have. */
  known(tokenId: string): Owner | null {
    return this.kept.get(tokenId) ?? null;
  }

  /** Whose a user's tokens are. Null where the log, as far as it was read, has none of that user. */
  async ofUser(userId: string): Promise<Owner | null> {
    for await (const event of this.log.read(0, { tags: [tag.user(userId)] })) {
      const { accountId } = upcast(event.type, event.schemaVersion, event.data);
      return { userId, accountId };
    }
    return null;
  }

  /** Null where the log, as far as it was read, has no such token. */
  async of(tokenId: string): Promise<Owner | null> {
    const kept = this.kept.get(tokenId);
    if (kept) return kept;
    for await (const event of this.log.read(0, { tags: [tag.token(tokenId)] })) {
      const { userId, accountId } = upcast(event.type, event.schemaVersion, event.data);
      const owner = { userId, accountId };
      this.kept.set(tokenId, owner);
      return owner;
    }
    return null;
  }
}
