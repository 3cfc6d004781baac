import { describe, expect, it } from '@jest/globals';
import { AUTHORITIES, authorityFor, authorityOver, mayAddFor, outranks } from './policy.js';
import type { Authority, Caller, Owner, Privilege, Scope } from './policy.js';
import type { RefusalCode } from './refusals.js';

type Answer = Authority | RefusalCode;

const answer = (given: ReturnType<typeof authorityOver>): Answer =>
  typeof given === 'string' ? given : given.refused;

const user = (privileges: readonly Privilege[], over: Partial<Caller> = {}): Caller => ({
  kind: 'user',
  id: 'u-me',
  accountId: 'acme',
  privileges: new Set(privileges),
  scopes: new Set(),
  ...over,
});

const service = (scopes: readonly Scope[], over: Partial<Caller> = {}): Caller => ({
  kind: 'service',
  id: 'a-service',
  accountId: null,
  privileges: new Set(),
  scopes: new Set(scopes),
  ...over,
});

const owners = {
  'their own': { userId: 'u-me', accountId: 'acme' },
  "a colleague's": { userId: 'u-colleague', accountId: 'acme' },
  "another account's": { userId: 'u-stranger', accountId: 'globex' },
  "another account's user of the same id's": { userId: 'u-me', accountId: 'globex' },
} as const satisfies Record<string, Owner>;
type Whose = keyof typeof owners;

const NONE = 'token-unknown';

const users: readonly {
  readonly holding: readonly Privilege[];
  readonly may: Readonly<Record<Whose, Answer>>;
}[] = [
  {
    holding: [],
    may: {
      'their own': 'privilege-missing',
      "a colleague's": NONE,
      "another account's": NONE,
      "another account's user of the same id's": NONE,
    },
  },
  {
    holding: ['API Access'],
    may: {
      'their own': 'owner',
      "a colleague's": NONE,
      "another account's": NONE,
      "another account's user of the same id's": NONE,
    },
  },
  {
    holding: ['Account Administration'],
    may: {
      'their own': 'privilege-missing',
      "a colleague's": NONE,
      "another account's": NONE,
      "another account's user of the same id's": NONE,
    },
  },
  {
    holding: ['Account Administration', 'API Access'],
    may: {
      'their own': 'administrator',
      "a colleague's": 'administrator',
      "another account's": NONE,
      "another account's user of the same id's": NONE,
    },
  },
];

const services: readonly (readonly [readonly Scope[], { read: Answer; change: Answer }])[] = [
  [[], { read: 'scope-missing', change: 'scope-missing' }],
  [['tokens:read'], { read: 'administrator', change: 'scope-missing' }],
  [['tokens:write'], { read: 'administrator', change: 'administrator' }],
  [['tokens:security'], { read: 'security', change: 'security' }],
  [['tokens:read', 'tokens:write'], { read: 'administrator', change: 'administrator' }],
  [['tokens:read', 'tokens:security'], { read: 'security', change: 'security' }],
  [['tokens:write', 'tokens:security'], { read: 'security', change: 'security' }],
  [['tokens:read', 'tokens:write', 'tokens:security'], { read: 'security', change: 'security' }],
];

const both = ['read', 'change'] as const;
const listed = (things: readonly string[]): string =>
  things.length === 0 ? 'nothing' : things.join(' and ');

describe('the authority of a caller over tokens (rules 3 and 22)', () => {
  const userRows = users.flatMap(({ holding, may }) =>
    both.flatMap((action) =>
      Object.entries(may).map(([whose, expected]) => ({
        caller: user(holding),
        holding: listed(holding),
        action,
        whose: whose as Whose,
        expected,
      })),
    ),
  );
  it.each(userRows)(
    'of a user who holds $holding, to $action $whose token: $expected',
    ({ caller, action, whose, expected }) => {
      expect(answer(authorityOver(caller, owners[whose], action))).toBe(expected);
    },
  );

  const serviceRows = services.flatMap(([scopes, expected]) =>
    [scopes, [...scopes, 'audit:read' as const]].flatMap((all) =>
      both.map((action) => ({
        caller: service(all),
        scopes: listed(all),
        action,
        expected: expected[action],
      })),
    ),
  );
  it.each(serviceRows)(
    "of a service with the scopes $scopes, to $action anybody's token: $expected",
    ({ caller, action, expected }) => {
      for (const owner of Object.values(owners)) {
        expect(answer(authorityOver(caller, owner, action))).toBe(expected);
      }
    },
  );

  it('comes from privileges for users alone, and from scopes for services alone', () => {
    const scoped = user([], { scopes: new Set<Scope>(['tokens:security', 'tokens:write']) });
    expect(answer(authorityOver(scoped, owners['their own'], 'change'))).toBe('privilege-missing');
    const privileged = service([], {
      id: 'u-me',
      accountId: 'acme',
      privileges: new Set<Privilege>(['Account Administration', 'API Access']),
    });
    expect(answer(authorityOver(privileged, owners['their own'], 'change'))).toBe('scope-missing');
  });

  it.each(both)('of a user without an account, to %s a token: none', (action) => {
    const homeless = user(['Account Administration', 'API Access'], { accountId: null });
    for (const owner of Object.values(owners)) {
      expect(answer(authorityOver(homeless, owner, action))).toBe(NONE);
    }
  });
});

