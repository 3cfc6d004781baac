import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService } from '../given/service.spec.js';
import type { ServiceUnderTest } from '../given/service.spec.js';
import { addToken } from '../given/token.spec.js';

let service: ServiceUnderTest;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

describe('disabling a token', () => {
  it('answers with the token as the log has it, while no projection knows of it', async () => {
    const { id } = await addToken(service, { userId: 'u-alice' });
    const answer = await service.call('POST', `/v1/tokens/${id}/disable`, {
      as: 'alice',
      body: { reason: 'suspected-leak', note: 'seen in a chat', until: '2030-01-02T00:00:00Z' },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('etag')).toBe('"2"');
    expect(answer.json).toMatchObject({
      id,
      status: 'disabled',
      version: 2,
      disabled: {
        at: '2030-01-01T12:00:00.000Z',
        by: { kind: 'user', id: 'u-alice' },
        authority: 'owner',
        reason: 'suspected-leak',
        note: 'seen in a chat',
        until: '2030-01-02T00:00:00.000Z',
      },
    });
    expect(answer.json).not.toHaveProperty('secret');
    const event = (await service.events()).at(-1);
    expect(event).toMatchObject({ type: 'TokenDisabled', position: answer.json.position });
    expect(JSON.stringify(event)).not.toContain('seen in a chat');
  });

  it('needs no body', async () => {
    const { id } = await addToken(service);
    const answer = await service.call('POST', `/v1/tokens/${id}/disable`, { as: 'admin' });
    expect(answer.status).toBe(200);
    expect(answer.json.disabled).toEqual({
      at: '2030-01-01T12:00:00.000Z',
      by: { kind: 'user', id: 'u-admin' },
      authority: 'administrator',
      reason: null,
      note: null,
      until: null,
    });
  });

  it('again, with no more authority, changes nothing and records no event', async () => {
    const { id } = await addToken(service);
    const first = await service.call('POST', `/v1/tokens/${id}/disable`, { as: 'admin' });
    const events = (await service.events()).length;
    const second = await service.call('POST', `/v1/tokens/${id}/disable`, { as: 'writer' });
    expect(second.status).toBe(200);
    expect(second.json).toEqual(first.json);
    expect(await service.events()).toHaveLength(events);
  });

  it('takes a lower authority that the caller names, and no higher one', async () => {
    const { id } = await addToken(service);
    const low = await service.call('POST', `/v1/tokens/${id}/disable`, {
      as: 'security',
      body: { authority: 'owner' },
    });
    expect(low.json.disabled).toMatchObject({ authority: 'owner' });
    const high = await service.call('POST', `/v1/tokens/${id}/disable`, {
      as: 'admin',
      body: { authority: 'security' },
    });
    expect([high.status, high.json.code]).toEqual([403, 'authority-too-low']);
  });

  it('is refused for a revoked token and with an end that has gone by', async () => {
    const { id } = await addToken(service);
    const past = await service.call('POST', `/v1/tokens/${id}/disable`, {
      as: 'writer',
      body: { until: '2030-01-01T12:00:00Z' },
    });
    expect([past.status, past.json.code]).toEqual([400, 'time-not-ahead']);
    await service.call('DELETE', `/v1/tokens/${id}`, { as: 'writer' });
    const revoked = await service.call('POST', `/v1/tokens/${id}/disable`, { as: 'writer' });
    expect([revoked.status, revoked.json.code]).toEqual([409, 'token-revoked']);
  });

  it('names an unknown token and a malformed id in one and the same way', async () => {
    const unknown = await service.call('POST', `/v1/tokens/tok_${'0'.repeat(32)}/disable`, {
      as: 'admin',
    });
    const malformed = await service.call('POST', '/v1/tokens/x%20y/disable', { as: 'admin' });
    expect([unknown.status, unknown.json.code]).toEqual([404, 'token-unknown']);
    expect({ ...malformed.json, instance: '' }).toEqual({ ...unknown.json, instance: '' });
  });

  it('still names a token whose texts no key opens', async () => {
    const { id, userId } = await addToken(service);
    await service.personalData.forget(userId);
    const answer = await service.call('POST', `/v1/tokens/${id}/disable`, { as: 'writer' });
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ id, name: null, status: 'disabled' });
  });
});
