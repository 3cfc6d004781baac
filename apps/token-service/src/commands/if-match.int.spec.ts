import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService } from '../given/service.spec.js';
import type { ServiceUnderTest } from '../given/service.spec.js';
import { addToken } from '../given/token.spec.js';

let service: ServiceUnderTest;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

const COMMANDS = [
  ['rename', 'PATCH', '', { name: 'renamed' }],
  ['disable', 'POST', '/disable', undefined],
  ['enable', 'POST', '/enable', undefined],
  ['revoke', 'DELETE', '', undefined],
] as const;

describe('If-Match', () => {
  it.each(COMMANDS)(
    'refuses to %s a token whose version moved on',
    async (_, method, path, body) => {
      const { id } = await addToken(service);
      await service.call('POST', `/v1/tokens/${id}/disable`, { as: 'writer' });
      const events = (await service.events()).length;
      const ask = (ifMatch: string) =>
        service.call(method, `/v1/tokens/${id}${path}`, {
          as: 'writer',
          body,
          headers: { 'if-match': ifMatch },
        });
      for (const stale of ['"1"', '"3"', 'W/"2"', '"other"']) {
        const answer = await ask(stale);
        expect([answer.status, answer.json.code]).toEqual([412, 'version-mismatch']);
      }
      expect((await ask('2')).status).toBe(400);
      expect(await service.events()).toHaveLength(events);
      expect((await ask('"2"')).status).toBe(200);
    },
  );

  it('of * takes any version', async () => {
    const { id } = await addToken(service);
    const answer = await service.call('POST', `/v1/tokens/${id}/disable`, {
      as: 'writer',
      headers: { 'if-match': '*' },
    });
    expect(answer.status).toBe(200);
  });

  it('comes after 404: a version says nothing of a token that the caller may not see', async () => {
    const { id } = await addToken(service);
    const answer = await service.call('POST', `/v1/tokens/${id}/disable`, {
      as: 'mallory',
      headers: { 'if-match': '"7"' },
    });
    expect([answer.status, answer.json.code]).toEqual([404, 'token-unknown']);
  });

  it('lets one of many at once through', async () => {
    const { id } = await addToken(service);
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, n) =>
        service.call('PATCH', `/v1/tokens/${id}`, {
          as: 'writer',
          body: { name: `name ${n}` },
          headers: { 'if-match': '"1"' },
        }),
      ),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([200, ...Array.from({ length: 15 }, () => 412)]);
  });
});
