import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { WireEvent } from '@token-status/contracts';
import { CompactTable } from './compact-table.js';
import { ExactTable } from './exact-table.spec.js';
import { nth, published, token, wireEvent } from './given.spec.js';
import {
  TOKENS,
  secretOf,
  fill,
  historyOf,
  merged,
  picks,
  saidBy,
  take,
  tokenTableContract,
} from './token-table.contract.spec.js';

tokenTableContract('the compact table', () => new CompactTable());

/** With fewer secrets than tokens, and repeats from any earlier place, as after a crash of the relay. */
const deliveries = fc
  .tuple(
    fc.tuple(
      ...TOKENS.map((each, i) =>
        fc.boolean().chain((twin) => {
          const other = TOKENS[(i + 1) % TOKENS.length]!;
          return historyOf(twin && i < 2 ? { ...each, secret: other.secret } : each);
        }),
      ),
    ),
    picks,
    fc.array(fc.tuple(fc.nat({ max: 60 }), fc.nat({ max: 60 })), { maxLength: 5 }),
  )
  .map(([histories, order, crashes]) => {
    const sent = merged(histories, order);
    const all = [];
    let end = 0;
    for (const [upTo, back] of [...crashes, [sent.length, 0] as const]) {
      const from = Math.max(0, end - back);
      const to = Math.max(from, Math.min(sent.length, upTo));
      all.push(...sent.slice(from, to));
      end = Math.max(end, to);
    }
    return all;
  });

describe('the compact table', () => {
  it('says of every event, and afterwards of every token, what the exact table says', () => {
    fc.assert(
      fc.property(deliveries, (steps) => {
        const compact = new CompactTable();
        const exact = new ExactTable();
        for (const step of steps) {
          expect(take(compact, step)).toEqual(take(exact, step));
        }
        expect(saidBy(compact)).toEqual(saidBy(exact));
        expect(compact.parked(1000)).toEqual(exact.parked(1000));
      }),
      { numRuns: 200 },
    );
  });

  it('finds all of many tokens, through every growth, and nobody else', () => {
    const table = new CompactTable();
    const exact = new ExactTable();
    const count = 8_000;
    for (let n = 0; n < count; n++) {
      for (const each of [table, exact]) {
        each.apply(published(wireEvent(nth(n), 'TokenAdded', 1), n * 2 ** 24 + 1));
        if (n % 2 === 0) {
          each.apply(published(wireEvent(nth(n), 'TokenDisabled', 2), n * 2 ** 24 + 2));
        }
      }
    }
    expect(table.counts()).toEqual(exact.counts());
    let wrong = 0;
    for (let n = 0; n < count; n++) {
      const digest = secretOf(nth(n));
      const [found, expected] = [table.lookup(digest), exact.lookup(digest)];
      if (
        found?.tokenId !== expected?.tokenId ||
        found?.userId !== expected?.userId ||
        found?.accountId !== expected?.accountId ||
        found?.expiresAt !== expected?.expiresAt ||
        found?.disabled !== expected?.disabled ||
        found?.version !== expected?.version
      ) {
        wrong++;
      }
      if (table.lookup(secretOf(nth(count + n)))) wrong++;
    }
    expect(wrong).toBe(0);
  }, 60_000);

  it('takes at most 96 bytes a token, through every growth from 30,000 on', () => {
    const table = new CompactTable();
    let most = 0;
    for (let n = 0; n < 60_000; n++) {
      table.apply(published(wireEvent(nth(n), 'TokenAdded', 1)));
      if (n >= 30_000) most = Math.max(most, table.bytes / (n + 1));
    }
    expect(table.counts().active).toBe(60_000);
    expect(most).toBeLessThanOrEqual(96);
  }, 60_000);

  it('takes little for few tokens', () => {
    const table = fill(new CompactTable(), [published(wireEvent(token('a'), 'TokenAdded', 1))]);
    expect(table.bytes).toBeLessThan(20_000);
  });

  it.each<[string, Partial<WireEvent>, number]>([
    ['an id of another form', { tokenId: 'x' }, 1],
    ['an owner whose id can’t be held', { userId: 'u'.repeat(300) }, 1],
    ['an account whose id can’t be held', { accountId: '\u4e2d' }, 1],
    ['a position beyond 48 bits', {}, 2 ** 48],
  ])('parks a token with %s, and goes on', (_, odd, position) => {
    const table = new CompactTable();
    const [a, b] = TOKENS;
    const event = { ...wireEvent(a!, 'TokenAdded', 1), ...odd } as WireEvent;
    expect(table.apply(published(event, position))).toMatchObject({ kind: 'parked' });
    expect(table.lookup(secretOf(a!))).toBeNull();
    expect(table.apply(published(wireEvent(b!, 'TokenAdded', 1)))).toMatchObject({
      kind: 'applied',
    });
    expect(table.counts()).toEqual({ active: 1, disabled: 0, revoked: 0, parked: 1 });
  });

  it('tells another event under the newest version by its position, where their ids begin alike', () => {
    const table = new CompactTable();
    const [a] = TOKENS;
    const added = published(wireEvent(a!, 'TokenAdded', 1), 1);
    table.apply(added);
    expect(table.apply(added)).toEqual({ kind: 'repeated' });
    const id = added.id.slice(0, 8) + '0'.repeat(24);
    expect(table.apply({ ...added, id, position: 2 })).toMatchObject({ kind: 'parked' });
  });

  it('keeps positions and times up to 48 bits beside each other', () => {
    const table = new CompactTable();
    const [a] = TOKENS;
    const mortal = { ...a!, expiresAt: '9999-12-31T23:59:59.999Z' };
    table.apply(published(wireEvent(mortal, 'TokenAdded', 1), 2 ** 48 - 3));
    const next = published(wireEvent(mortal, 'TokenRenamed', 2), 2 ** 48 - 1);
    expect(table.apply(next)).toMatchObject({ kind: 'applied' });
    expect(table.apply(next)).toEqual({ kind: 'repeated' });
    expect(table.lookup(secretOf(a!))?.expiresAt).toBe(Date.parse(mortal.expiresAt));
  });

  it('takes a token that expired before 1970 for expired', () => {
    const table = new CompactTable();
    const [a] = TOKENS;
    const ancient = { ...a!, expiresAt: '0000-01-01T00:00:00.000Z' };
    table.apply(published(wireEvent(ancient, 'TokenAdded', 1)));
    expect(table.lookup(secretOf(a!))?.expiresAt).toBe(0);
  });
});
