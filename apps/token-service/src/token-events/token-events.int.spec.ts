import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CallerName } from '../given/issuer.spec.js';
import { startService } from '../given/service.spec.js';
import type { Answer, ServiceUnderTest } from '../given/service.spec.js';
import { addToken } from '../given/token.spec.js';
import type { EventJson } from './event-json.js';

// Nothing is projected: the history is the log's.
let service: ServiceUnderTest;
let id: string;
/** What the log says of the token, in order. */
let positions: number[];
let breakOffAt = 0;

const url = (query = '', tokenId = id): string => `/v1/tokens/${tokenId}/events${query}`;
const read = (as: CallerName, query = '', accept = 'application/json'): Promise<Answer> =>
  service.call('GET', url(query), { as, headers: { accept } });
interface Page {
  readonly events: readonly EventJson[];
  readonly next: number | null;
}
const page = ({ json }: Answer): Page => json as unknown as Page;
/** An answer that is not JSON as a whole. */
async function lines(as: CallerName, query = '', accept = 'application/x-ndjson') {
  const response = await fetch(`${service.url}${url(query)}`, {
    headers: { authorization: `Bearer ${await service.token(as)}`, accept },
    signal: AbortSignal.timeout(20_000),
  });
  const text = await response.text();
  expect(text === '' || text.endsWith('\n')).toBe(true);
  const events = text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as EventJson);
  return { response, events };
}

beforeAll(async () => {
  service = await startService({
    around: ({ log, ...rest }) => ({
      ...rest,
      log: {
        ...log,
        read: async function* (after, options) {
          for await (const event of log.read(after, options)) {
            if (event.position === breakOffAt) throw new Error('the log went away');
            yield event;
          }
        },
      },
    }),
  });
  id = (await addToken(service, { userId: 'u-alice', name: 'first name' })).id;
  await addToken(service, { userId: 'u-alice', name: 'another' });
  const ask = (method: string, path: string, as: CallerName, body?: unknown) =>
    service.call(method, `/v1/tokens/${id}${path}`, { as, body });
  await ask('PATCH', '', 'alice', { name: 'second name' });
  await ask('POST', '/disable', 'alice', { reason: 'rotation', note: 'for a while' });
  await ask('POST', '/disable', 'admin', { reason: 'exposed', until: '2030-02-01T00:00:00Z' });
  await ask('POST', '/enable', 'admin', { note: 'found again' });
  await ask('DELETE', '', 'security');
  positions = (await service.events())
    .filter(({ data }) => data.tokenId === id)
    .map(({ position }) => position);
});
afterAll(() => service.close());

