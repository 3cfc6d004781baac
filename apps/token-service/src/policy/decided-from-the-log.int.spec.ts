import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { tag } from '@token-status/contracts';
import type { Authority } from '@token-status/domain';
import { newCommandId, openEventLog, openMongoLogStore } from '@token-status/event-log';
import type { EventLog } from '@token-status/event-log';
import { decideDrafts, loggedTokens } from '../commands/token-decider.js';
import { startService } from '../given/service.spec.js';
import type { ServiceUnderTest } from '../given/service.spec.js';
import { addToken } from '../given/token.spec.js';

/**
 * Rule 10, with the projector stopped: the read model knows of the tokens and of nothing that comes after,
 * and says so to whoever reads; what is decided is decided from the log.
 */
let service: ServiceUnderTest;
/** Another replica's writer: what it appends, the service's own has not seen when it is asked. */
let elsewhere: EventLog;

beforeAll(async () => {
  service = await startService();
  const uri = process.env.MONGODB_URI ?? '';
  elsewhere = openEventLog(await openMongoLogStore({ uri, database: `${service.database}_log` }));
});
afterAll(async () => {
  await elsewhere.close();
  await service.close();
});

const known = async (userId: string, name: string): Promise<{ id: string; secret: string }> => {
  const token = await addToken(service, { userId, name });
  await service.project();
  return token;
};
const readsActive = async (id: string): Promise<void> => {
  const { json } = await service.call('GET', `/v1/tokens/${id}`, { as: 'admin' });
  expect(json).toMatchObject({ status: 'active', version: 1 });
};
const disabledElsewhere = async (tokenId: string, authority: Authority): Promise<void> => {
  const commandId = newCommandId();
  const decided = await elsewhere.decideAndAppend({
    commandId,
    tags: [tag.token(tokenId)],
    fold: loggedTokens,
    decide: (state) =>
      decideDrafts(state, {
        type: 'DisableToken',
        tokenId,
        commandId,
        authority,
        at: service.clock.now.toISOString(),
        caller: {
          kind: 'service',
          id: 'another-replica',
          accountId: null,
          privileges: new Set(),
          scopes: new Set(['tokens:security']),
        },
        origin: null,
        reason: null,
        note: null,
        until: null,
      }),
  });
  expect(decided.kind).toBe('recorded');
};

describe('while the projector has stopped', () => {
  it("an owner can't enable what an administrator disabled, though the read model says active", async () => {
    const { id } = await known('u-alice', 'one');
    await service.call('POST', `/v1/tokens/${id}/disable`, { as: 'admin' });
    const answer = await service.call('POST', `/v1/tokens/${id}/enable`, { as: 'alice' });
    expect([answer.status, answer.json.code]).toEqual([403, 'authority-too-low']);
    await readsActive(id);
  });

  it.each([
    ['administrator', 'alice', 403, 'authority-too-low'],
    ['security', 'admin', 403, 'authority-too-low'],
    ['owner', 'alice', 200, undefined],
  ] as const)(
    'what another replica disabled a moment ago as %s is known to who is asked by %s: %s',
    async (authority, as, status, code) => {
      const { id } = await known('u-alice', `by another, as ${authority}`);
      // So that this replica has the token in memory, as it was.
      await service.call('POST', `/v1/tokens/${id}/enable`, { as });
      await disabledElsewhere(id, authority);
      const answer = await service.call('POST', `/v1/tokens/${id}/enable`, { as });
      expect([answer.status, answer.json.code]).toEqual([status, code]);
      if (status === 200) expect(answer.json).toMatchObject({ status: 'active', version: 3 });
      await readsActive(id);
    },
  );

  it.each([
    ['POST', '/enable', {}],
    ['POST', '/disable', {}],
    ['DELETE', '', undefined],
    ['PATCH', '', { name: 'renamed' }],
  ] as const)(
    'a token that another replica disabled a moment ago is no credential: not for %s …%s',
    async (method, action, body) => {
      const { id, secret } = await known('u-dana', `for ${method}${action}`);
      const other = await known('u-dana', `touched by ${method}${action}`);
      const ask = (target: string) =>
        service.call(method, `/v1/tokens/${target}${action}`, {
          bearer: secret,
          ...(body === undefined ? {} : { body }),
        });
      await disabledElsewhere(id, 'owner');
      const before = (await service.events()).length;
      for (const target of [id, other.id]) {
        const answer = await ask(target);
        expect([answer.status, answer.json.code]).toEqual([401, 'token-disabled']);
      }
      expect(await service.events()).toHaveLength(before);
      await readsActive(id);
      // Rule 7 would end this table early.
      for (const each of [id, other.id]) {
        await service.call('DELETE', `/v1/tokens/${each}`, { as: 'security' });
      }
    },
  );

  it('a revoke is for ever at once, and a name is taken at once', async () => {
    const { id } = await known('u-erin', 'first');
    await service.call('DELETE', `/v1/tokens/${id}`, { as: 'admin' });
    const enabled = await service.call('POST', `/v1/tokens/${id}/enable`, { as: 'admin' });
    expect([enabled.status, enabled.json.code]).toEqual([409, 'token-revoked']);
    await readsActive(id);
    const again = await addToken(service, { userId: 'u-erin', name: 'first' });
    expect(again.id).not.toBe(id);
    const third = await service.call('POST', '/v1/users/u-erin/tokens', {
      as: 'writer',
      body: { name: 'first', accountId: 'acme', userName: 'u-erin@example.com' },
    });
    expect([third.status, third.json.code]).toEqual([409, 'name-taken']);
  });
});
