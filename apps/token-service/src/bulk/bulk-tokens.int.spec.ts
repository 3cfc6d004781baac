import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService } from '../given/service.spec.js';
import type { Answer, Call, ServiceUnderTest } from '../given/service.spec.js';
import type { CallerName } from '../given/issuer.spec.js';
import { addToken } from '../given/token.spec.js';
import type { BulkJson } from './bulk-tokens.controller.js';
import { appendTokens } from './given-tokens.spec.js';

let service: ServiceUnderTest;
beforeAll(async () => {
  service = await startService({ settings: { tokensPerUser: 100 } });
});
afterAll(() => service.close());

const STRANGE = `tok_${'9'.repeat(32)}`;
let keys = 0;
const newKey = (): string => `bulk-${++keys}`;

async function bulk(body: unknown, as: CallerName = 'admin', key?: string, more: Call = {}) {
  const answer = await service.call('POST', '/v1/tokens/bulk', {
    as,
    body,
    headers: key === undefined ? {} : { 'idempotency-key': key },
    ...more,
  });
  return { ...answer, bulk: answer.json as unknown as BulkJson };
}
const given = (count: number, owner: { userId?: string; accountId?: string } = {}) =>
  appendTokens(service.log, (userId) => service.personalData.seal(userId, 'name'), count, owner);
const statusOf = async (id: string | undefined): Promise<unknown> => {
  await service.project();
  return (await service.call('GET', `/v1/tokens/${id}`, { as: 'security' })).json.status;
};
/** Positions have no gaps: it is how many events there are. */
const head = async (): Promise<number> => (await service.log.fence()).position;
const eventsOf = async (ids: readonly string[]) => {
  const wanted = new Set<unknown>(ids);
  return (await service.events()).filter(({ data }) => wanted.has(data.tokenId));
};

