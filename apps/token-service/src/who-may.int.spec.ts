import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AUDIENCE } from './given/issuer.spec.js';
import type { CallerName } from './given/issuer.spec.js';
import { startService } from './given/service.spec.js';
import type { Answer, ServiceUnderTest } from './given/service.spec.js';
import { addToken } from './given/token.spec.js';

let service: ServiceUnderTest;
/** Tokens that hold still: alice's and bob's of acme, mallory's of globex. */
const ids = { alice: '', bob: '', mallory: '', nobody: `tok_${'9'.repeat(32)}` };

beforeAll(async () => {
  service = await startService({ settings: { tokensPerUser: 100 } });
  ids.alice = (await addToken(service, { userId: 'u-alice' })).id;
  ids.bob = (await addToken(service, { userId: 'u-bob' })).id;
  ids.mallory = (await addToken(service, { userId: 'u-mallory', accountId: 'globex' })).id;
  await service.project();
});
afterAll(() => service.close());

type Whose = keyof typeof ids;
let names = 0;

/** Each asked so that whoever may gets a 2xx, however often it is asked before. */
const ENDPOINTS = {
  add: (whose: Whose, as?: CallerName) =>
    service.call('POST', `/v1/users/u-${whose}/tokens`, {
      ...(as ? { as } : {}),
      body: {
        name: `name ${++names}`,
        ...(as === undefined || ['alice', 'carol', 'admin', 'bob', 'mallory'].includes(as)
          ? {}
          : { accountId: whose === 'mallory' ? 'globex' : 'acme', userName: 'x@example.com' }),
      },
    }),
  list: (whose: Whose, as?: CallerName) => ask('GET', `/v1/users/u-${whose}/tokens`, as),
  get: (whose: Whose, as?: CallerName) => ask('GET', `/v1/tokens/${ids[whose]}`, as),
  rename: (whose: Whose, as?: CallerName) =>
    ask('PATCH', `/v1/tokens/${ids[whose]}`, as, { name: `name ${++names}` }),
  disable: (whose: Whose, as?: CallerName) =>
    ask('POST', `/v1/tokens/${ids[whose]}/disable`, as, { authority: 'owner' }),
  enable: (whose: Whose, as?: CallerName) =>
    ask('POST', `/v1/tokens/${ids[whose]}/enable`, as, { authority: 'owner' }),
  revoke: async (whose: Whose, as?: CallerName) => {
    // One of its own, since it is for ever.
    const accountId = whose === 'mallory' ? 'globex' : 'acme';
    const id =
      whose === 'nobody'
        ? ids.nobody
        : (await addToken(service, { userId: `u-${whose}`, accountId })).id;
    return ask('DELETE', `/v1/tokens/${id}`, as);
  },
} as const;

const ask = (method: string, path: string, as?: CallerName, body?: unknown): Promise<Answer> =>
  service.call(method, path, { ...(as ? { as } : {}), ...(body ? { body } : {}) });

const all = Object.keys(ENDPOINTS) as (keyof typeof ENDPOINTS)[];
const reads = ['list', 'get'] as const;
const changes = ['rename', 'disable', 'enable', 'revoke'] as const;
const may = (answer: Answer): string =>
  answer.status < 300 ? 'may' : `${answer.status} ${answer.json.code}`;

/** Whoever asks, of whom, what: and the answer. What is not in the table is closed by the next test. */
const TABLE: readonly (readonly [
  CallerName,
  Whose,
  readonly (keyof typeof ENDPOINTS)[],
  string,
])[] = [
  ['alice', 'alice', all, 'may'],
  ['alice', 'bob', ['add'], '403 not-own-user'],
  ['alice', 'bob', ['list'], '404 user-unknown'],
  ['alice', 'bob', ['get', ...changes], '404 token-unknown'],
  ['alice', 'nobody', ['list'], '404 user-unknown'],
  ['alice', 'nobody', ['get', ...changes], '404 token-unknown'],
  ['admin', 'alice', [...reads, ...changes], 'may'],
  ['admin', 'alice', ['add'], '403 not-own-user'],
  ['admin', 'mallory', ['list'], '404 user-unknown'],
  ['admin', 'mallory', ['get', ...changes], '404 token-unknown'],
  ['admin', 'nobody', ['list'], '404 user-unknown'],
  ['admin', 'nobody', ['get', ...changes], '404 token-unknown'],
  ['bob', 'bob', ['add', ...reads, ...changes], '403 privilege-missing'],
  ['bob', 'alice', ['list'], '404 user-unknown'],
  ['bob', 'alice', ['get', ...changes], '404 token-unknown'],
  ['mallory', 'alice', ['add'], '403 not-own-user'],
  ['mallory', 'alice', ['list'], '404 user-unknown'],
  ['mallory', 'alice', ['get', ...changes], '404 token-unknown'],
  ['mallory', 'mallory', all, 'may'],
  ['security', 'alice', all, 'may'],
  ['security', 'mallory', all, 'may'],
  ['security', 'nobody', ['list'], '404 user-unknown'],
  ['security', 'nobody', ['get', ...changes], '404 token-unknown'],
  ['writer', 'alice', all, 'may'],
  ['reader', 'alice', reads, 'may'],
  ['reader', 'alice', ['add', ...changes], '403 scope-missing'],
  ['reader', 'nobody', changes, '403 scope-missing'],
  ['auditor', 'alice', all, '403 scope-missing'],
  ['auditor', 'nobody', [...reads, ...changes], '403 scope-missing'],
  ['oddService', 'alice', all, '401 unauthenticated'],
];

describe('who may do what', () => {
  it.each(
    TABLE.flatMap(([as, whose, actions, answer]) =>
      actions.map((action) => [as, action, whose, answer] as const),
    ),
  )('%s may %s the tokens of %s: %s', async (as, action, whose, answer) => {
    expect(may(await ENDPOINTS[action](whose, as))).toBe(answer);
  });

  it.each(all)('nobody may %s without an access token', async (action) => {
    const answer = await ENDPOINTS[action]('alice');
    expect(may(answer)).toBe('401 unauthenticated');
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
  });

  it('an access token for another audience, a damaged one and none that is known are one answer', async () => {
    const path = `/v1/tokens/${ids.alice}`;
    const good = await service.token('alice', AUDIENCE);
    const answers = [];
    for (const bearer of [await service.token('alice', 'urn:another'), `${good}x`, 'nonsense']) {
      const answer = await service.call('GET', path, { bearer });
      answers.push([
        answer.status,
        { ...answer.json, instance: '' },
        answer.headers.get('www-authenticate'),
      ]);
    }
    expect(answers[0]?.[0]).toBe(401);
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
  });

  it.each([
    ['get', 'mallory'],
    ['get', 'bob'],
  ] as const)(
    'whoever may not %s a token of %s can not tell it from none',
    async (action, whose) => {
      const foreign = await ENDPOINTS[action](whose, 'alice');
      const none = await ENDPOINTS[action]('nobody', 'alice');
      const shown = ({ status, json, headers }: Answer) => [
        status,
        { ...json, instance: '' },
        [...headers.keys()].sort(),
      ];
      expect(shown(foreign)).toEqual(shown(none));
    },
  );

  it('what was refused is in no event', async () => {
    const before = (await service.events()).length;
    for (const [as, whose, actions, answer] of TABLE) {
      if (answer === 'may') continue;
      for (const action of actions.filter((each) => each !== 'revoke')) {
        await ENDPOINTS[action](whose, as);
      }
    }
    expect(await service.events()).toHaveLength(before);
  });
});
