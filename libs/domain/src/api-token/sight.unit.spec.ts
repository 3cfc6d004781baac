import { describe, expect, it } from '@jest/globals';
import { authorityOver, sees, sightOf } from './policy.js';
import type { Caller, Owner, Privilege, Scope } from './policy.js';
import { isRefusal } from './refusals.js';

const setsOf = <T>(things: readonly T[]): T[][] =>
  things.reduce<T[][]>((sets, thing) => [...sets, ...sets.map((set) => [...set, thing])], [[]]);

const ACTIONS = ['read', 'audit', 'change'] as const;
const PRIVILEGES: readonly Privilege[] = ['API Access', 'Account Administration'];
const SCOPES: readonly Scope[] = ['tokens:read', 'tokens:write', 'tokens:security', 'audit:read'];
const OWNERS: readonly Owner[] = ['acme', 'globex'].flatMap((accountId) =>
  ['me', 'u-another'].map((userId) => ({ userId, accountId })),
);
const callers: readonly Caller[] = setsOf(PRIVILEGES).flatMap((privileges) =>
  setsOf(SCOPES).flatMap((scopes) =>
    [
      { kind: 'user', accountId: 'acme' } as const,
      { kind: 'user', accountId: null } as const,
      { kind: 'service', accountId: null } as const,
    ].map((who) => ({
      ...who,
      id: 'me',
      privileges: new Set(privileges),
      scopes: new Set(scopes),
    })),
  ),
);

describe('how far a caller sees', () => {
  it.each(ACTIONS)('is exactly where it has an authority, to %s', (action) => {
    for (const caller of callers) {
      const sight = sightOf(caller, action);
      for (const owner of OWNERS) {
        const seen = !isRefusal(sight) && sees(sight, owner);
        const permitted = !isRefusal(authorityOver(caller, owner, action));
        expect([caller, owner, seen]).toEqual([caller, owner, permitted]);
      }
    }
  });

  it('says what is lacking to those who see nothing', () => {
    const [nothing] = callers;
    if (!nothing) throw new Error('no caller');
    expect(sightOf(nothing, 'read')).toEqual({ refused: 'privilege-missing' });
    expect(sightOf({ ...nothing, kind: 'service' }, 'read')).toEqual({ refused: 'scope-missing' });
  });

  it('is the history alone for who has audit:read alone', () => {
    const auditor: Caller = {
      kind: 'service',
      id: 'auditor',
      accountId: null,
      privileges: new Set(),
      scopes: new Set<Scope>(['audit:read']),
    };
    expect(sightOf(auditor, 'audit')).toEqual({ accountId: null, userId: null });
    expect(sightOf(auditor, 'read')).toEqual({ refused: 'scope-missing' });
    expect(sightOf(auditor, 'change')).toEqual({ refused: 'scope-missing' });
  });
});
