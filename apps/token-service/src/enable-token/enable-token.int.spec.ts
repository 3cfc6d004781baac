import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService } from '../given/service.spec.js';
import type { ServiceUnderTest } from '../given/service.spec.js';
import { addToken } from '../given/token.spec.js';

let service: ServiceUnderTest;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

describe('enabling a token', () => {
  it('makes it valid again', async () => {
    const { id } = await addToken(service, { userId: 'u-alice' });
    await service.call('POST', `/v1/tokens/${id}/disable`, { as: 'alice' });
    const answer = await service.call('POST', `/v1/tokens/${id}/enable`, {
      as: 'alice',
      body: { reason: 'rotation', note: 'rotated' },
    });
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ id, status: 'active', disabled: null, version: 3 });
    expect(answer.headers.get('etag')).toBe('"3"');
  });

  it('that is active changes nothing and records no event', async () => {
    const { id } = await addToken(service);
    const events = (await service.events()).length;
    const answer = await service.call('POST', `/v1/tokens/${id}/enable`, { as: 'writer' });
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ status: 'active', version: 1 });
    expect(await service.events()).toHaveLength(events);
  });

  it('is refused to its owner where an administrator disabled it', async () => {
    const { id } = await addToken(service, { userId: 'u-carol' });
    await service.call('POST', `/v1/tokens/${id}/disable`, { as: 'admin' });
    const answer = await service.call('POST', `/v1/tokens/${id}/enable`, { as: 'carol' });
    expect([answer.status, answer.json.code]).toEqual([403, 'authority-too-low']);
  });

  it('is refused for one that has expired or is revoked', async () => {
    const added = await service.call('POST', '/v1/users/u-short/tokens', {
      as: 'writer',
      body: {
        name: 'short',
        accountId: 'acme',
        userName: 'short@example.com',
        expiresAt: '2030-01-01T12:00:01Z',
      },
    });
    const path = `/v1/tokens/${added.json.id}`;
    await service.call('POST', `${path}/disable`, { as: 'writer' });
    const before = service.clock.now;
    service.clock.now = new Date('2030-01-01T12:00:01Z');
    const expired = await service.call('POST', `${path}/enable`, { as: 'writer' });
    expect([expired.status, expired.json.code]).toEqual([409, 'token-expired']);
    const revoked = await service.call('DELETE', path, { as: 'writer' });
    expect(revoked.json.status).toBe('revoked');
    const again = await service.call('POST', `${path}/enable`, { as: 'writer' });
    expect([again.status, again.json.code]).toEqual([409, 'token-revoked']);
    service.clock.now = before;
  });
});