describe('many tokens at once', () => {
  it('are disabled by ids, each with its own result, in the order asked for, and each once', async () => {
    const [active, disabled, revoked] = [
      await addToken(service),
      await addToken(service),
      await addToken(service),
    ];
    const foreign = await addToken(service, { accountId: 'globex' });
    await service.call('POST', `/v1/tokens/${disabled.id}/disable`, { as: 'security' });
    await service.call('DELETE', `/v1/tokens/${revoked.id}`, { as: 'security' });
    const ids = [disabled.id, STRANGE, active.id, foreign.id, revoked.id, active.id, STRANGE];
    const before = await head();
    const { status, bulk: answer } = await bulk({ action: 'disable', ids, reason: 'exposed' });
    expect(status).toBe(200);
    expect(answer).toEqual({
      action: 'disable',
      dryRun: false,
      of: 5,
      complete: true,
      counts: { changed: 1, unchanged: 1, refused: 3 },
      position: before + 1,
      results: [
        { id: disabled.id, result: 'unchanged', version: 2, position: expect.any(Number) },
        { id: STRANGE, result: 'refused', code: 'token-unknown' },
        { id: active.id, result: 'changed', version: 2, position: before + 1 },
        { id: foreign.id, result: 'refused', code: 'token-unknown' },
        { id: revoked.id, result: 'refused', code: 'token-revoked' },
      ],
    });
    expect(await head()).toBe(before + 1);
    expect(await statusOf(active.id)).toBe('disabled');
  });

  it('are enabled and revoked, with the authority that is named', async () => {
    const ids = await given(3);
    await bulk({ action: 'disable', ids, authority: 'owner' });
    await service.call('POST', `/v1/tokens/${ids[0]}/disable`, { as: 'security' });
    const enabled = await bulk({ action: 'enable', ids, note: 'all clear' });
    expect(enabled.bulk.results?.map(({ result, code }) => code ?? result)).toEqual([
      'authority-too-low',
      'changed',
      'changed',
    ]);
    const revoked = await bulk({ action: 'revoke', ids }, 'writer');
    expect(revoked.bulk.counts).toEqual({ changed: 3, unchanged: 0, refused: 0 });
    expect(await statusOf(ids[1])).toBe('revoked');
  });

  it('keep note and origin sealed with the key of each one’s own user, and hold the end', async () => {
    const [a, b] = [await addToken(service), await addToken(service)];
    const until = '2030-02-01T00:00:00.000Z';
    await bulk({ action: 'disable', ids: [a.id, b.id], note: 'seen in a paste', until });
    const disables = (await eventsOf([a.id, b.id])).filter(({ type }) => type === 'TokenDisabled');
    expect(new Set(disables.map(({ data }) => data.note)).size).toBe(2);
    for (const { data } of disables) {
      expect(data.until).toBe(until);
      expect(await service.personalData.open(String(data.userId), String(data.note))).toBe(
        'seen in a paste',
      );
    }
    expect(service.logged.join('')).not.toContain('seen in a paste');
  });

  it('are found by a filter, as the read model has them', async () => {
    const own = await given(3, { userId: 'u-filtered' });
    const added = await addToken(service, { userId: 'u-filtered', name: 'build server' });
    await given(1, { userId: 'u-filtered', accountId: 'globex' });
    await service.project();
    const named = await bulk({ action: 'disable', filter: { user: 'u-filtered', name: 'BUILD' } });
    expect(named.bulk.results).toEqual([
      { id: added.id, result: 'changed', version: 2, position: expect.any(Number) },
    ]);
    await service.project();
    const active = await bulk({
      action: 'disable',
      filter: { user: 'u-filtered', status: 'active', account: null },
    });
    expect(active.bulk.results?.map(({ id }) => id).sort()).toEqual([...own].sort());
    for (const filter of [{ user: 'u-nobody' }, { account: 'globex' }]) {
      const none = await bulk({ action: 'disable', filter });
      expect([none.status, none.bulk.of, none.bulk.results]).toEqual([200, 0, []]);
    }
    const globex = await bulk(
      { action: 'disable', filter: { account: 'globex', user: 'u-filtered' } },
      'writer',
    );
    expect(globex.bulk.counts).toEqual({ changed: 1, unchanged: 0, refused: 0 });
  });

  it('a dry run says what would happen to each, and leaves nothing', async () => {
    const [active, disabled, revoked] = await given(3);
    await service.call('POST', `/v1/tokens/${disabled}/disable`, { as: 'admin' });
    await service.call('DELETE', `/v1/tokens/${revoked}`, { as: 'admin' });
    const ids = [active, disabled, revoked, STRANGE];
    const before = await head();
    const key = newKey();
    const dry = await bulk({ action: 'disable', ids, note: 'x', dryRun: true }, 'admin', key);
    expect(dry.bulk).toMatchObject({
      dryRun: true,
      complete: true,
      counts: { changed: 1, unchanged: 1, refused: 2 },
      results: [
        { id: active, result: 'changed', version: 1 },
        { id: disabled, result: 'unchanged', version: 2 },
        { id: revoked, result: 'refused', code: 'token-revoked' },
        { id: STRANGE, result: 'refused', code: 'token-unknown' },
      ],
    });
    expect(await head()).toBe(before);
    // The key is still free for the real one.
    const real = await bulk({ action: 'disable', ids, note: 'x' }, 'admin', key);
    expect(real.bulk.counts).toEqual(dry.bulk.counts);
    expect(await head()).toBe(before + 1);
  });

  it('share commits: thousands take few', async () => {
    const ids = await given(2000);
    const commits = async (): Promise<number> =>
      Number(
        /event_log_commit_duration_seconds_count\S* (\d+)/.exec(await service.metrics())?.[1] ?? 0,
      );
    const before = await commits();
    const { bulk: answer } = await bulk({ action: 'disable', ids }, 'writer', newKey());
    expect(answer.counts.changed).toBe(2000);
    expect((await commits()) - before).toBeLessThanOrEqual(40);
  });
});

describe('a bulk command’s answer in lines', () => {
  it('has the results and the progress as they come, and at last the summary', async () => {
    const ids = await given(1200);
    const access = await service.token('writer');
    const response = await fetch(`${service.url}/v1/tokens/bulk`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${access}`,
        'content-type': 'application/json',
        accept: 'application/x-ndjson, application/json;q=0.5',
      },
      body: JSON.stringify({ action: 'disable', ids }),
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^application\/x-ndjson/);
    const lines = (await response.text())
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const last = lines.pop();
    expect(last).toEqual({
      action: 'disable',
      dryRun: false,
      of: 1200,
      complete: true,
      counts: { changed: 1200, unchanged: 0, refused: 0 },
      position: expect.any(Number),
    });
    const progress = lines.filter((line) => 'done' in line);
    expect(progress.at(-1)).toEqual({ done: 1200, of: 1200 });
    expect(progress.length).toBeGreaterThan(1);
    const results = lines.filter((line) => 'result' in line);
    expect(new Set(results.map(({ id }) => id))).toEqual(new Set(ids));
    expect(results).toHaveLength(1200);
  });

  it('is not needed for the command: who hangs up undoes and loses nothing', async () => {
    const ids = await given(3000);
    const key = newKey();
    const away = new AbortController();
    const access = await service.token('writer');
    const response = await fetch(`${service.url}/v1/tokens/bulk`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${access}`,
        'content-type': 'application/json',
        accept: 'application/x-ndjson',
        'idempotency-key': key,
      },
      body: JSON.stringify({ action: 'disable', ids }),
      signal: away.signal,
    });
    const reader = response.body?.getReader();
    await reader?.read();
    away.abort();
    const again = await bulk({ action: 'disable', ids }, 'writer', key);
    expect(again.bulk.counts).toEqual({ changed: 3000, unchanged: 0, refused: 0 });
    expect(await eventsOf(ids)).toHaveLength(6000);
  });
});

