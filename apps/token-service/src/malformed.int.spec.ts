import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService } from './given/service.spec.js';
import type { ServiceUnderTest } from './given/service.spec.js';
import { addToken } from './given/token.spec.js';

let service: ServiceUnderTest;
let id = '';
let events = 0;
beforeAll(async () => {
  service = await startService();
  ({ id } = await addToken(service, { userId: 'u-alice' }));
  events = (await service.events()).length;
});
afterAll(() => service.close());

const MARK = 'v4lue';
const add = (body: unknown, as: 'alice' | 'writer' = 'alice') =>
  service.call('POST', '/v1/users/u-alice/tokens', { as, body });
const rename = (body: unknown) => service.call('PATCH', `/v1/tokens/${id}`, { as: 'alice', body });
const disable = (body: unknown) =>
  service.call('POST', `/v1/tokens/${id}/disable`, { as: 'alice', body });
const enable = (body: unknown) =>
  service.call('POST', `/v1/tokens/${id}/enable`, { as: 'alice', body });
const ok = { accountId: 'acme', userName: 'a@example.com' };

describe('a malformed request', () => {
  it.each([
    ['no name', () => add({}), '/name'],
    ['a name of null', () => add({ name: null }), '/name'],
    ['a name that is a number', () => add({ name: 1 }), '/name'],
    ['a name that is a list', () => add({ name: [MARK] }), '/name'],
    ['an empty name', () => add({ name: '' }), '/name'],
    ['a name that is too long', () => add({ name: MARK.repeat(21) }), '/name'],
    ['a name with a line break', () => add({ name: `${MARK}\n` }), '/name'],
    ['a name with half a surrogate', () => add(`{"name":"${MARK}\\ud83d"}`), '/name'],
    ['a name that turns direction', () => add({ name: `${MARK}\u202e` }), '/name'],
    ['a time that is none', () => add({ name: 'x', expiresAt: MARK }), '/expiresAt'],
    [
      'a day that is none',
      () => add({ name: 'x', expiresAt: '2031-02-30T00:00:00Z' }),
      '/expiresAt',
    ],
    ['a time that is a number', () => add({ name: 'x', expiresAt: 1900000000 }), '/expiresAt'],
    ['a member that is unknown', () => add({ name: 'x', [MARK]: 1 }), `/${MARK}`],
    ['a secret of the caller', () => add({ name: 'x', secret: 'mine' }), '/secret'],
    [
      'a user name with a colon',
      () => add({ name: 'x', ...ok, userName: 'a:b' }, 'writer'),
      '/userName',
    ],
    [
      'an account with a space',
      () => add({ name: 'x', ...ok, accountId: 'a b' }, 'writer'),
      '/accountId',
    ],
    [
      'an account that is too long',
      () => add({ name: 'x', ...ok, accountId: 'a'.repeat(129) }, 'writer'),
      '/accountId',
    ],
    ['renaming to nothing', () => rename({}), '/name'],
    ['renaming to white space', () => rename({ name: ' ' }), '/name'],
    ['a reason outside of the list', () => disable({ reason: MARK }), '/reason'],
    ['a note that is too long', () => disable({ note: 'n'.repeat(1001) }), '/note'],
    [
      'a note with more bytes than can be sealed',
      () => disable({ note: '😀'.repeat(1000) }),
      '/note',
    ],
    ['an empty note', () => disable({ note: '' }), '/note'],
    ['an end that is none', () => disable({ until: '2031-01-01' }), '/until'],
    ['an authority that is none', () => disable({ authority: 'root' }), '/authority'],
    ['an end for enabling', () => enable({ until: '2031-01-01T00:00:00Z' }), '/until'],
  ] as const)('with %s is told where', async (_, ask, pointer) => {
    const answer = await ask();
    expect(answer.status).toBe(400);
    expect(answer.json.code).toBe('invalid-request');
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(answer.json.errors?.map((error) => error.pointer)).toContain(pointer);
    if (!pointer.includes(MARK)) expect(answer.text).not.toContain(MARK);
  });

  it.each([
    ['a text', '"text"'],
    ['a number', '5'],
    ['a list', '[]'],
    ['a list of objects', '[{}]'],
    ['null', 'null'],
    ['half of an object', '{"reason":'],
    ['a key of the prototype', '{"__proto__":{"reason":"other"}}'],
  ])('may not have %s for a body', async (_, body) => {
    const answer = await disable(body);
    expect([answer.status, answer.json.code]).toEqual([400, 'invalid-request']);
  });

  it('may not have a body of another type', async () => {
    const answer = await service.call('POST', `/v1/tokens/${id}/disable`, {
      as: 'alice',
      body: 'reason=other',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect([answer.status, answer.json.code]).toEqual([415, 'unsupported-media-type']);
  });

  it('may not be large', async () => {
    const answer = await disable({ note: 'n'.repeat(70_000) });
    expect([answer.status, answer.json.code]).toEqual([413, 'too-large']);
  });

  it.each([
    ['a word', 'soon'],
    ['a negative number', '-1'],
    ['a fraction', '1.5'],
    ['nothing', ''],
    ['two', '1&minPosition=2'],
  ])('may not ask for %s as minPosition', async (_, position) => {
    for (const path of [`/v1/tokens/${id}`, '/v1/users/u-alice/tokens']) {
      const answer = await service.call('GET', `${path}?minPosition=${position}`, { as: 'alice' });
      expect([answer.status, answer.json.code]).toEqual([400, 'invalid-request']);
    }
  });

  it.each([
    ['a slash', '/v1/users/a%2Fb/tokens'],
    ['a space', '/v1/users/a%20b/tokens'],
    ['a letter beyond ASCII', '/v1/users/%C3%A9/tokens'],
  ])('about a user with %s is about nobody', async (_, path) => {
    const list = await service.call('GET', path, { as: 'security' });
    expect([list.status, list.json.code]).toEqual([404, 'user-unknown']);
    const added = await service.call('POST', path, { as: 'security', body: { name: 'x', ...ok } });
    expect([added.status, added.json.code]).toEqual([404, 'user-unknown']);
  });

  it.each(['TOK_0', `tok_${'0'.repeat(31)}`, `tok_${'A'.repeat(32)}`, `tok_${'0'.repeat(33)}`])(
    'about a token called %s is about none',
    async (name) => {
      const answer = await service.call('GET', `/v1/tokens/${name}`, { as: 'security' });
      expect([answer.status, answer.json.code]).toEqual([404, 'token-unknown']);
    },
  );

  it('leaves nothing behind', async () => {
    expect(await service.events()).toHaveLength(events);
    expect(service.logged.join('')).not.toContain(MARK);
  });
});
