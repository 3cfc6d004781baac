import { describe, expect, it } from '@jest/globals';
import { UnreadableEvent } from '@token-status/contracts';
import type { AddToken, Caller, DisableToken } from '@token-status/domain';
import type { EventDraft } from '@token-status/event-log';
import { decideDrafts, loggedTokens } from './token-decider.js';
import type { LoggedTokens } from './token-decider.js';

const TOKEN = `tok_${'1'.repeat(32)}`;
const AT = '2030-01-01T12:00:00.000Z';
const alice: Caller = {
  kind: 'user',
  id: 'u-alice',
  accountId: 'acme',
  privileges: new Set(['API Access']),
  scopes: new Set(),
};
const add: AddToken = {
  type: 'AddToken',
  tokenId: TOKEN,
  userId: 'u-alice',
  accountId: 'acme',
  at: AT,
  commandId: 'a'.repeat(32),
  caller: alice,
  origin: null,
  name: 'v1.k.sealed',
  hint: 'abcdef',
  secretDigest: 'd'.repeat(64),
  userNameDigest: 'e'.repeat(64),
  expiresAt: null,
  limit: 5,
};
const disable: DisableToken = {
  type: 'DisableToken',
  tokenId: TOKEN,
  at: AT,
  commandId: 'b'.repeat(32),
  caller: alice,
  origin: null,
  reason: 'exposed',
  note: null,
  until: null,
};

const decided = (state: LoggedTokens, command: AddToken | DisableToken): readonly EventDraft[] => {
  const drafts = decideDrafts(state, command);
  if ('refused' in drafts) throw new Error(`refused: ${drafts.refused}`);
  return drafts;
};

/** As the log records drafts, from a position on. */
const after = (
  state: LoggedTokens,
  drafts: readonly EventDraft[],
  position: number,
): LoggedTokens =>
  drafts.reduce(
    (folded, draft, n) =>
      loggedTokens.evolve(folded, {
        ...draft,
        // Through JSON, as the log keeps it.
        data: JSON.parse(JSON.stringify(draft.data)) as Record<string, unknown>,
        id: 'f'.repeat(32),
        position: position + n,
        hash: '0'.repeat(64),
        traceparent: null,
      }),
    state,
  );

describe('a decision on the log', () => {
  it('drafts a new token with the tags that later decisions ask by', () => {
    const [draft] = decided(loggedTokens.initial, add);
    expect(draft).toMatchObject({
      type: 'TokenAdded',
      schemaVersion: 1,
      tags: [`token:${TOKEN}`, 'user:u-alice', 'account:acme', `secret:${'d'.repeat(64)}`],
    });
    expect(draft?.data).not.toHaveProperty('type');
  });

  it('rests on what the log recorded, and knows where its newest event stands', () => {
    const added = after(loggedTokens.initial, decided(loggedTokens.initial, add), 7);
    expect(added.positions.get(TOKEN)).toBe(7);
    const changed = after(added, decided(added, disable), 9);
    expect(changed.tokens.get(TOKEN)).toMatchObject({
      version: 2,
      disabled: { authority: 'owner', reason: 'exposed' },
    });
    expect(changed.positions.get(TOKEN)).toBe(9);
    expect(decided(changed, disable)).toEqual([]);
  });

  it('leaves the state that it started from as it was', () => {
    after(loggedTokens.initial, decided(loggedTokens.initial, add), 1);
    expect(loggedTokens.initial.tokens.size + loggedTokens.initial.positions.size).toBe(0);
  });

  it('passes a refusal on as it is', () => {
    expect(decideDrafts(loggedTokens.initial, disable)).toEqual({ refused: 'token-unknown' });
  });

  it('drafts nothing that no reader could take', () => {
    const overlong = { ...add, name: 'x'.repeat(5000) };
    expect(() => decideDrafts(loggedTokens.initial, overlong)).toThrow(UnreadableEvent);
  });
});