describe("a token's history", () => {
  it('says what was done, by whom, on whose authority, when, why and by which command, oldest first', async () => {
    const answer = await read('alice');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('vary')).toContain('Accept');
    const { events, next } = page(answer);
    expect(next).toBeNull();
    expect(events.map(({ position }) => position)).toEqual(positions);
    expect(events.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6]);
    const facts = { tokenId: id, userId: 'u-alice', accountId: 'acme', at: expect.any(String) };
    const alice = { by: { kind: 'user', id: 'u-alice' }, authority: 'owner' };
    const admin = { by: { kind: 'user', id: 'u-admin' }, authority: 'administrator' };
    expect(events).toMatchObject([
      { type: 'TokenAdded', ...facts, name: 'first name', expiresAt: null },
      { type: 'TokenRenamed', ...facts, ...alice, name: 'second name' },
      { type: 'TokenDisabled', ...facts, ...alice, reason: 'rotation', note: 'for a while' },
      { type: 'TokenDisabled', ...facts, ...admin, disabledWith: 'administrator', note: null },
      { type: 'TokenEnabled', ...facts, ...admin, cause: 'command', note: 'found again' },
      { type: 'TokenRevoked', ...facts, authority: 'security', reason: null },
    ]);
    for (const event of events) expect(event.commandId).toMatch(/^[0-9a-f]{32}$/);
  });

  it('never holds a digest, and nothing sealed', async () => {
    for (const as of ['alice', 'admin', 'security'] as const) {
      expect((await read(as)).text).not.toMatch(/igest|"v1\.|tst_/);
    }
  });

  it('says from where only to who manages the tokens of others', async () => {
    for (const as of ['admin', 'reader', 'auditor'] as const) {
      expect(page(await read(as)).events.map(({ origin }) => origin)).toEqual(
        positions.map(() => '127.0.0.1'),
      );
    }
    expect((await read('alice')).text).not.toMatch(/origin|127\.0\.0\.1/);
  });

  it.each<[CallerName | undefined, number, string]>([
    [undefined, 401, 'unauthenticated'],
    ['bob', 404, 'token-unknown'],
    ['carol', 404, 'token-unknown'],
    ['mallory', 404, 'token-unknown'],
    ['namelessUser', 200, ''],
  ])('is answered to %s with %i', async (as, status, code) => {
    const answer = await service.call('GET', url(), as ? { as } : {});
    expect([answer.status, answer.json.code ?? '']).toEqual([status, code]);
  });

  it('of what is not there is 404, also to who sees everything', async () => {
    for (const unknown of [`tok_${'9'.repeat(32)}`, 'tok_x']) {
      const answer = await service.call('GET', url('', unknown), { as: 'security' });
      expect([answer.status, answer.json.code]).toEqual([404, 'token-unknown']);
    }
  });

  it('is 403 to its own user without API Access', async () => {
    const own = await addToken(service, { userId: 'u-bob' });
    const answer = await service.call('GET', url('', own.id), { as: 'bob' });
    expect([answer.status, answer.json.code]).toEqual([403, 'privilege-missing']);
  });

  it('comes page by page', async () => {
    const first = await read('alice', '?limit=4');
    expect(page(first).events.map(({ version }) => version)).toEqual([1, 2, 3, 4]);
    expect(page(first).next).toBe(positions[3]);
    const [, link = ''] = /^<(.*)>; rel="next"$/.exec(first.headers.get('link') ?? '') ?? [];
    const second = await read('alice', link);
    expect(page(second).events.map(({ version }) => version)).toEqual([5, 6]);
    expect(page(second).next).toBeNull();
    expect(page(await read('alice', `?after=${positions[5]}`)).events).toEqual([]);
  });

  it('comes as lines where they are preferred, in one go', async () => {
    const { response, events } = await lines('admin');
    expect(response.headers.get('content-type')).toMatch(/^application\/x-ndjson/);
    expect(events).toEqual(page(await read('admin')).events);
    expect((await lines('admin', `?after=${positions[4]}`)).events).toHaveLength(1);
    const limited = await lines('admin', '?limit=2');
    expect(limited.events).toHaveLength(2);
    expect(limited.response.headers.get('link')).toContain(`after=${positions[1]}`);
    expect((await lines('admin', `?after=${positions[5]}`)).events).toEqual([]);
  });

  it.each([
    ['*/*', 'application/json'],
    ['application/*', 'application/json'],
    ['application/x-ndjson', 'application/x-ndjson'],
    ['application/ndjson', 'application/ndjson'],
    ['application/json;q=0.5, application/x-ndjson;q=0.9', 'application/x-ndjson'],
    ['application/x-ndjson;q=0.5, application/json;q=0.9', 'application/json'],
    ['application/x-ndjson;q=0, */*;q=0.1', 'application/json'],
    ['application/json;q=0, */*;q=0.1', 'application/x-ndjson'],
    ['text/html, application/x-ndjson', 'application/x-ndjson'],
  ])('is given to %s as %s', async (accept, type) => {
    const response = await fetch(`${service.url}${url()}`, {
      headers: { authorization: `Bearer ${await service.token('alice')}`, accept },
    });
    expect(response.headers.get('content-type')?.split(';')[0]).toBe(type);
    await response.text();
  });

  it('is not given in a form that nobody asked for', async () => {
    for (const accept of ['text/html', 'application/json;q=0']) {
      const answer = await read('alice', '', accept);
      expect([answer.status, answer.json.code]).toEqual([406, 'not-acceptable']);
    }
  });

  it.each([
    'after=-1',
    'after=x',
    'limit=0',
    'limit=1001',
    'limit=1&limit=2',
    'minPosition=x',
    'x=1',
  ])('names what is wrong with ?%s', async (query) => {
    const answer = await read('alice', `?${query}`);
    expect([answer.status, answer.json.code]).toEqual([400, 'invalid-request']);
  });

  it('holds what was recorded a moment ago, and is 503 for a position that the log has not', async () => {
    const { position } = await service.log.fence();
    expect((await read('alice', `?minPosition=${position}`)).status).toBe(200);
    const ahead = await read('alice', `?minPosition=${position + 1}`);
    expect([ahead.status, ahead.json.code]).toEqual([503, 'not-there-yet']);
  });

  it('is 503 while the log is away, and breaks off visibly where it goes away midway', async () => {
    breakOffAt = positions[0] ?? 0;
    try {
      for (const accept of ['application/json', 'application/x-ndjson']) {
        const answer = await read('alice', '', accept);
        expect([answer.status, answer.json.code]).toEqual([503, 'unavailable']);
      }
      breakOffAt = positions[3] ?? 0;
      await expect(lines('alice')).rejects.toThrow();
    } finally {
      breakOffAt = 0;
    }
  });

  it('of a user who was forgotten has its events, and no texts', async () => {
    const forgotten = await addToken(service, { userId: 'u-gone', name: 'of mine' });
    await service.personalData.forget('u-gone');
    const answer = await service.call('GET', url('', forgotten.id), { as: 'admin' });
    expect(page(answer).events).toMatchObject([{ type: 'TokenAdded', name: null, origin: null }]);
  });
});
