import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Authority } from '@token-status/domain';
import { CALLERS } from '../given/issuer.spec.js';
import { startService } from '../given/service.spec.js';
import type { Answer as HttpAnswer, ServiceUnderTest } from '../given/service.spec.js';
import { addToken } from '../given/token.spec.js';
import {
  API_TOKEN,
  ENABLES,
  NOTHING,
  SERVICES,
  USERS,
  WHOSE,
  isAuthority,
} from './permission-table.spec.js';
import type { Answer, Answers, Whose } from './permission-table.spec.js';

const AUTHORITIES = ['owner', 'administrator', 'security'] as const;

let service: ServiceUnderTest;
beforeAll(async () => {
  service = await startService({ settings: { tokensPerUser: 10_000 } });
  for (const whose of WHOSE) standing.set(whose, await standingTokensOf(whose));
  await service.project();
});
afterAll(() => service.close());

const OWNERS: Readonly<Record<Whose, { userId: string; accountId: string }>> = {
  'their own': { userId: 'u-me', accountId: 'acme' },
  "a colleague's": { userId: 'u-colleague', accountId: 'acme' },
  "another account's": { userId: 'u-stranger', accountId: 'globex' },
  'of nobody known': { userId: 'u-nobody', accountId: 'acme' },
};
const NO_TOKEN = `tok_${'9'.repeat(32)}`;

/** Tokens for what is expected to be refused, and so leaves them as they are. */
interface Standing {
  readonly active: string;
  readonly disabledAs: Readonly<Record<Authority, string>>;
}
const standing = new Map<Whose, Standing>();

const fresh = async (whose: Whose, disabledAs?: Authority): Promise<string> => {
  if (whose === 'of nobody known') return NO_TOKEN;
  const { id } = await addToken(service, OWNERS[whose]);
  if (disabledAs !== undefined) {
    const path = `/v1/tokens/${id}/disable`;
    const body = { authority: disabledAs };
    const { status } = await service.call('POST', path, { as: 'security', body });
    if (status !== 200) throw new Error(`${status}`);
  }
  return id;
};
async function standingTokensOf(whose: Whose): Promise<Standing> {
  const [owner, administrator, security] = [
    await fresh(whose, 'owner'),
    await fresh(whose, 'administrator'),
    await fresh(whose, 'security'),
  ];
  return { active: await fresh(whose), disabledAs: { owner, administrator, security } };
}

/** How a caller presents itself; a user by another id too, for what changes all that the user has. */
type Credential = (userId?: string) => Promise<string | undefined>;
let names = 0;

/** On which authority the event of an answer was recorded, or why there is none. */
async function recorded(answer: HttpAnswer): Promise<string> {
  if (answer.status >= 300) return `${answer.status} ${answer.json.code}`;
  const { position = 0 } = answer.json;
  for await (const { data } of service.log.read(position - 1, { upTo: position })) {
    return `as ${String(data.authority)}`;
  }
  throw new Error('the answer names no event');
}
const wanted = (answer: Answer): string => {
  if (isAuthority(answer)) return `as ${answer}`;
  if (answer === NOTHING) return answer;
  const status =
    { 'token-unknown': 404, 'user-unknown': 404, unauthenticated: 401, 'token-disabled': 401 }[
      answer as string
    ] ?? 403;
  return `${status} ${answer}`;
};

/** Reads from the beginning until the token comes; what does not come is told apart in the stream's own specs. */
async function streamed(
  authorization: string | undefined,
  tokenId: string,
  expected: Answer,
): Promise<string> {
  const enough = new AbortController();
  const answer = await fetch(`${service.url}/v1/stream?after=0`, {
    headers: { accept: 'text/event-stream', ...(authorization ? { authorization } : {}) },
    signal: AbortSignal.any([enough.signal, AbortSignal.timeout(20_000)]),
  });
  if (answer.status !== 200) {
    return `${answer.status} ${((await answer.json()) as { code: string }).code}`;
  }
  let text = '';
  try {
    if (!isAuthority(expected)) return NOTHING;
    const decoder = new TextDecoder();
    for await (const chunk of answer.body ?? []) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      if (text.includes(tokenId)) return `as ${expected}`;
    }
    return 'ended without it';
  } finally {
    enough.abort();
  }
}

