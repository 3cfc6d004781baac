import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { secretDigest } from '@token-status/contracts';
import type { PublishedEvent, WireEvent } from '@token-status/contracts';
import { published, token, wireEvent } from './given.spec.js';
import type { GivenToken } from './given.spec.js';
import type { TokenTable } from './token-table.js';

type Type = WireEvent['type'];

const digestOf = ({ secret }: GivenToken): Uint8Array => Buffer.from(secretDigest(secret), 'hex');
const TOKENS = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => token(name));

/** All that a table says of the tokens: two tables that say the same are the same. */
function saidBy(table: TokenTable): unknown {
  const entries = TOKENS.map((each) => table.lookup(digestOf(each)));
  const parked = table.parked(1000).map(({ tokenId }) => tokenId);
  return { entries, counts: table.counts(), parked: parked.sort() };
}

function fill(table: TokenTable, steps: readonly Step[]): TokenTable {
  for (const step of steps) {
    if ('unreadable' in step) table.park(step.unreadable, 'unreadable');
    else table.apply(step);
  }
  return table;
}

type Step = PublishedEvent | { readonly unreadable: string };

/** One token's history as its partition holds it: mostly sound, now and then with a fault in it. */
const historyOf = (of: GivenToken): fc.Arbitrary<Step[]> =>
  fc
    .record({
      changes: fc.array(
        fc.constantFrom<Type>('TokenRenamed', 'TokenDisabled', 'TokenEnabled', 'TokenRevoked'),
        { maxLength: 6 },
      ),
      fault: fc.constantFrom('none', 'none', 'none', 'gap', 'two events', 'unreadable', 'late'),
      at: fc.nat({ max: 6 }),
    })
    .map(({ changes, fault, at }) => {
      const steps: Step[] = [
        published(wireEvent(of, 'TokenAdded', 1)),
        ...changes.map((type, i) => published(wireEvent(of, type, i + 2))),
      ];
      const i = Math.min(at, steps.length - 1);
      const version = i + 1;
      if (fault === 'gap') steps.splice(i, 1);
      if (fault === 'unreadable') steps.splice(i, 0, { unreadable: of.tokenId });
      if (fault === 'two events') {
        steps.splice(i + 1, 0, published(wireEvent(of, 'TokenEnabled', version, 'another')));
      }
      if (fault === 'late')
        steps.push(published(wireEvent(of, 'TokenEnabled', version, 'another')));
      return steps;
    });

/** The tokens' histories merged into one partition's order, each kept in its own. */
function merged(histories: readonly Step[][], picks: readonly number[]): Step[] {
  const left = histories.map((history) => [...history]);
  const order: Step[] = [];
  for (let n = 0; left.some((history) => history.length > 0); n++) {
    const open = left.filter((history) => history.length > 0);
    order.push(...open[(picks[n % picks.length] ?? 0) % open.length]!.splice(0, 1));
  }
  return order;
}

const picks = fc.array(fc.nat({ max: 1000 }), { minLength: 1, maxLength: 40 });

