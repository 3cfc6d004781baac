import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService } from '../given/service.spec.js';
import type { Answer, ServiceUnderTest } from '../given/service.spec.js';
import type { CallerName } from '../given/issuer.spec.js';
import { addToken } from '../given/token.spec.js';
import type { DisableAllJson } from './disable-all.controller.js';
import { appendTokens } from './given-tokens.spec.js';

let service: ServiceUnderTest;
let readsAway = false;
beforeAll(async () => {
  service = await startService({
    settings: { tokensPerUser: 1000 },
    around: ({ reads, ...rest }) => {
      const away = (): Promise<never> => Promise.reject(new Error('the read model is away'));
      return {
        ...rest,
        reads: {
          get: (id) => (readsAway ? away() : reads.get(id)),
          listByUser: (id) => (readsAway ? away() : reads.listByUser(id)),
          position: () => (readsAway ? away() : reads.position()),
          search: (query) => (readsAway ? away() : reads.search(query)),
          due: (at, limit) => (readsAway ? away() : reads.due(at, limit)),
        },
      };
    },
  });
});
afterAll(() => service.close());

let users = 0;
const newUser = (): string => `u-all-${++users}`;
const disableAll = async (
  userId: string,
  as: CallerName = 'admin',
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer & { readonly all: DisableAllJson }> => {
  const answer = await service.call('POST', `/v1/users/${userId}/disable-all`, {
    as,
    ...(body === undefined ? {} : { body }),
    headers,
  });
  return { ...answer, all: answer.json as unknown as DisableAllJson };
};

describe('disabling everything of a user', () => {
  it('disables each that is not revoked, in one commit, though no projection knows them', async () => {
    const userId = newUser();
    const [a, b, revoked] = [
      await addToken(service, { userId }),
      await addToken(service, { userId }),
      await addToken(service, { userId }),
    ];
    const other = await addToken(service);
    await service.call('DELETE', `/v1/tokens/${revoked.id}`, { as: 'admin' });
    await service.call('POST', `/v1/tokens/${b.id}/disable`, { as: 'admin' });
    const late = await addToken(service, { userId });
    const before = (await service.events()).length;
    readsAway = true;
    const answer = await disableAll(userId, 'admin', { reason: 'exposed', note: 'laptop stolen' });
    readsAway = false;
    expect(answer.status).toBe(200);
    expect(answer.all).toEqual({
      userId,
      of: 3,
      complete: true,
      counts: { changed: 2, unchanged: 1, refused: 0 },
      position: before + 2,
      results: [
        { id: a.id, result: 'changed', version: 2, position: before + 1 },
        { id: b.id, result: 'unchanged', version: 2, position: before - 1 },
        { id: late.id, result: 'changed', version: 2, position: before + 2 },
      ],
    });
    const events = (await service.events()).slice(before);
    expect(events.map(({ type, data }) => [type, data.tokenId, data.reason])).toEqual([
      ['TokenDisabled', a.id, 'exposed'],
      ['TokenDisabled', late.id, 'exposed'],
    ]);
    expect(await service.personalData.open(userId, String(events[0]?.data.note))).toBe(
      'laptop stolen',
    );
    await service.project();
    const kept = await service.call('GET', `/v1/tokens/${other.id}`, { as: 'admin' });
    expect(kept.json.status).toBe('active');
    // Again, it finds nothing to do.
    const again = await disableAll(userId);
    expect(again.all.counts).toEqual({ changed: 0, unchanged: 3, refused: 0 });
    expect(await service.events()).toHaveLength(before + 2);
  });

  it('by a key answers as at first, whatever was added or enabled since', async () => {
    const userId = newUser();
    const { id } = await addToken(service, { userId });
    const key = { 'idempotency-key': 'all-once' };
    const first = await disableAll(userId, 'admin', { reason: 'policy' }, key);
    await service.call('POST', `/v1/tokens/${id}/enable`, { as: 'admin' });
    await addToken(service, { userId });
    const again = await disableAll(userId, 'admin', { reason: 'policy' }, key);
    expect([again.status, again.all]).toEqual([200, first.all]);
    const reused = await disableAll(userId, 'admin', { reason: 'other' }, key);
    expect([reused.status, reused.json.code]).toEqual([422, 'key-reused']);
  });

  it('misses none that is being added at the same time', async () => {
    const userId = newUser();
    await addToken(service, { userId });
    const added = Promise.all(
      Array.from({ length: 20 }, (_, n) => addToken(service, { userId, name: `racing ${n}` })),
    );
    const answers = await Promise.all(Array.from({ length: 10 }, () => disableAll(userId)));
    await added;
    for (const answer of answers) expect(answer.status).toBe(200);
    // Whatever an answer does not name was added after it, in the log's order.
    const events = (await service.events()).filter(({ data }) => data.userId === userId);
    for (const { all } of answers) {
      const named = new Set(all.results.map((result) => result.id));
      for (const { type, data, position } of events) {
        if (type === 'TokenAdded' && !named.has(String(data.tokenId))) {
          expect(position).toBeGreaterThan(all.position);
        }
      }
    }
  });

  it('may be a user’s with API Access of their own, an administrator’s or a service’s', async () => {
    const userId = 'u-alice';
    await addToken(service, { userId });
    const own = await disableAll(userId, 'alice');
    expect(own.all.counts.changed).toBe(1);
    // Rule 4: who is higher raises it.
    expect((await disableAll(userId, 'admin')).all.counts.changed).toBe(1);
    expect((await disableAll(userId, 'security')).all.counts.changed).toBe(1);
    expect((await disableAll(userId, 'writer')).all.counts.unchanged).toBe(1);
  });

  it.each<[CallerName, string, number, string]>([
    ['alice', 'u-bob', 404, 'user-unknown'],
    ['alice', 'u-nobody', 404, 'user-unknown'],
    ['mallory', 'u-bob', 404, 'user-unknown'],
    ['admin', 'u-nobody', 404, 'user-unknown'],
    ['security', 'u-nobody', 404, 'user-unknown'],
    ['bob', 'u-bob', 403, 'privilege-missing'],
    ['reader', 'u-bob', 403, 'scope-missing'],
    ['reader', 'u-nobody', 403, 'scope-missing'],
  ])('%s may not, of %s: %i %s', async (as, userId, status, code) => {
    await addToken(service, { userId: 'u-bob' });
    const before = (await service.events()).length;
    const answer = await disableAll(userId, as, { note: 'x' });
    expect([answer.status, answer.json.code]).toEqual([status, code]);
    expect(await service.events()).toHaveLength(before);
  });

  it('with an authority above the caller’s is refused as a whole', async () => {
    const userId = newUser();
    await addToken(service, { userId });
    const answer = await disableAll(userId, 'admin', { authority: 'security' });
    expect([answer.status, answer.json.code]).toEqual([403, 'authority-too-low']);
  });

  it('until a time that has passed is 400, as is If-Match and what is no user', async () => {
    const userId = newUser();
    await addToken(service, { userId });
    const past = await disableAll(userId, 'admin', { until: '2029-01-01T00:00:00Z' });
    expect([past.status, past.json.code]).toEqual([400, 'time-not-ahead']);
    const matched = await disableAll(userId, 'admin', {}, { 'if-match': '"1"' });
    expect([matched.status, matched.json.code]).toEqual([400, 'invalid-request']);
    const member = await disableAll(userId, 'admin', { ids: [] });
    expect(member.json.errors?.[0]?.pointer).toBe('/ids');
    expect((await disableAll('u%20x')).status).toBe(404);
  });

  it('is done with a thousand tokens', async () => {
    const userId = newUser();
    const owner = { userId };
    await appendTokens(service.log, () => Promise.resolve('sealed'), 1000, owner);
    const answer = await disableAll(userId);
    expect(answer.all.counts).toEqual({ changed: 1000, unchanged: 0, refused: 0 });
  });
});
