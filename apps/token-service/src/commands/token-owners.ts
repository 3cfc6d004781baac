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
