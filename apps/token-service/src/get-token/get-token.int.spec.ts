import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService } from '../given/service.spec.js';
import type { ServiceUnderTest } from '../given/service.spec.js';
import { addToken } from '../given/token.spec.js';

let service: ServiceUnderTest;
beforeAll(async () => {
  service = await startService({ settings: { minPositionTimeoutMs: 150 } });
});
afterAll(() => service.close());

describe('reading one token', () => {
  it('answers what the command that changed it answered, once the read model is there', async () => {
    const { id } = await addToken(service, { userId: 'u-alice' });
    const disabled = await service.call('POST', `/v1/tokens/${id}/disable`, {
      as: 'alice',
      body: { reason: 'unused', note: 'nobody knows it' },
    });
    await service.project();
    const answer = await service.call('GET', `/v1/tokens/${id}`, { as: 'alice' });
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual(disabled.json);
    expect(answer.headers.get('etag')).toBe('"2"');
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  it('says by the clock that it has expired, with no event', async () => {
    const { json } = await service.call('POST', '/v1/users/u-carol/tokens', {
      as: 'carol',
      body: { name: 'short', expiresAt: '2030-01-01T13:00:00Z' },
    });
    await service.project();
    const before = service.clock.now;
    const read = async () =>
      (await service.call('GET', `/v1/tokens/${json.id}`, { as: 'carol' })).json.status;
    expect(await read()).toBe('active');
    service.clock.now = new Date('2030-01-01T13:00:00Z');
    expect(await read()).toBe('expired');
    service.clock.now = before;
  });

  it('waits for minPosition, and answers as soon as the read model is there', async () => {
    const { id, position = 0 } = await addToken(service);
    const reading = service.call('GET', `/v1/tokens/${id}?minPosition=${position}`, {
      as: 'reader',
    });
    await service.project();
    expect((await reading).json).toMatchObject({ id, position });
  });

  it('answers 503 where the read model does not come to minPosition in time', async () => {
    const { id } = await addToken(service);
    await service.project();
    const head = (await service.log.fence()).position;
    const answer = await service.call('GET', `/v1/tokens/${id}?minPosition=${head + 1}`, {
      as: 'reader',
    });
    expect([answer.status, answer.json.code]).toEqual([503, 'not-there-yet']);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});
