import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newSecret } from '@token-status/contracts';
import { startService } from '../given/service.spec.js';
import type { Answer, ServiceUnderTest } from '../given/service.spec.js';
import { addToken } from '../given/token.spec.js';

let service: ServiceUnderTest;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

const PATH = '/v1/tokens/self/disable';
const basic = (userName: string, secret: string): string =>
  `Basic ${Buffer.from(`BOOMI_TOKEN.${userName}:${secret}`).toString('base64')}`;
const present = (
  authorization: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> =>
  service.call('POST', PATH, {
    headers: { authorization, ...headers },
    ...(body ? { body } : {}),
  });

describe('the holder of a secret', () => {
  it('disables that token by presenting it, with the authority of an owner and in no user’s name', async () => {
    const { id, userId, secret } = await addToken(service);
    const other = await addToken(service, { userId });
    const answer = await present(`Bearer ${secret}`, { reason: 'exposed', note: 'on a wall' });
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ id, status: 'disabled', version: 2 });
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const [event, ...none] = (await service.events()).slice(2);
    expect(none).toEqual([]);
    expect(event).toMatchObject({
      type: 'TokenDisabled',
      data: {
        tokenId: id,
        by: { kind: 'service', id: 'self-disable' },
        authority: 'owner',
        disabledWith: 'owner',
        reason: 'exposed',
        until: null,
      },
    });
    expect(JSON.stringify(event)).not.toContain('wall');
    await service.project();
    const shown = await service.call('GET', `/v1/tokens/${id}`, { as: 'admin' });
    expect(shown.json.disabled).toMatchObject({ note: 'on a wall', authority: 'owner' });
    const untouched = await service.call('GET', `/v1/tokens/${other.id}`, { as: 'admin' });
    expect(untouched.json.status).toBe('active');
  });

  it('disables it by Basic, too, and without a body', async () => {
    const { id, userId, secret } = await addToken(service);
    const answer = await present(basic(`${userId}@example.com`, secret));
    expect([answer.status, answer.json.id, answer.json.status]).toEqual([200, id, 'disabled']);
  });

  it('again, or after an administrator did, changes nothing and records no event', async () => {
    const { id, secret } = await addToken(service);
    const first = await present(`Bearer ${secret}`);
    const events = (await service.events()).length;
    expect((await present(`Bearer ${secret}`)).json).toEqual(first.json);
    expect(await service.events()).toHaveLength(events);
    const raised = await service.call('POST', `/v1/tokens/${id}/disable`, { as: 'admin' });
    const third = await present(`Bearer ${secret}`, { reason: 'rotation' });
    expect([third.status, third.json.version]).toEqual([200, raised.json.version]);
    expect(await service.events()).toHaveLength(events + 1);
  });

  it('with an Idempotency-Key does it once, and shares that key with nobody', async () => {
    const { id, secret } = await addToken(service);
    const other = await addToken(service);
    const key = { 'idempotency-key': 'once' };
    const first = await present(`Bearer ${secret}`, {}, key);
    await service.call('POST', `/v1/tokens/${id}/enable`, { as: 'admin' });
    const repeated = await present(`Bearer ${secret}`, {}, key);
    expect(repeated.json).toEqual(first.json);
    const reused = await present(`Bearer ${secret}`, { reason: 'other' }, key);
    expect([reused.status, reused.json.code]).toEqual([422, 'key-reused']);
    const others = await present(`Bearer ${other.secret}`, {}, key);
    expect(others.json).toEqual({ id: other.id, status: 'disabled', version: 2 });
  });

  it('is told of a version that has moved on, and of a body that is wrong', async () => {
    const { secret } = await addToken(service);
    const moved = await present(`Bearer ${secret}`, {}, { 'if-match': '"7"' });
    expect([moved.status, moved.json.code]).toEqual([412, 'version-mismatch']);
    for (const [body, pointer] of [
      [{ authority: 'security' }, '/authority'],
      [{ reason: 'because' }, '/reason'],
      [{ note: 'a\u0000b' }, '/note'],
      [{ secret }, '/secret'],
    ] as const) {
      const wrong = await present(`Bearer ${secret}`, body);
      expect([wrong.status, wrong.json.code, wrong.json.errors?.[0]?.pointer]).toEqual([
        400,
        'invalid-request',
        pointer,
      ]);
      expect(wrong.text).not.toContain(secret);
    }
    // None of it disabled it.
    expect((await present(`Bearer ${secret}`)).json.version).toBe(2);
  });
});

describe('whoever does not hold the secret of a token in use', () => {
  it('gets one answer, and disables nothing', async () => {
    const { id, secret } = await addToken(service);
    const revoked = await addToken(service);
    await service.call('DELETE', `/v1/tokens/${revoked.id}`, { as: 'writer' });
    const events = (await service.events()).length;
    const answers = [];
    for (const authorization of [
      `Bearer ${newSecret()}`,
      `Bearer ${secret.slice(0, -1)}x`,
      `Bearer ${revoked.secret}`,
      basic('another@example.com', secret),
      // An access token names a user, and is no secret of a token.
      `Bearer ${await service.token('alice')}`,
      `Bearer ${await service.token('security')}`,
      'nonsense',
    ]) {
      const { status, json, headers } = await present(authorization, { reason: 'exposed' });
      answers.push([status, { ...json, instance: '' }, headers.get('www-authenticate')]);
    }
    expect(answers[0]?.[0]).toBe(401);
    expect(answers[0]?.[2]).toContain('error="invalid_token"');
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    const none = await service.call('POST', PATH, { body: {} });
    expect([none.status, none.json.code]).toEqual([401, 'unauthenticated']);
    expect(await service.events()).toHaveLength(events);
    const still = await service.call('POST', `/v1/tokens/${id}/enable`, { as: 'admin' });
    expect(still.json).toMatchObject({ status: 'active', version: 1 });
  });
});

it('no secret that was presented stands in a line of the log', () => {
  expect(service.logged.join('')).not.toMatch(/tst_[0-9A-Za-z]{7}/);
});
