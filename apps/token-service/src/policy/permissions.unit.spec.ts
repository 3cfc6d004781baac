import { describe, expect, it } from '@jest/globals';
import {
  authorityOver,
  decide,
  evolve,
  isRefusal,
  noTokens,
  sees,
  sightOf,
} from '@token-status/domain';
import type {
  Authority,
  Caller,
  Decision,
  Owner,
  Privilege,
  Refusal,
  Scope,
  TokenCommand,
  Tokens,
} from '@token-status/domain';
import {
  ACTIONS,
  API_TOKEN,
  CHANGES,
  ENABLES,
  NOTHING,
  SERVICES,
  USERS,
  WHOSE,
  isAuthority,
} from './permission-table.spec.js';
import type { Action, Answer, Answers, Whose } from './permission-table.spec.js';

const NOON = '2030-01-01T12:00:00.000Z';
const PRIVILEGES: readonly Privilege[] = ['API Access', 'Account Administration'];
const SCOPES: readonly Scope[] = ['tokens:read', 'tokens:write', 'tokens:security', 'audit:read'];
const AUTHORITIES = ['owner', 'administrator', 'security'] as const;

/** Every set that can be made of them: what is in it and what is not, once each. */
const setsOf = <T>(things: readonly T[]): T[][] =>
  things.reduce<T[][]>((sets, thing) => [...sets, ...sets.map((set) => [...set, thing])], [[]]);
const same = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((each) => b.includes(each));

const OWNERS: Readonly<Record<Whose, Owner>> = {
  'their own': { userId: 'me', accountId: 'acme' },
  "a colleague's": { userId: 'u-colleague', accountId: 'acme' },
  "another account's": { userId: 'u-stranger', accountId: 'globex' },
  'of nobody known': { userId: 'u-nobody', accountId: 'acme' },
};
const TOKEN = `tok_${'1'.repeat(32)}`;
const ASKED_WITH = `tok_${'2'.repeat(32)}`;
const NOBODY: Owner = { userId: '', accountId: '' };

const facts = (caller: Caller) => ({ at: NOON, commandId: 'c'.repeat(32), caller, origin: null });
const scanner: Caller = {
  kind: 'service',
  id: 'scanner',
  accountId: null,
  privileges: new Set(),
  scopes: new Set(['tokens:security']),
};
const add = (caller: Caller, owner: Owner, tokenId = TOKEN): TokenCommand => ({
  type: 'AddToken',
  ...facts(caller),
  ...owner,
  tokenId,
  name: `name of ${tokenId}`,
  hint: 'abcdef',
  secretDigest: 'd'.repeat(64),
  userNameDigest: 'e'.repeat(64),
  expiresAt: null,
  limit: 5,
});
const disable = (caller: Caller, authority?: Authority): TokenCommand => ({
  type: 'DisableToken',
  ...facts(caller),
  tokenId: TOKEN,
  authority,
  reason: null,
  note: null,
  until: null,
});
const after = (...commands: readonly TokenCommand[]): Tokens =>
  commands.reduce((tokens, command) => {
    const decided = decide(tokens, command);
    if (isRefusal(decided)) throw new Error(decided.refused);
    return decided.reduce(evolve, tokens);
  }, noTokens);

/** On which authority it was done, or why it was not. */
const answerOf = (decided: Decision): Answer => {
  if (isRefusal(decided)) return decided.refused;
  const [event] = decided;
  if (!event || decided.length > 1) throw new Error('each of these leads to one event');
  return event.authority;
};
const judged = (given: Authority | Refusal): Answer =>
  typeof given === 'string' ? given : given.refused;

/** The domain's answers, as the use cases ask for them. */
function answersFor(caller: Caller, whose: Whose): readonly (readonly [Action, string, Answer])[] {
  const owner = OWNERS[whose];
  const exists = whose !== 'of nobody known';
  const own = { userId: caller.id, accountId: caller.accountId ?? '' };
  // Who asks with an API token has that one, too.
  const askedWith = caller.tokenId === undefined ? [] : [add(scanner, own, ASKED_WITH)];
  const tokens = after(...askedWith, ...(exists ? [add(scanner, owner)] : []));
  const disabledBy = (authority: Authority): Tokens =>
    exists ? disable_(tokens, authority) : tokens;
  const one = (action: 'read' | 'audit' | 'change'): Answer => {
    const answer = judged(authorityOver(caller, exists ? owner : NOBODY, action));
    return isAuthority(answer) && !exists ? 'token-unknown' : answer;
  };
  const many = (): Answer => {
    const sight = sightOf(caller, 'read');
    if (isRefusal(sight)) return sight.refused;
    return exists && sees(sight, owner) ? one('read') : NOTHING;
  };
  const rename: TokenCommand = {
    type: 'RenameToken',
    ...facts(caller),
    tokenId: TOKEN,
    name: 'another',
  };
  const revoke: TokenCommand = {
    type: 'RevokeToken',
    ...facts(caller),
    tokenId: TOKEN,
    reason: null,
    note: null,
  };
  const inBulk = (): Answer => {
    const sight = sightOf(caller, 'change');
    if (isRefusal(sight)) return sight.refused;
    return sight.userId !== null ? 'forbidden' : answerOf(decide(tokens, disable(caller)));
  };
  const ofUser = (answer: Answer): Answer => (answer === 'token-unknown' ? 'user-unknown' : answer);
  return [
    ['list', 'list', ofUser(one('read'))],
    ['get', 'get', one('read')],
    ['history', 'history', one('audit')],
    ['search', 'search', many()],
    ['stream', 'stream', many()],
    ['add', 'add', answerOf(decide(after(...askedWith), add(caller, owner)))],
    ['change', 'rename', answerOf(decide(tokens, rename))],
    ['change', 'disable', answerOf(decide(tokens, disable(caller)))],
    ['change', 'enable', answerOf(decide(disabledBy('owner'), enable(caller)))],
    ['change', 'revoke', answerOf(decide(tokens, revoke))],
    ['disableAll', 'disable all', ofUser(one('change'))],
    ['bulk', 'bulk', inBulk()],
  ];
}

