import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService } from '../given/service.spec.js';
import type { ServiceUnderTest } from '../given/service.spec.js';
import { addToken } from '../given/token.spec.js';

let service: ServiceUnderTest;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

describe('what is known of a command afterwards', () => {
  it('is one line with its request, command and events, and no text of the caller', async () => {
    const { id, secret } = await addToken(service, { name: 'Nightly' });
    service.clock.now = new Date('2030-01-01T12:00:01Z');
    await service.call('POST', `/v1/tokens/${id}/disable`, {
      as: 'writer',
      body: { note: 'Hush' },
      headers: { 'x-request-id': 'request-7' },
    });
    const lines = service.logged.map((line) => JSON.parse(line) as Record<string, unknown>);
    const decided = lines.filter(
      ({ msg, requestId }) => msg === 'decided' && requestId === 'request-7',
    );
    const [event] = (await service.events()).slice(-1);
    expect(decided).toHaveLength(1);
    expect(decided[0]).toMatchObject({
      command: 'DisableToken',
      commandId: event?.data.commandId,
      eventIds: [event?.id],
      result: 'recorded',
      code: null,
    });
    expect(service.logged.join('')).not.toMatch(new RegExp(`Hush|Nightly|${secret}`));
  });

  it('carries the trace that it came in', async () => {
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const { id } = await addToken(service);
    await service.call('POST', `/v1/tokens/${id}/disable`, {
      as: 'writer',
      headers: { traceparent },
    });
    expect((await service.events()).at(-1)).toMatchObject({ traceparent });
  });

  it('is counted by type, result and code', async () => {
    const { id } = await addToken(service);
    const disable = (as: 'writer' | 'reader') =>
      service.call('POST', `/v1/tokens/${id}/disable`, { as });
    await disable('writer');
    await disable('writer');
    await disable('reader');
    const metrics = await service.metrics();
    expect(metrics).toContain('token_commands_total{type="DisableToken",result="unchanged"} 1');
    expect(metrics).toContain('token_commands_total{type="DisableToken",result="refused"} 1');
    expect(metrics).toContain(
      'token_command_refusals_total{type="DisableToken",code="scope-missing"} 1',
    );
    expect(metrics).toMatch(/token_command_duration_seconds_count\{type="DisableToken"\} \d/);
    expect(metrics).toMatch(/event_log_commit_duration_seconds_count [1-9]/);
  });
});