describe('a bulk command with an Idempotency-Key', () => {
  it('answers each token’s first answer again, refusals and what changed nothing too', async () => {
    const [a = '', b = '', c = ''] = await given(3);
    await service.call('POST', `/v1/tokens/${b}/disable`, { as: 'admin' });
    const key = newKey();
    const body = { action: 'disable', ids: [a, b, c, STRANGE] };
    const first = await bulk(body, 'admin', key);
    await bulk({ action: 'revoke', ids: [a, b, c] }, 'admin');
    const events = await head();
    const again = await bulk(body, 'admin', key);
    expect([again.status, again.bulk]).toEqual([200, first.bulk]);
    expect(await head()).toBe(events);
  });

  it('with another body is 422, as is one that another command has, or had before', async () => {
    const [a = '', b = ''] = await given(2);
    const key = newKey();
    await bulk({ action: 'disable', ids: [a] }, 'admin', key);
    const events = await head();
    const single = (id: string, as: string) =>
      service.call('POST', `/v1/tokens/${id}/disable`, {
        as: 'admin',
        headers: { 'idempotency-key': as },
      });
    const answers: Answer[] = [
      await bulk({ action: 'disable', ids: [a, b] }, 'admin', key),
      await bulk({ action: 'enable', ids: [a] }, 'admin', key),
      await bulk({ action: 'disable', filter: { user: 'u-x' } }, 'admin', key),
      await single(b, key),
    ];
    for (const answer of answers) {
      expect([answer.status, answer.json.code]).toEqual([422, 'key-reused']);
    }
    expect(await head()).toBe(events);
    const taken = newKey();
    expect((await single(b, taken)).status).toBe(200);
    expect((await bulk({ action: 'disable', ids: [a] }, 'admin', taken)).status).toBe(422);
  });

  it('by filter goes by the tokens that matched at first, whatever matches by now', async () => {
    const ids = await given(2, { userId: 'u-planned' });
    await service.project();
    const key = newKey();
    const body = { action: 'disable', filter: { user: 'u-planned', status: 'active' } };
    const first = await bulk(body, 'admin', key);
    expect(first.bulk.of).toBe(2);
    await given(1, { userId: 'u-planned' });
    await service.project();
    const again = await bulk(body, 'admin', key);
    expect(again.bulk).toEqual(first.bulk);
    expect(await eventsOf(ids)).toHaveLength(4);
    expect((await bulk(body, 'admin', newKey())).bulk.of).toBe(1);
  });

  it('of 64 callers at once has one effect, and one answer', async () => {
    const ids = await given(300);
    const key = newKey();
    const answers = await Promise.all(
      Array.from({ length: 64 }, () => bulk({ action: 'disable', ids }, 'writer', key)),
    );
    const [first] = answers;
    expect(first?.bulk.counts).toEqual({ changed: 300, unchanged: 0, refused: 0 });
    for (const each of answers) expect(each.bulk).toEqual(first?.bulk);
    expect(await eventsOf(ids)).toHaveLength(600);
  });
});

describe('who may change many tokens at once', () => {
  it.each<[CallerName, number, string]>([
    ['alice', 403, 'forbidden'],
    ['bob', 403, 'privilege-missing'],
    ['reader', 403, 'scope-missing'],
    ['auditor', 403, 'scope-missing'],
  ])('not %s: %i %s', async (as, status, code) => {
    const [id] = await given(1);
    for (const dryRun of [true, false]) {
      const answer = await bulk({ action: 'disable', ids: [id], dryRun }, as, newKey());
      expect([answer.status, answer.json.code]).toEqual([status, code]);
    }
  });

  it('nobody without an access token', async () => {
    const answer = await service.call('POST', '/v1/tokens/bulk', { body: {} });
    expect(answer.status).toBe(401);
  });

  it('a lower authority than named is refused for each token', async () => {
    const [id] = await given(1);
    const answer = await bulk({ action: 'disable', ids: [id], authority: 'security' });
    expect(answer.bulk.results).toEqual([{ id, result: 'refused', code: 'authority-too-low' }]);
  });
});

