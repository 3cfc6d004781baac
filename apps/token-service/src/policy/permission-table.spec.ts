import type { Authority, Privilege, RefusalCode, Scope } from '@token-status/domain';

/**
 * Who may do what (rules 3, 4, 10, 13; `precise.md` 20, 22), spelled out. `permissions.unit.spec.ts` runs
 * the domain through every combination of it, `permissions.int.spec.ts` the API, and
 * `docs/permissions.md` is made from it.
 */

/** What a caller may do, on which authority; or the code of the answer that it gets instead. */
export type Answer =
  Authority | Exclude<RefusalCode, Authority> | 'user-unknown' | 'forbidden' | typeof NOTHING;

/** 200, and what the caller may not see is not among what is found. */
export const NOTHING = 'nothing';

export const WHOSE = [
  'their own',
  "a colleague's",
  "another account's",
  'of nobody known',
] as const;
export type Whose = (typeof WHOSE)[number];

/** `change` stands for each of {@link CHANGES}; `disableAll` is of a user; `bulk` is that token's part of it. */
export const ACTIONS = [
  'list',
  'get',
  'history',
  'search',
  'stream',
  'add',
  'change',
  'disableAll',
  'bulk',
] as const;
export type Action = (typeof ACTIONS)[number];
export const CHANGES = ['rename', 'disable', 'enable', 'revoke'] as const;

export type Answers = Readonly<Record<Action, Answer>>;

export interface UserRow {
  readonly caller: string;
  /** What it holds; scopes change nothing for a user. */
  readonly holds: readonly Privilege[];
  readonly may: Readonly<Record<Whose, Answers>>;
}

export interface ServiceRow {
  readonly caller: string;
  /** Every set of scopes that comes to this; privileges change nothing for a service. */
  readonly scopes: readonly (readonly Scope[])[];
  readonly may: Readonly<Record<'of anybody' | 'of nobody known', Answers>>;
}

/** To a stranger a token is not there, whether there is one or not. */
const STRANGER = {
  list: 'user-unknown',
  get: 'token-unknown',
  history: 'token-unknown',
  add: 'not-own-user',
  change: 'token-unknown',
  disableAll: 'user-unknown',
} as const;

const WITHOUT_PRIVILEGE = {
  'their own': {
    list: 'privilege-missing',
    get: 'privilege-missing',
    history: 'privilege-missing',
    search: 'privilege-missing',
    stream: 'privilege-missing',
    add: 'privilege-missing',
    change: 'privilege-missing',
    disableAll: 'privilege-missing',
    bulk: 'privilege-missing',
  },
  "a colleague's": {
    ...STRANGER,
    search: 'privilege-missing',
    stream: 'privilege-missing',
    bulk: 'privilege-missing',
  },
  "another account's": {
    ...STRANGER,
    search: 'privilege-missing',
    stream: 'privilege-missing',
    bulk: 'privilege-missing',
  },
  'of nobody known': {
    ...STRANGER,
    search: 'privilege-missing',
    stream: 'privilege-missing',
    bulk: 'privilege-missing',
  },
} as const satisfies UserRow['may'];

const WITH_API_ACCESS = {
  'their own': {
    list: 'owner',
    get: 'owner',
    history: 'owner',
    search: 'owner',
    stream: 'owner',
    add: 'owner',
    change: 'owner',
    disableAll: 'owner',
    bulk: 'forbidden',
  },
  "a colleague's": { ...STRANGER, search: NOTHING, stream: NOTHING, bulk: 'forbidden' },
  "another account's": { ...STRANGER, search: NOTHING, stream: NOTHING, bulk: 'forbidden' },
  'of nobody known': { ...STRANGER, search: NOTHING, stream: NOTHING, bulk: 'forbidden' },
} as const satisfies UserRow['may'];

