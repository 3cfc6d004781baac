import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { statusOf } from '@token-status/domain';
import type { Status } from '@token-status/domain';
import { ForeignCursor, MOST_NAMES_READ, viewOf } from '@token-status/read-model';
import type {
  TokenRow,
  TokenSearch,
  TokenStatusRepository,
  TokenView,
} from '@token-status/read-model';
import type { ReadModelPlace } from './read-model-place.js';
import { newTokenId } from './token-history.js';

const NOON = '2030-01-01T12:00:00.000Z';
const minute = (n: number): string => new Date(Date.parse(NOON) + n * 60_000).toISOString();

interface Given {
  readonly id?: string;
  readonly accountId?: string;
  readonly userId?: string;
  readonly name?: string | null;
  readonly hint?: string;
  readonly createdAt?: string;
  readonly expiresAt?: string | null;
  readonly disabled?: { readonly until: string | null; readonly version?: number } | null;
  readonly revoked?: boolean;
  readonly version?: number;
  readonly parked?: boolean;
}

let positions = 0;
const row = (given: Given = {}): TokenRow => {
  const { accountId = 'acme', userId = 'u-1', hint = 'abc123', revoked = false } = given;
  const { id = newTokenId(), version = 3, createdAt = NOON, expiresAt = null } = given;
  return {
    id,
    token: {
      id,
      userId,
      accountId,
      name: 'v1.sealed',
      hint,
      secretDigest: 'd'.repeat(64),
      userNameDigest: 'e'.repeat(64),
      createdAt,
      expiresAt,
      disabled: given.disabled
        ? {
            at: NOON,
            by: { kind: 'user', id: userId },
            authority: 'owner',
            reason: null,
            note: null,
            until: given.disabled.until,
            version: given.disabled.version ?? 2,
          }
        : null,
      revoked,
      version,
      changedAt: createdAt,
    },
    texts: { name: given.name === undefined ? 'a name' : given.name, note: null },
    eventId: 'f'.repeat(32),
    position: ++positions,
    parked: given.parked ?? false,
  };
};

/** What search is to find, by looking at every row: the definition that the adapters are held to. */
function found(rows: readonly TokenRow[], query: TokenSearch): TokenView[] {
  const fold = (text: string) => text.normalize('NFC').toLowerCase().toUpperCase().normalize('NFC');
  return rows
    .flatMap((each) => viewOf(each) ?? [])
    .filter(
      (view) =>
        (query.accountId === null || view.accountId === query.accountId) &&
        (query.userId === undefined || view.userId === query.userId) &&
        (query.status === undefined || statusOf(view, query.now) === query.status) &&
        (query.hint === undefined || view.hint.startsWith(query.hint)) &&
        (query.createdAfter === undefined || view.createdAt > query.createdAfter) &&
        (query.createdBefore === undefined || view.createdAt < query.createdBefore) &&
        (query.name === undefined ||
          (view.name !== null && fold(view.name).includes(fold(query.name)))),
    )
    .sort((a, b) =>
      a.createdAt === b.createdAt ? (a.id < b.id ? 1 : -1) : a.createdAt < b.createdAt ? 1 : -1,
    );
}

const NAMES = [
  'Straße',
  'STRASSE 9',
  'ΣΊΣΥΦΟΣ',
  'e\u0301clair',
  '\u00c9CLAIR',
  'x_%.*(',
  'build',
  null,
];
const PARTS = ['ss', 'ß', 'σ', 'ς', 'É', 'e\u0301', '_%', '.*', 'BUILD', ' ', '', 'zzz'];
const USERS = ['u-1', 'u-2', 'u-10'];
const TIMES = [-2, -1, 0, 1, 2].map(minute);

const aRow = fc
  .record({
    accountId: fc.constantFrom('acme', 'globex'),
    userId: fc.constantFrom(...USERS),
    name: fc.constantFrom(...NAMES),
    hint: fc.constantFrom('abc123', 'abC123', 'ab9999', 'zzzzzz'),
    createdAt: fc.constantFrom(...TIMES),
    expiresAt: fc.constantFrom(null, ...TIMES),
    disabled: fc.constantFrom(null, { until: null }, { until: minute(1) }),
    revoked: fc.boolean(),
  })
  .map(row);
