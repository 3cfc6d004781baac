import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { isWellFormedSecret, secretDigest, userNameDigest } from '@token-status/contracts';
import { FINGERPRINT_KEY, startService } from '../given/service.spec.js';
import type { ServiceUnderTest } from '../given/service.spec.js';

let service: ServiceUnderTest;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

describe('adding a token', () => {
  it('answers 201 with the token and, this once, its secret', async () => {
    const answer = await service.call('POST', '/v1/users/u-alice/tokens', {
      as: 'alice',
      body: { name: 'Build server', expiresAt: '2031-01-01T01:00:00+01:00' },
    });
    expect(answer.status).toBe(201);
    const { secret = '', id = '', ...token } = answer.json;
    expect(id).toMatch(/^tok_[0-9a-f]{32}$/);
    expect(isWellFormedSecret(secret)).toBe(true);
    expect(token).toEqual({
      name: 'Build server',
      hint: secret.slice(4, 10),
      userId: 'u-alice',
      accountId: 'acme',
      status: 'active',
      createdAt: '2030-01-01T12:00:00.000Z',
      expiresAt: '2031-01-01T00:00:00.000Z',
      disabled: null,
      lastUsedAt: null,
      version: 1,
      position: 1,
    });
    expect(answer.headers.get('etag')).toBe('"1"');
    expect(answer.headers.get('location')).toBe(`/v1/tokens/${id}`);
    expect(answer.headers.get('cache-control')).toBe('no-store');

    const [event] = await service.events();
    expect(event?.data).toMatchObject({
      tokenId: id,
      secretDigest: secretDigest(secret),
      userNameDigest: userNameDigest(secret, 'alice@example.com'),
      by: { kind: 'user', id: 'u-alice' },
      authority: 'owner',
    });
    expect(await service.personalData.open('u-alice', String(event?.data.origin))).toBe(
      '127.0.0.1',
    );
  });

  it('writes neither secret nor names in plain, to the log or to what is logged', async () => {
    const answer = await service.call('POST', '/v1/users/u-secretive/tokens', {
      as: 'writer',
      body: { name: 'Whisper', accountId: 'acme', userName: 'sotto@example.com' },
    });
    const everything = JSON.stringify(await service.events()) + service.logged.join('');
    expect(answer.status).toBe(201);
    expect(everything).toContain(answer.json.id);
    for (const secret of [answer.json.secret, 'Whisper', 'sotto', FINGERPRINT_KEY.toString()]) {
      expect(everything).not.toContain(secret);
    }
  });

  it('by a service names the user and the account', async () => {
    const answer = await service.call('POST', '/v1/users/u-dora/tokens', {
      as: 'security',
      body: { name: 'CI', accountId: 'initech', userName: 'dora@example.com' },
    });
    expect(answer.status).toBe(201);
    expect(answer.json).toMatchObject({ userId: 'u-dora', accountId: 'initech' });
    const event = (await service.events()).at(-1);
    expect(event?.data).toMatchObject({
      by: { kind: 'service', id: 'security-service' },
      authority: 'security',
      userNameDigest: userNameDigest(String(answer.json.secret), 'dora@example.com'),
    });
  });

  it.each([
    ['a service leaves out the user name', 'writer', { accountId: 'acme' }],
    ['a service leaves out the account', 'writer', { userName: 'x@example.com' }],
    ['a user gives a user name', 'alice', { userName: 'x@example.com' }],
    ['a user gives an account', 'alice', { accountId: 'acme' }],
    ["a user's access token has no user name", 'namelessUser', {}],
  ] as const)('is malformed where %s', async (_, as, more) => {
    const answer = await service.call('POST', '/v1/users/u-alice/tokens', {
      as,
      body: { name: 'Odd', ...more },
    });
    expect(answer.status).toBe(400);
    expect(answer.json.code).toBe('invalid-request');
  });

  it('takes names that differ only in their Unicode form for one', async () => {
    const add = (name: string) =>
      service.call('POST', '/v1/users/u-forms/tokens', {
        as: 'writer',
        body: { name, accountId: 'acme', userName: 'forms@example.com' },
      });
    expect((await add('caf\u00e9')).status).toBe(201);
    const second = await add('cafe\u0301');
    expect([second.status, second.json.code]).toEqual([409, 'name-taken']);
  });

  it('refuses a sixth token, a name that is taken, another account, and a time gone by', async () => {
    const add = (name: string, more: object = {}) =>
      service.call('POST', '/v1/users/u-full/tokens', {
        as: 'writer',
        body: { name, accountId: 'acme', userName: 'full@example.com', ...more },
      });
    const first = await add('one');
    expect((await add('one')).json.code).toBe('name-taken');
    expect((await add('two', { accountId: 'globex' })).json.code).toBe('account-mismatch');
    const past = await add('two', { expiresAt: '2030-01-01T12:00:00Z' });
    expect([past.status, past.json.code]).toEqual([400, 'time-not-ahead']);
    for (const name of ['two', 'three', 'four', 'five']) {
      expect((await add(name)).status).toBe(201);
    }
    const sixth = await add('six');
    expect([sixth.status, sixth.json.code]).toEqual([409, 'token-limit']);

    expect(
      (await service.call('DELETE', `/v1/tokens/${first.json.id}`, { as: 'writer' })).status,
    ).toBe(200);
    expect((await add('one')).status).toBe(201);
  });

  it('lets no more than five of many at once be the fifth', async () => {
    const answers = await Promise.all(
      Array.from({ length: 24 }, (_, n) =>
        service.call('POST', '/v1/users/u-crowd/tokens', {
          as: 'writer',
          body: { name: `n${n}`, accountId: 'acme', userName: 'crowd@example.com' },
        }),
      ),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(5);
    expect(statuses.filter((status) => status === 409)).toHaveLength(19);
  });

  it('makes no key for a user whose tokens the caller may not add', async () => {
    const answer = await service.call('POST', '/v1/users/u-stranger/tokens', {
      as: 'alice',
      body: { name: 'Mine' },
    });
    expect([answer.status, answer.json.code]).toEqual([403, 'not-own-user']);
    expect(await service.personalData.forget('u-stranger')).toBe('nothing-held');
  });
});
