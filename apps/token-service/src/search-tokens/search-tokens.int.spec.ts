import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CallerName } from '../given/issuer.spec.js';
import { startService } from '../given/service.spec.js';
import type { Answer, ServiceUnderTest } from '../given/service.spec.js';
import { addToken } from '../given/token.spec.js';

let service: ServiceUnderTest;
/** By name, in the order in which they were added, a minute apart. */
const ids: Record<string, string> = {};

beforeAll(async () => {
  service = await startService({ settings: { minPositionTimeoutMs: 150, tokensPerUser: 100 } });
  for (const [userId, name, accountId = 'acme'] of [
    ['u-alice', 'Build server'],
    ['u-alice', 'backup'],
    ['u-carol', 'BUILD agent'],
    ['u-carol', 'straße'],
    ['u-mallory', 'Build of globex', 'globex'],
  ] as const) {
    service.clock.now = new Date(service.clock.now.getTime() + 60_000);
    ids[name] = (await addToken(service, { userId, name, accountId })).id;
  }
  await service.call('POST', `/v1/tokens/${ids.backup}/disable`, { as: 'alice' });
  await service.call('DELETE', `/v1/tokens/${ids.straße}`, { as: 'carol' });
  await service.project();
});
afterAll(() => service.close());

const search = (query: string, as: CallerName = 'admin'): Promise<Answer> =>
  service.call('GET', `/v1/tokens${query}`, { as });
const names = ({ json }: Answer) => json.tokens?.map(({ name }) => name);
const next = ({ json }: Answer): string | null => (json as { readonly next: string | null }).next;

describe('searching tokens', () => {
  it("shows an administrator the account's, newest first, as reading each shows it", async () => {
    const answer = await search('');
    expect(answer.status).toBe(200);
    expect(names(answer)).toEqual(['straße', 'BUILD agent', 'backup', 'Build server']);
    const { json } = await service.call('GET', `/v1/tokens/${ids.backup}`, { as: 'admin' });
    expect(answer.json.tokens?.[2]).toEqual(json);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.text).not.toMatch(/igest/);
    expect(next(answer)).toBeNull();
    expect(answer.headers.get('link')).toBeNull();
  });

  it.each<[string, string[]]>([
    ['?user=u-alice', ['backup', 'Build server']],
    ['?status=disabled', ['backup']],
    ['?status=revoked', ['straße']],
    ['?status=active', ['BUILD agent', 'Build server']],
    ['?status=expired', []],
    ['?name=build', ['BUILD agent', 'Build server']],
    ['?name=STRASSE', ['straße']],
    ['?name=ld%20', ['BUILD agent', 'Build server']],
    ['?createdAfter=2030-01-01T12:02:00Z', ['straße', 'BUILD agent']],
    ['?createdBefore=2030-01-01T14:02:00%2B02:00', ['Build server']],
    ['?user=u-alice&status=active&name=b', ['Build server']],
    ['?account=acme&user=u-carol', ['straße', 'BUILD agent']],
    ['?user=u-nobody', []],
    ['?user=u-mallory', []],
    ['?account=globex', []],
  ])('finds by %s what it says', async (query, found) => {
    expect(names(await search(query))).toEqual(found);
  });

  it('finds by how the hint begins', async () => {
    const { hint = '' } = (await search('')).json.tokens?.[1] ?? {};
    for (const length of [4, 6]) {
      expect(names(await search(`?hint=${hint.slice(0, length)}`))).toEqual(['BUILD agent']);
    }
  });

  it('shows a service every account, and the one that it asks for', async () => {
    expect(names(await search('?name=build', 'reader'))).toEqual([
      'Build of globex',
      'BUILD agent',
      'Build server',
    ]);
    expect(names(await search('?account=globex', 'reader'))).toEqual(['Build of globex']);
  });

  it('shows a user their own, whoever else they ask for', async () => {
    expect(names(await search('', 'alice'))).toEqual(['backup', 'Build server']);
    expect(names(await search('?user=u-carol', 'alice'))).toEqual([]);
    expect(names(await search('?user=u-alice', 'alice'))).toHaveLength(2);
    expect(names(await search('?account=globex', 'alice'))).toEqual([]);
  });

  it.each<[CallerName, number, string]>([
    ['bob', 403, 'privilege-missing'],
    ['auditor', 403, 'scope-missing'],
  ])('refuses %s', async (caller, status, code) => {
    const answer = await search('', caller);
    expect([answer.status, answer.json.code]).toEqual([status, code]);
  });

  it('is closed to who shows no access token', async () => {
    expect((await service.call('GET', '/v1/tokens')).status).toBe(401);
  });

  it('goes from page to page by the cursor, or by the Link', async () => {
    const first = await search('?limit=3&name=b');
    expect(names(first)).toEqual(['BUILD agent', 'backup', 'Build server']);
    const one = await search('?limit=1&name=b&status=active');
    expect(names(one)).toEqual(['BUILD agent']);
    const [, link = ''] = /^<(.*)>; rel="next"$/.exec(one.headers.get('link') ?? '') ?? [];
    const byLink = await search(link);
    const byCursor = await search(`?limit=1&name=b&status=active&cursor=${next(one)}`);
    expect(names(byLink)).toEqual(['Build server']);
    expect(byCursor.json).toEqual(byLink.json);
  });

  it('takes no cursor that was changed, made up, or given for another query or to another caller', async () => {
    const cursor = next(await search('?limit=1')) ?? '';
    expect((await search(`?limit=1&cursor=${cursor}`)).status).toBe(200);
    const middle = Math.floor(cursor.length / 3);
    const changed =
      cursor.slice(0, middle) + (cursor[middle] === 'A' ? 'B' : 'A') + cursor.slice(middle + 1);
    for (const [query, as] of [
      [`?cursor=${changed}`, 'admin'],
      [`?cursor=${cursor.slice(0, -1)}`, 'admin'],
      ['?cursor=', 'admin'],
      [`?cursor=${'A'.repeat(40)}.${'A'.repeat(43)}`, 'admin'],
      [`?status=active&cursor=${cursor}`, 'admin'],
      [`?cursor=${cursor}`, 'mallory'],
      [`?account=acme&cursor=${cursor}`, 'reader'],
    ] as const) {
      const answer = await search(query, as);
      expect([query, answer.status, answer.json.code]).toEqual([query, 400, 'invalid-request']);
    }
  });

  it.each([
    'limit=0',
    'limit=1001',
    'limit=1.5',
    'limit=ten',
    'limit=1&limit=2',
    'status=asleep',
    'status=active&status=revoked',
    'name=',
    `name=${'n'.repeat(101)}`,
    'name=a%00b',
    'name=%E2%80%AEb',
    'hint=%25',
    'hint=1234567',
    'user=a%20b',
    'user=u-1&user=u-2',
    'account=',
    'createdAfter=yesterday',
    'createdBefore=2030-02-30T00:00:00Z',
    'minPosition=-1',
    'userId=u-alice',
  ])('names what is wrong with ?%s', async (query) => {
    const answer = await search(`?${query}`);
    expect([answer.status, answer.json.code]).toEqual([400, 'invalid-request']);
  });

  it('waits for minPosition, and answers 503 past its bound', async () => {
    await addToken(service, { userId: 'u-late', name: 'late' });
    const head = (await service.log.fence()).position;
    const late = await search(`?minPosition=${head}&name=late`);
    expect([late.status, late.json.code]).toEqual([503, 'not-there-yet']);
    await service.project();
    expect(names(await search(`?minPosition=${head}&name=late`))).toEqual(['late']);
  });
});