const sometimes = <T>(...values: readonly T[]) => fc.constantFrom(undefined, ...values);
const aQuery = fc.record({
  accountId: fc.constantFrom('acme', 'globex', 'nobody', null),
  userId: sometimes(...USERS, 'u-'),
  status: sometimes<Status>('active', 'disabled', 'revoked', 'expired'),
  name: sometimes(...PARTS),
  hint: sometimes('a', 'ab', 'abc', 'abc123', 'abc1234', '', '%'),
  createdAfter: sometimes(...TIMES),
  createdBefore: sometimes(...TIMES),
  now: fc.constantFrom(...TIMES),
  limit: fc.constantFrom(1, 2, 3, 1000),
});

/** What every adapter of `TokenStatusReads` promises of `search` and `due`. */
export function tokenSearchContract(name: string, makePlace: () => Promise<ReadModelPlace>): void {
  describe(`searching the token status repository in ${name}`, () => {
    let place: ReadModelPlace;
    let model = 0;
    let repository: TokenStatusRepository;
    let offset: bigint | null = null;

    const store = async (...rows: readonly TokenRow[]): Promise<void> => {
      const nextOffset = (offset ?? 0n) + 1n;
      const step = { partition: 0, from: offset, nextOffset, heartbeatPosition: 0, parked: [] };
      expect(await repository.apply({ ...step, rows })).toBe('applied');
      offset = nextOffset;
    };
    const query = (change: Partial<TokenSearch> = {}): TokenSearch => ({
      accountId: 'acme',
      now: NOON,
      limit: 10,
      ...change,
    });
    const allPages = async (asked: TokenSearch): Promise<TokenView[]> => {
      const all: TokenView[] = [];
      let cursor: string | undefined;
      for (let pages = 0; pages < 200; pages++) {
        const page = await repository.search({ ...asked, cursor });
        expect(page.tokens.length).toBeLessThanOrEqual(asked.limit);
        all.push(...page.tokens);
        if (page.next === null) return all;
        cursor = page.next;
      }
      throw new Error('the pages do not end');
    };

    beforeAll(async () => (place = await makePlace()));
    beforeEach(async () => {
      offset = null;
      repository = await place.open(`search${++model}`);
    });
    afterEach(() => repository.close());
    afterAll(() => place.destroy());

    it('finds what looking at every row finds, in the same order, over any number of pages', async () => {
      const rows = fc.sample(aRow, { numRuns: 60, seed: 7 });
      await store(...rows, { ...row(), token: null, parked: true });
      await fc.assert(
        fc.asyncProperty(aQuery, async (asked) => {
          expect(await allPages(asked)).toEqual(found(rows, asked));
        }),
        { numRuns: 150, seed: 20_260_101 },
      );
    }, 60_000);

    it('compares names without case, in Unicode’s composed form, and takes no letter for a pattern', async () => {
      const rows = NAMES.map((each, i) => row({ name: each, createdAt: minute(-i) }));
      await store(...rows);
      const names = async (part: string) =>
        (await repository.search(query({ name: part }))).tokens.map((token) => token.name);
      expect(await names('strasse')).toEqual(['Straße', 'STRASSE 9']);
      expect(await names('σίσυφος')).toEqual(['ΣΊΣΥΦΟΣ']);
      expect(await names('Éclair')).toEqual(['e\u0301clair', '\u00c9CLAIR']);
      expect(await names('.*')).toEqual(['x_%.*(']);
      expect(await names('b_ild')).toEqual([]);
    });

    it('shows a token that is parked, as the last that is known', async () => {
      await store(row({ parked: true }));
      expect((await repository.search(query())).tokens).toMatchObject([{ parked: true }]);
    });

    it('neither repeats nor leaves out a token, whatever is added or changed between two pages', async () => {
      const rows = Array.from({ length: 12 }, (_, i) =>
        row({ createdAt: minute(i % 4), version: 1 }),
      );
      await store(...rows);
      const seen: string[] = [];
      let cursor: string | undefined;
      for (let changed = 0; ; changed++) {
        const page = await repository.search(query({ limit: 2, cursor }));
        seen.push(...page.tokens.map(({ id }) => id));
        if (page.next === null) break;
        cursor = page.next;
        const each = rows[changed % rows.length];
        await store(row({ createdAt: minute(60 + changed) }), {
          ...row({ ...each?.token, disabled: { until: null }, version: 2, name: 'renamed' }),
        });
      }
      expect(seen).toEqual(found(rows, query()).map(({ id }) => id));
    });

    it('goes on from a place whose own token no longer matches', async () => {
      const made = (at: number): TokenRow => row({ createdAt: minute(at), version: 1 });
      const [old, middle, young] = [made(0), made(1), made(2)];
      await store(old, middle, young);
      const asked = query({ status: 'active', limit: 2 });
      const first = await repository.search(asked);
      expect(first.tokens.map(({ id }) => id)).toEqual([young.id, middle.id]);
      await store(row({ ...middle.token, revoked: true, version: 2 }));
      const second = await repository.search({ ...asked, cursor: first.next ?? '' });
      expect(second).toMatchObject({ tokens: [{ id: old.id }], next: null });
    });

    it('takes a cursor with another limit and at a later time, and for no other query', async () => {
      await store(...[0, 1, 2].map((i) => row({ createdAt: minute(i) })));
      const cursor = (await repository.search(query({ limit: 1 }))).next ?? '';
      const later = query({ limit: 5, cursor, now: minute(99) });
      expect((await repository.search(later)).tokens).toHaveLength(2);
      for (const other of [
        query({ cursor, accountId: 'globex' }),
        query({ cursor, accountId: null }),
        query({ cursor, name: 'a' }),
        query({ cursor, status: 'active' }),
        query({ cursor: '' }),
        query({ cursor: 'AAAA' }),
        query({ cursor: cursor.slice(0, -3) }),
        query({ cursor: Buffer.from('[1,2,3]').toString('base64url') }),
        query({ cursor: Buffer.from('null').toString('base64url') }),
      ]) {
        await expect(repository.search(other)).rejects.toBeInstanceOf(ForeignCursor);
      }
    });

    it('refuses a limit that is no whole number from 1 to 1000', async () => {
      for (const limit of [0, -1, 1.5, 1001, NaN, Infinity]) {
        await expect(repository.search(query({ limit }))).rejects.toBeInstanceOf(RangeError);
      }
      expect(await repository.search(query({ limit: 1000 }))).toEqual({ tokens: [], next: null });
    });

    it('reads no more than a bounded number of names for a page, and goes on there', async () => {
      const needle = row({ name: 'needle', createdAt: minute(-1) });
      for (let left = MOST_NAMES_READ; left > 0; left -= 1000) {
        await store(...Array.from({ length: 1000 }, () => row()));
      }
      await store(needle);
      const first = await repository.search(query({ name: 'NEEDLE' }));
      expect(first.tokens).toEqual([]);
      const second = await repository.search(query({ name: 'NEEDLE', cursor: first.next ?? '' }));
      expect(second).toMatchObject({ tokens: [{ id: needle.id }], next: null });
    }, 60_000);

    it('knows which disables have come to their end, the earliest first', async () => {
      const late = row({ disabled: { until: minute(0), version: 7 } });
      const early = row({
        disabled: { until: minute(-9) },
        accountId: 'globex',
        expiresAt: minute(1),
      });
      await store(
        late,
        early,
        row({ disabled: { until: minute(1) } }),
        row({ disabled: { until: null } }),
        row({ disabled: { until: minute(-9) }, revoked: true }),
        row({ disabled: { until: minute(-9) }, expiresAt: minute(0) }),
        row(),
      );
      const due = await repository.due(NOON, 10);
      expect(due).toEqual([
        { tokenId: early.id, disabledAtVersion: 2, until: minute(-9) },
        { tokenId: late.id, disabledAtVersion: 7, until: minute(0) },
      ]);
      expect(await repository.due(NOON, 1)).toEqual(due.slice(0, 1));
      expect(await repository.due(minute(-10), 10)).toEqual([]);
    });
  });
}