describe('a malformed bulk command', () => {
  const ok = `tok_${'a'.repeat(32)}`;
  const many = (count: number) =>
    Array.from({ length: count }, (_, n) => `tok_${String(n).padStart(32, '0')}`);
  it.each<[string, unknown, string]>([
    ['no action', { ids: [ok] }, '/action'],
    ['an unknown action', { action: 'rename', ids: [ok] }, '/action'],
    ['an action of another type', { action: ['disable'], ids: [ok] }, '/action'],
    ['neither ids nor filter', { action: 'disable' }, '/ids'],
    ['null for both', { action: 'disable', ids: null, filter: null }, '/ids'],
    ['both', { action: 'disable', ids: [ok], filter: { user: 'u-1' } }, '/filter'],
    ['no ids', { action: 'disable', ids: [] }, '/ids'],
    ['ids that are no list', { action: 'disable', ids: ok }, '/ids'],
    ['10,001 ids', { action: 'disable', ids: many(10_001) }, '/ids'],
    ['what is no id', { action: 'disable', ids: [ok, 'tok_1'] }, '/ids/1'],
    ['an id of another type', { action: 'disable', ids: [ok, ok, 7] }, '/ids/2'],
    ['an id that is null', { action: 'disable', ids: [null] }, '/ids/0'],
    ['a filter that names nothing', { action: 'disable', filter: {} }, '/filter'],
    ['a filter of nulls', { action: 'disable', filter: { user: null } }, '/filter'],
    ['a filter that is a list', { action: 'disable', filter: [] }, '/filter'],
    ['a filter that is a text', { action: 'disable', filter: 'all' }, '/filter'],
    ['an unknown filter', { action: 'disable', filter: { colour: 'red' } }, '/filter/colour'],
    ['a page of a filter', { action: 'disable', filter: { user: 'u', limit: 5 } }, '/filter/limit'],
    ['an unknown status', { action: 'disable', filter: { status: 'gone' } }, '/filter/status'],
    ['a bad time', { action: 'disable', filter: { createdAfter: 'now' } }, '/filter/createdAfter'],
    ['a dry run of another type', { action: 'disable', ids: [ok], dryRun: 'yes' }, '/dryRun'],
    [
      'an end of an enable',
      { action: 'enable', ids: [ok], until: '2031-01-01T00:00:00Z' },
      '/until',
    ],
    ['an authority of a revoke', { action: 'revoke', ids: [ok], authority: 'owner' }, '/authority'],
    ['an unknown reason', { action: 'disable', ids: [ok], reason: 'mood' }, '/reason'],
    ['an unknown member', { action: 'disable', ids: [ok], force: true }, '/force'],
  ])('with %s says where it is wrong, and does nothing', async (_, body, pointer) => {
    const before = await head();
    const answer = await bulk(body, 'admin', newKey());
    expect([answer.status, answer.json.code]).toEqual([400, 'invalid-request']);
    expect(answer.json.errors?.map((error) => error.pointer)).toContain(pointer);
    expect(await head()).toBe(before);
  });

  it('with If-Match is 400, since that is for one token', async () => {
    const [id] = await given(1);
    const answer = await bulk({ action: 'disable', ids: [id] }, 'admin', undefined, {
      headers: { 'if-match': '"1"' },
    });
    expect([answer.status, answer.json.code]).toEqual([400, 'invalid-request']);
  });

  it('may have 10,000 ids, written out line by line; no other route takes so much', async () => {
    const body = JSON.stringify({ action: 'disable', ids: many(10_000), dryRun: true }, null, 4);
    const answer = await bulk(body, 'admin');
    expect([answer.status, answer.bulk.counts.refused]).toEqual([200, 10_000]);
    const other = await service.call('POST', `/v1/tokens/${ok}/disable`, { as: 'admin', body });
    expect([other.status, other.json.code]).toEqual([413, 'too-large']);
    const tooLarge = await bulk(`${' '.repeat(1024 * 1024)}${body}`, 'admin');
    expect([tooLarge.status, tooLarge.json.code]).toEqual([413, 'too-large']);
  });
});