export const USERS: readonly UserRow[] = [
  { caller: 'user without a privilege', holds: [], may: WITHOUT_PRIVILEGE },
  {
    caller: 'user with *Account Administration* alone',
    holds: ['Account Administration'],
    may: WITHOUT_PRIVILEGE,
  },
  { caller: 'user with *API Access*', holds: ['API Access'], may: WITH_API_ACCESS },
  {
    caller: 'administrator: *Account Administration* and *API Access*',
    holds: ['Account Administration', 'API Access'],
    may: {
      'their own': {
        list: 'administrator',
        get: 'administrator',
        history: 'administrator',
        search: 'administrator',
        stream: 'administrator',
        add: 'administrator',
        change: 'administrator',
        disableAll: 'administrator',
        bulk: 'administrator',
      },
      "a colleague's": {
        list: 'administrator',
        get: 'administrator',
        history: 'administrator',
        search: 'administrator',
        stream: 'administrator',
        // Whoever adds a token sees its secret, and could act as that user.
        add: 'not-own-user',
        change: 'administrator',
        disableAll: 'administrator',
        bulk: 'administrator',
      },
      "another account's": { ...STRANGER, search: NOTHING, stream: NOTHING, bulk: 'token-unknown' },
      'of nobody known': { ...STRANGER, search: NOTHING, stream: NOTHING, bulk: 'token-unknown' },
    },
  },
];

/** An API token as the caller (rule 10): its owner with *API Access*, whatever else the owner holds. */
export const API_TOKEN: UserRow = {
  caller: 'API token that is active, in place of an access token',
  holds: ['API Access'],
  may: WITH_API_ACCESS,
};

const everything = (answer: Answer): Answers => ({
  list: answer,
  get: answer,
  history: answer,
  search: answer,
  stream: answer,
  add: answer,
  change: answer,
  disableAll: answer,
  bulk: answer,
});
/** For who may ask of anybody's: a user without tokens isn't known, and gets one by adding. */
const nobody = (may: Answers): Answers => ({
  list: 'user-unknown',
  get: 'token-unknown',
  history: 'token-unknown',
  search: NOTHING,
  stream: NOTHING,
  add: may.add,
  change: may.change === 'scope-missing' ? 'scope-missing' : 'token-unknown',
  disableAll: may.change === 'scope-missing' ? 'scope-missing' : 'user-unknown',
  bulk: may.bulk === 'scope-missing' ? 'scope-missing' : 'token-unknown',
});
const READER: Answers = {
  list: 'administrator',
  get: 'administrator',
  history: 'administrator',
  search: 'administrator',
  stream: 'administrator',
  add: 'scope-missing',
  change: 'scope-missing',
  disableAll: 'scope-missing',
  bulk: 'scope-missing',
};

export const SERVICES: readonly ServiceRow[] = [
  {
    caller: 'service without a scope',
    scopes: [[]],
    may: {
      'of anybody': everything('scope-missing'),
      'of nobody known': everything('scope-missing'),
    },
  },
  {
    caller: 'service with `audit:read` alone',
    scopes: [['audit:read']],
    may: {
      'of anybody': {
        ...everything('scope-missing'),
        history: 'administrator',
      },
      'of nobody known': {
        ...everything('scope-missing'),
        history: 'token-unknown',
      },
    },
  },
  {
    caller: 'service with `tokens:read`',
    scopes: [['tokens:read'], ['tokens:read', 'audit:read']],
    may: { 'of anybody': READER, 'of nobody known': nobody(READER) },
  },
  {
    caller: 'service with `tokens:write`, whatever it may read',
    scopes: [
      ['tokens:write'],
      ['tokens:write', 'audit:read'],
      ['tokens:read', 'tokens:write'],
      ['tokens:read', 'tokens:write', 'audit:read'],
    ],
    may: {
      'of anybody': everything('administrator'),
      'of nobody known': nobody(everything('administrator')),
    },
  },
  {
    caller: 'service with `tokens:security`, whatever else it holds',
    scopes: [
      ['tokens:security'],
      ['tokens:security', 'audit:read'],
      ['tokens:read', 'tokens:security'],
      ['tokens:read', 'tokens:security', 'audit:read'],
      ['tokens:write', 'tokens:security'],
      ['tokens:write', 'tokens:security', 'audit:read'],
      ['tokens:read', 'tokens:write', 'tokens:security'],
      ['tokens:read', 'tokens:write', 'tokens:security', 'audit:read'],
    ],
    may: {
      'of anybody': everything('security'),
      'of nobody known': nobody(everything('security')),
    },
  },
];

/** Rule 4: on whose behalf it was disabled → on which authority it is to be enabled → whether it is. */
export const ENABLES: Readonly<Record<Authority, Readonly<Record<Authority, boolean>>>> = {
  owner: { owner: true, administrator: true, security: true },
  administrator: { owner: false, administrator: true, security: true },
  security: { owner: false, administrator: false, security: true },
};

const AUTHORITIES: readonly Authority[] = ['owner', 'administrator', 'security'];
export const isAuthority = (answer: Answer): answer is Authority =>
  AUTHORITIES.includes(answer as Authority);