/** What the API answers to everything that the table knows of, and what it should. */
async function compare(
  credential: Credential,
  kind: 'user' | 'service',
  whose: Whose,
  may: Answers,
): Promise<void> {
  const authorization = await credential();
  const askAs = (
    presented: string | undefined,
    method: string,
    path: string,
    body?: object,
  ): Promise<HttpAnswer> =>
    service.call(method, path, {
      ...(presented === undefined ? {} : { headers: { authorization: presented } }),
      ...(body ? { body } : {}),
    });
  const ask = (method: string, path: string, body?: object): Promise<HttpAnswer> =>
    askAs(authorization, method, path, body);
  const { userId, accountId } = OWNERS[whose];
  const still = standing.get(whose);
  if (!still) throw new Error('no tokens');
  const { active } = still;
  /** Whoever may see is not told on which authority, so the table's word is taken for it. */
  const seen = (answer: HttpAnswer, found: boolean, allowed: Answer): string => {
    if (answer.status !== 200) return `${answer.status} ${answer.json.code}`;
    if (!found) return NOTHING;
    return isAuthority(allowed) ? `as ${allowed}` : 'seen';
  };
  const named = (answer: HttpAnswer): boolean => answer.text.includes(active);
  const changeOf = async (
    make: () => Promise<string>,
    standingOne: string,
    expected: Answer,
    method: string,
    action: string,
    body?: object,
  ): Promise<string> => {
    const id = isAuthority(expected) ? await make() : standingOne;
    return recorded(await ask(method, `/v1/tokens/${id}${action}`, body));
  };

  const list = await ask('GET', `/v1/users/${userId}/tokens`);
  const get = await ask('GET', `/v1/tokens/${active}`);
  const history = await ask('GET', `/v1/tokens/${active}/events`);
  const search = await ask('GET', `/v1/tokens?user=${userId}&limit=1000`);
  const bulk = await ask('POST', '/v1/tokens/bulk', {
    action: 'disable',
    ids: [active],
    dryRun: true,
  });
  const disableAll = async (): Promise<string> => {
    let [presented, target] = [authorization, userId];
    if (whose !== 'of nobody known') {
      ({ userId: target } = await addToken(service, { userId: `u-all-${++names}`, accountId }));
      if (whose === 'their own') presented = await credential(target);
    }
    const answer = await askAs(presented, 'POST', `/v1/users/${target}/disable-all`);
    if (answer.status !== 200) return recorded(answer);
    const { results } = JSON.parse(answer.text) as { results: { position: number }[] };
    return recorded({ ...answer, json: { position: results[0]?.position ?? 0 } });
  };
  const inBulk = (): string => {
    if (bulk.status !== 200) return `${bulk.status} ${bulk.json.code}`;
    const { results } = JSON.parse(bulk.text) as {
      results: { id: string; result: string; code?: string }[];
    };
    const [only] = results;
    if (only?.result === 'refused') return `404 ${only.code}`;
    return only?.result === 'changed' && isAuthority(may.bulk) ? `as ${may.bulk}` : '?';
  };
  const whom = kind === 'service' ? { accountId, userName: 'x@example.com' } : {};
  const add = await ask(
    'POST',
    `/v1/users/${whose === 'of nobody known' ? `u-new-${++names}` : userId}/tokens`,
    {
      name: `new ${++names}`,
      ...whom,
    },
  );
  const rename = { name: `renamed ${++names}` };
  const enables: [string, string, string][] = [];
  for (const disabledWith of AUTHORITIES) {
    const { change } = may;
    const allowed = isAuthority(change) && ENABLES[disabledWith][change];
    const expected: Answer = isAuthority(change) && !allowed ? 'authority-too-low' : change;
    const make = (): Promise<string> => fresh(whose, disabledWith);
    const one = still.disabledAs[disabledWith];
    enables.push([
      `enable what was disabled as ${disabledWith}`,
      await changeOf(make, one, expected, 'POST', '/enable'),
      wanted(expected),
    ]);
  }
  const make = (): Promise<string> => fresh(whose);
  const rows: [string, string, string][] = [
    ['list', seen(list, named(list), may.list), wanted(may.list)],
    ['get', seen(get, named(get), may.get), wanted(may.get)],
    ['history', seen(history, named(history), may.history), wanted(may.history)],
    ['search', seen(search, named(search), may.search), wanted(may.search)],
    ['stream', await streamed(authorization, active, may.stream), wanted(may.stream)],
    ['bulk', inBulk(), wanted(may.bulk)],
    ['add', await recorded(add), wanted(may.add)],
    ['rename', await changeOf(make, active, may.change, 'PATCH', '', rename), wanted(may.change)],
    ['disable', await changeOf(make, active, may.change, 'POST', '/disable'), wanted(may.change)],
    ['revoke', await changeOf(make, active, may.change, 'DELETE', ''), wanted(may.change)],
    ...enables,
    ['disable all', await disableAll(), wanted(may.disableAll)],
  ];
  const shown = (which: 1 | 2) => rows.map((row) => `${row[0]}: ${row[which]}`);
  expect(shown(1)).toEqual(shown(2));
}