const enable = (caller: Caller, authority?: Authority): TokenCommand => ({
  type: 'EnableToken',
  ...facts(caller),
  tokenId: TOKEN,
  authority,
  reason: null,
  note: null,
});
function disable_(tokens: Tokens, authority: Authority): Tokens {
  const decided = decide(tokens, disable(scanner, authority));
  if (isRefusal(decided)) throw new Error(decided.refused);
  return decided.reduce(evolve, tokens);
}

const user = (privileges: readonly Privilege[], scopes: readonly Scope[]): Caller => ({
  kind: 'user',
  id: 'me',
  accountId: 'acme',
  privileges: new Set(privileges),
  scopes: new Set(scopes),
});
const service = (privileges: readonly Privilege[], scopes: readonly Scope[]): Caller => ({
  kind: 'service',
  id: 'me',
  accountId: null,
  privileges: new Set(privileges),
  scopes: new Set(scopes),
});

/** Every caller that there can be, with what the table says of it. */
const callers: readonly { name: string; caller: Caller; may: (whose: Whose) => Answers }[] = [
  ...setsOf(PRIVILEGES).flatMap((privileges) =>
    setsOf(SCOPES).map((scopes) => {
      const row = USERS.find(({ holds }) => same(holds, privileges));
      if (!row) throw new Error(`no row for a user who holds ${privileges.join(', ')}`);
      return {
        name: `${row.caller} [${scopes.join(' ')}]`,
        caller: user(privileges, scopes),
        may: (whose: Whose) => row.may[whose],
      };
    }),
  ),
  ...setsOf(SCOPES).flatMap((scopes) =>
    setsOf(PRIVILEGES).map((privileges) => {
      const rows = SERVICES.filter((row) => row.scopes.some((each) => same(each, scopes)));
      const [row] = rows;
      if (!row || rows.length > 1) throw new Error(`${rows.length} rows for ${scopes.join(' ')}`);
      return {
        name: `${row.caller} [${privileges.join(', ')}; ${scopes.join(' ')}]`,
        caller: service(privileges, scopes),
        may: (whose: Whose) =>
          row.may[whose === 'of nobody known' ? 'of nobody known' : 'of anybody'],
      };
    }),
  ),
  {
    name: API_TOKEN.caller,
    caller: { ...user(['API Access'], []), tokenId: ASKED_WITH },
    may: (whose: Whose) => API_TOKEN.may[whose],
  },
];

describe('who may do what, by the domain', () => {
  it('is asked of every caller that there can be', () => {
    expect(callers).toHaveLength(2 * 4 * 16 + 1);
  });

  it.each(callers)('$name', ({ caller, may }) => {
    for (const whose of WHOSE) {
      const answers = answersFor(caller, whose);
      expect([...new Set(answers.map(([action]) => action))].sort()).toEqual([...ACTIONS].sort());
      const wanted = answers.map(([action, each]) => [whose, each, may(whose)[action]]);
      expect(answers.map(([, each, answer]) => [whose, each, answer])).toEqual(wanted);
    }
  });

  it('stands with every change for itself', () => {
    const named = answersFor(user(['API Access'], []), 'their own')
      .filter(([action]) => action === 'change')
      .map(([, each]) => each);
    expect(named).toEqual([...CHANGES]);
  });
});

describe('who may enable what was disabled on which authority (rule 4)', () => {
  it.each(callers)('$name', ({ caller, may }) => {
    for (const whose of WHOSE) {
      const allowed = may(whose).change;
      if (!isAuthority(allowed)) continue;
      for (const disabledWith of AUTHORITIES) {
        const tokens = disable_(
          after(
            ...(caller.tokenId === undefined
              ? []
              : [add(scanner, OWNERS['their own'], ASKED_WITH)]),
            add(scanner, OWNERS[whose]),
          ),
          disabledWith,
        );
        // On the highest that it has, and on each that it may name.
        const row = ENABLES[disabledWith];
        const wanted = (on: Authority): Answer => (row[on] ? on : 'authority-too-low');
        expect([disabledWith, answerOf(decide(tokens, enable(caller)))]).toEqual([
          disabledWith,
          wanted(allowed),
        ]);
        for (const named of AUTHORITIES) {
          const tooHigh = AUTHORITIES.indexOf(named) > AUTHORITIES.indexOf(allowed);
          expect([disabledWith, named, answerOf(decide(tokens, enable(caller, named)))]).toEqual([
            disabledWith,
            named,
            tooHigh ? 'authority-too-low' : wanted(named),
          ]);
        }
      }
    }
  });
});

describe('an API token that is not active (rule 10)', () => {
  const caller: Caller = { ...user(['API Access'], []), tokenId: TOKEN };
  const own = after(add(scanner, OWNERS['their own']));
  it('can do nothing any more: not even enable itself', () => {
    const disabled = disable_(own, 'owner');
    expect(answerOf(decide(own, disable(caller)))).toBe('owner');
    for (const command of [
      enable(caller),
      disable(caller),
      add(caller, OWNERS['their own'], 'x'),
    ]) {
      expect(answerOf(decide(disabled, command))).toBe('token-disabled');
    }
  });
});
