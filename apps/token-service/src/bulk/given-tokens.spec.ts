import { randomBytes } from 'node:crypto';
import { tagsOf } from '@token-status/contracts';
import type { WireEvent } from '@token-status/contracts';
import { newCommandId } from '@token-status/event-log';
import type { EventDraft, EventLog } from '@token-status/event-log';
import { newTokenId } from '../http/ids.js';

type Added = WireEvent & { readonly type: 'TokenAdded' };

/**
 * Puts many tokens into a log at once, past the API: ten each of new users of acme, unless a user is named.
 *
 * @returns their ids, oldest first
 */
export async function appendTokens(
  log: EventLog,
  nameOf: (userId: string) => Promise<string>,
  count: number,
  owner: { readonly userId?: string; readonly accountId?: string } = {},
): Promise<string[]> {
  const ids: string[] = [];
  const run = randomBytes(6).toString('hex');
  const batch = 500;
  for (let from = 0; from < count; from += batch) {
    const drafts = await Promise.all(
      Array.from({ length: Math.min(batch, count - from) }, async (_, n): Promise<EventDraft> => {
        const userId = owner.userId ?? `u-${run}-${Math.floor((from + n) / 10)}`;
        const event: Added = {
          type: 'TokenAdded',
          tokenId: newTokenId(),
          tokenVersion: 1,
          userId,
          accountId: owner.accountId ?? 'acme',
          at: '2030-01-01T00:00:00.000Z',
          by: { kind: 'service', id: 'given' },
          authority: 'administrator',
          commandId: '0'.repeat(32),
          origin: null,
          name: await nameOf(userId),
          hint: 'abcdef',
          secretDigest: randomBytes(32).toString('hex'),
          userNameDigest: '0'.repeat(64),
          expiresAt: null,
        };
        ids.push(event.tokenId);
        const { type, ...data } = event;
        return { type, schemaVersion: 1, tags: tagsOf(event), data };
      }),
    );
    await log.decideAndAppend({
      commandId: newCommandId(),
      tags: [],
      fold: { name: 'given', initial: 0, evolve: (count: number) => count },
      decide: () => drafts,
    });
  }
  return ids;
}