describe('the authority that a change is made on', () => {
  const highest: Readonly<Record<Authority, Caller>> = {
    owner: user(['API Access']),
    administrator: user(['API Access', 'Account Administration']),
    security: service(['tokens:security']),
  };
  const rows: readonly (readonly [Authority, Authority | undefined, Answer])[] = [
    ['owner', undefined, 'owner'],
    ['owner', 'owner', 'owner'],
    ['owner', 'administrator', 'authority-too-low'],
    ['owner', 'security', 'authority-too-low'],
    ['administrator', undefined, 'administrator'],
    ['administrator', 'owner', 'owner'],
    ['administrator', 'administrator', 'administrator'],
    ['administrator', 'security', 'authority-too-low'],
    ['security', undefined, 'security'],
    ['security', 'owner', 'owner'],
    ['security', 'administrator', 'administrator'],
    ['security', 'security', 'security'],
  ];
  it.each(rows)('of a caller with that of %s who names %s: %s', (has, named, expected) => {
    expect(answer(authorityFor(highest[has], owners['their own'], named))).toBe(expected);
  });

  it('is refused for the token first, whatever is named', () => {
    for (const named of [undefined, ...AUTHORITIES]) {
      expect(answer(authorityFor(highest.owner, owners["a colleague's"], named))).toBe(NONE);
      expect(answer(authorityFor(service(['tokens:read']), owners['their own'], named))).toBe(
        'scope-missing',
      );
    }
  });

  it('is ordered owner, administrator, security', () => {
    const order = AUTHORITIES.flatMap((a) =>
      AUTHORITIES.filter((b) => outranks(a, b)).map((b) => [a, b]),
    );
    expect(order).toStrictEqual([
      ['administrator', 'owner'],
      ['security', 'owner'],
      ['security', 'administrator'],
    ]);
  });
});

describe('adding a token for a user', () => {
  const OTHERS = 'not-own-user';
  const rows: readonly (readonly [string, Caller, Readonly<Record<Whose, Answer>>])[] = [
    ['a user who holds nothing', user([]), table('privilege-missing', OTHERS)],
    ['a user with API Access', user(['API Access']), table('owner', OTHERS)],
    [
      'a user with Account Administration alone',
      user(['Account Administration']),
      table('privilege-missing', OTHERS),
    ],
    [
      'an administrator, on the highest authority held,',
      user(['Account Administration', 'API Access']),
      table('administrator', OTHERS),
    ],
    [
      'a service that may only read',
      service(['tokens:read']),
      table('scope-missing', 'scope-missing'),
    ],
    [
      'a service that may write',
      service(['tokens:write']),
      table('administrator', 'administrator'),
    ],
    ['a service of security', service(['tokens:security']), table('security', 'security')],
  ];
  function table(own: Answer, others: Answer): Readonly<Record<Whose, Answer>> {
    return {
      'their own': own,
      "a colleague's": others,
      "another account's": others,
      "another account's user of the same id's": others,
    };
  }
  it.each(
    rows.flatMap(([who, caller, may]) =>
      Object.entries(may).map(([whose, expected]) => ({ who, caller, whose, expected })),
    ),
  )('by $who as $whose token: $expected', ({ caller, whose, expected }) => {
    expect(answer(mayAddFor(caller, owners[whose as Whose]))).toBe(expected);
  });
});
