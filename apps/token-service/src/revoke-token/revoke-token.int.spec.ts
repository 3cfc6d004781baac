import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService } from '../given/service.spec.js';
import type { ServiceUnderTest } from '../given/service.spec.js';
import { addToken } from '../given/token.spec.js';

let service: ServiceUnderTest;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

describe('revoking a token', () => {
  it('is for ever, and again changes nothing', async () => {
    const { id } = await addToken(service, { userId: 'u-alice' });
    const first = await service.call('DELETE', `/v1/tokens/${id}`, { as: 'alice' });
    expect(first.status).toBe(200);
    expect(first.json).toMatchObject({ id, status: 'revoked', version: 2 });
    expect(first.headers.get('etag')).toBe('"2"');
    const second = await service.call('DELETE', `/v1/tokens/${id}`, { as: 'alice' });
    expect(second.status).toBe(200);
    expect(second.json).toEqual(first.json);
  });

  it('does not look at a body', async () => {
    const { id } = await addToken(service);
    const answer = await service.call('DELETE', `/v1/tokens/${id}`, {
      as: 'writer',
      body: { whatever: true },
    });
    expect(answer.status).toBe(200);
  });
});
