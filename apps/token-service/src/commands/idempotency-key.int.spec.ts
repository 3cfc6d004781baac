import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService } from '../given/service.spec.js';
import type { Answer, Call, ServiceUnderTest } from '../given/service.spec.js';
import { addToken } from '../given/token.spec.js';

let service: ServiceUnderTest;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

let keys = 0;
const newKey = (): string => `key-${++keys}`;
const once = (key: string, call: Call): Call => ({ ...call, headers: { 'idempotency-key': key } });
const add = (key: string, body: object, as: 'writer' | 'security' = 'writer'): Promise<Answer> =>
  service.call('POST', '/v1/users/u-keyed/tokens', once(key, { as, body }));
const body = (name: string): object => ({
  name,
  accountId: 'acme',
  userName: 'keyed@example.com',
});

describe('an Idempotency-Key', () => {
  it('makes a repeated add answer the same token without its secret', async () => {
    const key = newKey();
    const first = await add(key, body('one'));
    const second = await add(key, body('one'));
    const { secret, ...token } = first.json;
    expect(secret).toBeDefined();
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.json).toEqual({ ...token, secretShown: true });
    expect(second.headers.get('location')).toBe(first.headers.get('location'));
    await service.call('DELETE', `/v1/tokens/${token.id}`, { as: 'writer' });
    // The first answer, whatever came since.
    expect((await add(key, body('one'))).json).toEqual({ ...token, secretShown: true });
  });

  it('of 64 adds at once makes one token and shows one secret', async () => {
    const key = newKey();
    const events = (await service.events()).length;
    const answers = await Promise.all(Array.from({ length: 64 }, () => add(key, body('crowd'))));
    expect(new Set(answers.map(({ json }) => json.id)).size).toBe(1);
    expect(answers.every(({ status }) => status === 201)).toBe(true);
    expect(answers.filter(({ json }) => json.secret !== undefined)).toHaveLength(1);
    expect(answers.filter(({ json }) => json.secretShown === true)).toHaveLength(63);
    expect(await service.events()).toHaveLength(events + 1);
  });

  it('does not care how the body is written', async () => {
    const key = newKey();
    const text = '{"userName":"keyed@example.com","name":"same", "accountId":"acme"}';
    const escaped =
      '{ "accountId": "acme", "name": "\\u0073ame", "userName": "keyed@example.com" }';
    const call = (written: string) =>
      service.call('POST', '/v1/users/u-keyed/tokens', once(key, { as: 'writer', body: written }));
    const first = await call(text);
    const second = await call(escaped);
    expect(first.status).toBe(201);
    expect(second.json.id).toBe(first.json.id);
  });

  it('with another body, path or method is 422, and nothing is done', async () => {
    const key = newKey();
    const { id } = await addToken(service);
    const other = await addToken(service);
    const disable = (token: string, more: object) =>
      service.call('POST', `/v1/tokens/${token}/disable`, once(key, { as: 'writer', body: more }));
    expect((await disable(id, { reason: 'unused' })).status).toBe(200);
    const events = (await service.events()).length;
    const answers = [
      await disable(id, { reason: 'policy' }),
      await disable(other.id, { reason: 'unused' }),
      await service.call(
        'POST',
        `/v1/tokens/${id}/enable`,
        once(key, { as: 'writer', body: { reason: 'unused' } }),
      ),
      await service.call('DELETE', `/v1/tokens/${id}`, once(key, { as: 'writer' })),
    ];
    for (const answer of answers) {
      expect([answer.status, answer.json.code]).toEqual([422, 'key-reused']);
    }
    expect(await service.events()).toHaveLength(events);
  });

  it("is each caller's own", async () => {
    const key = newKey();
    const { id } = await addToken(service);
    const path = `/v1/tokens/${id}/disable`;
    await service.call('POST', path, once(key, { as: 'writer', body: { reason: 'unused' } }));
    const other = await service.call(
      'POST',
      path,
      once(key, { as: 'security', body: { reason: 'exposed' } }),
    );
    expect(other.status).toBe(200);
    expect(other.json.disabled).toMatchObject({ authority: 'security', reason: 'exposed' });
  });

  it('is looked up before If-Match: the first answer comes again after the version moved on', async () => {
    const key = newKey();
    const { id } = await addToken(service);
    const disable = () =>
      service.call('POST', `/v1/tokens/${id}/disable`, {
        as: 'writer',
        headers: { 'idempotency-key': key, 'if-match': '"1"' },
      });
    const first = await disable();
    expect(first.status).toBe(200);
    await service.call('POST', `/v1/tokens/${id}/enable`, { as: 'writer' });
    const again = await disable();
    expect([again.status, again.json]).toEqual([200, first.json]);
    expect(again.headers.get('etag')).toBe('"2"');
  });

  it('keeps a refusal, and an answer that changed nothing, too', async () => {
    const { id } = await addToken(service);
    const [refused, unchanged] = [newKey(), newKey()];
    const call = (key: string, action: string) =>
      service.call('POST', `/v1/tokens/${id}/${action}`, once(key, { as: 'reader' }));
    const enable = () =>
      service.call('POST', `/v1/tokens/${id}/enable`, once(unchanged, { as: 'writer' }));
    expect((await call(refused, 'disable')).json.code).toBe('scope-missing');
    const first = await enable();
    expect(first.json).toMatchObject({ status: 'active', version: 1 });
    await service.call('POST', `/v1/tokens/${id}/disable`, { as: 'writer' });
    expect((await call(refused, 'disable')).json.code).toBe('scope-missing');
    expect((await call(refused, 'enable')).status).toBe(422);
    expect((await enable()).json).toEqual(first.json);
  });

  it.each([
    ['255 characters', 'k'.repeat(255), 200],
    ['256 characters', 'k'.repeat(256), 400],
    ['a space', 'a b', 400],
    ['nothing', '', 400],
    ['a letter beyond ASCII', 'clé', 400],
  ])('of %s is answered so', async (_, key, status) => {
    const { id } = await addToken(service);
    const answer = await service.call(
      'POST',
      `/v1/tokens/${id}/enable`,
      once(key, { as: 'writer' }),
    );
    expect(answer.status).toBe(status);
  });
});