const bearing =
  (claims: Readonly<Record<string, unknown>>): Credential =>
  async (userId) =>
    `Bearer ${await service.issue(userId === undefined ? claims : { ...claims, sub: userId })}`;
const person = (privileges: readonly string[], scope?: string) => ({
  sub: 'u-me',
  account_id: 'acme',
  preferred_username: 'me@example.com',
  privileges,
  ...(scope === undefined ? {} : { scope }),
});

describe('who may do what, by the API', () => {
  const users = USERS.flatMap(({ caller, holds, may }) =>
    WHOSE.map((whose) => ({ caller, whose, holds, may: may[whose] })),
  );
  it.each(users)('$caller, tokens $whose', async ({ holds, whose, may }) => {
    await compare(bearing(person(holds)), 'user', whose, may);
  });

  it.each(users.filter(({ holds }) => holds.length < 2))(
    '$caller with every scope, tokens $whose',
    async ({ holds, whose, may }) => {
      const scope = 'tokens:read tokens:write tokens:security audit:read';
      await compare(bearing(person(holds, scope)), 'user', whose, may);
    },
  );

  it.each(WHOSE)('an API token as the caller, tokens %s', async (whose) => {
    const presented: Credential = async (userId = 'u-me') => {
      const { secret } = await addToken(service, { userId });
      const basic = Buffer.from(`BOOMI_TOKEN.${userId}@example.com:${secret}`).toString('base64');
      return `Basic ${basic}`;
    };
    await compare(presented, 'user', whose, API_TOKEN.may[whose]);
  });

  const services = SERVICES.flatMap(({ scopes, may }) =>
    scopes.flatMap((each) =>
      (["a colleague's", "another account's", 'of nobody known'] as const).map((whose) => ({
        scope: each.join(' '),
        whose,
        may: may[whose === 'of nobody known' ? 'of nobody known' : 'of anybody'],
      })),
    ),
  );
  it.each(services)('a service with the scopes "$scope", tokens $whose', async (row) => {
    const claims = { sub: 'a-service', client_id: 'a-service', scope: row.scope };
    await compare(bearing(claims), 'service', row.whose, row.may);
  });

  it.each(WHOSE)('nobody, tokens %s: 401', async (whose) => {
    const answer = 'unauthenticated';
    await compare(() => Promise.resolve(undefined), 'user', whose, {
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
  });

  it('another account’s administrator sees of ours what a stranger sees', async () => {
    const claims = CALLERS.mallory;
    const may = USERS.find(({ holds }) => holds.length === 2)?.may["another account's"];
    if (!may) throw new Error('no administrator');
    await compare(bearing(claims), 'user', "a colleague's", may);
  });
});
