import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService } from '../given/service.spec.js';
import type { ServiceUnderTest } from '../given/service.spec.js';
import { addToken } from '../given/token.spec.js';

let service: ServiceUnderTest;
beforeAll(async () => {
  service = await startService({ settings: { minPositionTimeoutMs: 150 } });
});
afterAll(() => service.close());

describe("a user's list", () => {
  it('has all of their tokens, revoked ones too, newest first, and never a secret', async () => {
    const ids = [];
    for (const name of ['one', 'two', 'three']) {
      service.clock.now = new Date(service.clock.now.getTime() + 1000);
      ids.unshift((await addToken(service, { userId: 'u-alice', name })).id);
    }
    await addToken(service, { userId: 'u-carol' });
    await service.call('DELETE', `/v1/tokens/${ids[1]}`, { as: 'alice' });
    await service.project();
    const answer = await service.call('GET', '/v1/users/u-alice/tokens', { as: 'alice' });
    expect(answer.status).toBe(200);
    expect(answer.json.tokens?.map(({ id, status }) => [id, status])).toEqual([
      [ids[0], 'active'],
      [ids[1], 'revoked'],
      [ids[2], 'active'],
    ]);
    expect(answer.json.tokens?.map(({ name }) => name)).toEqual(['three', 'two', 'one']);
    expect(answer.text).not.toMatch(/tst_|igest/);
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  it('of one who has none is empty for themselves', async () => {
    const answer = await service.call('GET', '/v1/users/u-admin/tokens', { as: 'admin' });
    expect([answer.status, answer.json]).toEqual([200, { tokens: [] }]);
  });

  it('waits for minPosition, and answers 503 past its bound', async () => {
    await addToken(service, { userId: 'u-late' });
    const head = (await service.log.fence()).position;
    const path = '/v1/users/u-late/tokens';
    const late = await service.call('GET', `${path}?minPosition=${head}`, { as: 'admin' });
    expect([late.status, late.json.code]).toEqual([503, 'not-there-yet']);
    await service.project();
    const there = await service.call('GET', `${path}?minPosition=${head}`, { as: 'admin' });
    expect(there.json.tokens).toHaveLength(1);
  });
});