/** Every implementation of {@link TokenTable} passes this. */
export function tokenTableContract(name: string, empty: () => TokenTable): void {
  describe(`${name}, as a token table`, () => {
    const [a, b] = TOKENS as [GivenToken, GivenToken];
    const apply = (table: TokenTable, of: GivenToken, type: Type, version: number, variant = '') =>
      table.apply(published(wireEvent(of, type, version, variant)));

    it('knows a token by its secret from the event that adds it', () => {
      const table = empty();
      expect(table.lookup(digestOf(a))).toBeNull();
      expect(apply(table, a, 'TokenAdded', 1)).toEqual({ kind: 'applied', change: 'added' });
      expect(table.lookup(digestOf(a))).toMatchObject({
        tokenId: a.tokenId,
        userId: a.userId,
        accountId: a.accountId,
        version: 1,
        disabled: false,
        revoked: false,
        expiresAt: null,
        parked: false,
      });
      expect(table.lookup(digestOf(b))).toBeNull();
    });

    it('follows disable, enable, rename and revoke', () => {
      const table = empty();
      apply(table, a, 'TokenAdded', 1);
      expect(apply(table, a, 'TokenDisabled', 2)).toEqual({ kind: 'applied', change: 'disabled' });
      expect(table.lookup(digestOf(a))).toMatchObject({ version: 2, disabled: true });
      expect(apply(table, a, 'TokenEnabled', 3)).toEqual({ kind: 'applied', change: 'enabled' });
      expect(table.lookup(digestOf(a))).toMatchObject({ version: 3, disabled: false });
      expect(apply(table, a, 'TokenRenamed', 4)).toEqual({ kind: 'applied', change: 'renamed' });
      expect(apply(table, a, 'TokenRevoked', 5)).toEqual({ kind: 'applied', change: 'revoked' });
      expect(table.lookup(digestOf(a))).toMatchObject({ version: 5, revoked: true });
    });

    it('never takes a revocation back (rule 6)', () => {
      const table = empty();
      apply(table, a, 'TokenAdded', 1);
      apply(table, a, 'TokenRevoked', 2);
      apply(table, a, 'TokenEnabled', 3);
      expect(table.lookup(digestOf(a))).toMatchObject({ revoked: true });
    });

    it('keeps the time of expiry in milliseconds', () => {
      const table = empty();
      const mortal = { ...a, expiresAt: '2026-06-01T12:00:00.250Z' };
      apply(table, mortal, 'TokenAdded', 1);
      expect(table.lookup(digestOf(a))?.expiresAt).toBe(Date.UTC(2026, 5, 1, 12, 0, 0, 250));
    });

    it('ignores a repeat: the same version as the same event', () => {
      const table = empty();
      apply(table, a, 'TokenAdded', 1);
      apply(table, a, 'TokenDisabled', 2);
      apply(table, a, 'TokenEnabled', 3);
      expect(apply(table, a, 'TokenDisabled', 2)).toEqual({ kind: 'repeated' });
      expect(apply(table, a, 'TokenAdded', 1)).toEqual({ kind: 'repeated' });
      expect(table.lookup(digestOf(a))).toMatchObject({ version: 3, disabled: false });
    });

    it.each([1, 2, 3])('parks a token of which version %d came as two events', (version) => {
      const table = empty();
      apply(table, a, 'TokenAdded', 1);
      apply(table, a, 'TokenRenamed', 2);
      apply(table, a, 'TokenRenamed', 3);
      const type = version === 1 ? 'TokenAdded' : 'TokenRenamed';
      expect(apply(table, a, type, version, 'another')).toMatchObject({ kind: 'parked' });
      expect(table.lookup(digestOf(a))).toMatchObject({ parked: true });
    });

    it('parks a token with a gap, keeps it so whatever comes later, and goes on with the others', () => {
      const table = empty();
      apply(table, a, 'TokenAdded', 1);
      apply(table, b, 'TokenAdded', 1);
      expect(apply(table, a, 'TokenEnabled', 3)).toMatchObject({ kind: 'parked' });
      expect(apply(table, a, 'TokenEnabled', 2)).toEqual({ kind: 'behind-parked' });
      expect(apply(table, a, 'TokenEnabled', 3)).toEqual({ kind: 'behind-parked' });
      expect(table.lookup(digestOf(a))).toMatchObject({ parked: true, version: 1 });
      expect(apply(table, b, 'TokenDisabled', 2)).toMatchObject({ kind: 'applied' });
      expect(table.counts()).toEqual({ active: 0, disabled: 1, revoked: 0, parked: 1 });
    });

    it('parks a token that begins with another event than the one that adds it', () => {
      const table = empty();
      expect(apply(table, a, 'TokenEnabled', 1)).toMatchObject({ kind: 'parked' });
      expect(apply(table, b, 'TokenEnabled', 2)).toMatchObject({ kind: 'parked' });
      expect(table.counts().parked).toBe(2);
    });

    it('parks a token that is added a second time, under the same or another owner', () => {
      const table = empty();
      apply(table, a, 'TokenAdded', 1);
      expect(apply(table, a, 'TokenAdded', 2)).toMatchObject({ kind: 'parked' });
      apply(table, b, 'TokenAdded', 1);
      const stolen = { ...b, userId: 'somebody-else' };
      expect(apply(table, stolen, 'TokenRenamed', 2)).toMatchObject({ kind: 'parked' });
    });

    it('parks both of two tokens that have one secret, whichever came first', () => {
      const twin = { ...b, secret: a.secret };
      for (const [first, second] of [
        [a, twin],
        [twin, a],
      ] as const) {
        const table = empty();
        apply(table, first, 'TokenAdded', 1);
        expect(apply(table, second, 'TokenAdded', 1)).toMatchObject({ kind: 'parked' });
        expect(table.lookup(digestOf(a))).toMatchObject({ parked: true });
        expect(table.counts()).toEqual({ active: 0, disabled: 0, revoked: 0, parked: 2 });
      }
    });

    it('parks a token by its id alone, once, though nothing else is known of it', () => {
      const table = empty();
      expect(table.park(a.tokenId, 'unreadable')).toBe(true);
      expect(table.park(a.tokenId, 'unreadable')).toBe(false);
      expect(apply(table, a, 'TokenAdded', 1)).toEqual({ kind: 'behind-parked' });
      expect(table.lookup(digestOf(a))?.parked ?? true).toBe(true);
      expect(table.parked(10)).toEqual([{ tokenId: a.tokenId, why: 'unreadable' }]);
      expect(table.parked(0)).toEqual([]);
    });

    it('is the same after any interleaving of the tokens', () => {
      fc.assert(
        fc.property(fc.tuple(...TOKENS.map(historyOf)), picks, picks, (histories, one, other) => {
          const expected = saidBy(fill(empty(), merged(histories, one)));
          expect(saidBy(fill(empty(), merged(histories, other)))).toEqual(expected);
        }),
      );
    });

    it('is the same when read again from any earlier places, any number of times', () => {
      fc.assert(
        fc.property(
          fc.tuple(...TOKENS.map(historyOf)),
          picks,
          fc.array(fc.tuple(fc.nat({ max: 60 }), fc.nat({ max: 60 })), { maxLength: 5 }),
          (histories, order, restarts) => {
            const partition = merged(histories, order);
            const expected = saidBy(fill(empty(), partition));
            const table = empty();
            let end = 0;
            // Read up to some place, then again from an earlier one, and at last to the end.
            for (const [upTo, back] of [...restarts, [partition.length, 0] as const]) {
              const from = Math.max(0, end - back);
              const to = Math.max(from, Math.min(partition.length, upTo));
              fill(table, partition.slice(from, to));
              end = Math.max(end, to);
            }
            expect(saidBy(table)).toEqual(expected);
          },
        ),
      );
    });

    it('counts every token once, under what it is', () => {
      fc.assert(
        fc.property(fc.tuple(...TOKENS.map(historyOf)), picks, (histories, order) => {
          const table = fill(empty(), merged(histories, order));
          const entries = TOKENS.map((each) => table.lookup(digestOf(each))).filter(
            (e) => e !== null,
          );
          const sound = entries.filter((entry) => !entry.parked);
          expect(table.counts()).toEqual({
            active: sound.filter((entry) => !entry.revoked && !entry.disabled).length,
            disabled: sound.filter((entry) => !entry.revoked && entry.disabled).length,
            revoked: sound.filter((entry) => entry.revoked).length,
            parked: table.parked(1000).length,
          });
        }),
      );
    });
  });
}
