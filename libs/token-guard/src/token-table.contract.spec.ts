import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { userNameDigest } from '@token-status/contracts';
import type { PublishedEvent, WireEvent } from '@token-status/contracts';
import { published, token, wireEvent } from './given.spec.js';
import type { GivenToken } from './given.spec.js';
import type { TokenTable } from './token-table.js';

type Type = WireEvent['type'];

export const secretOf = ({ secret }: GivenToken): string => secret;
export const TOKENS = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => token(name));

/** All that a table says of the tokens: two tables that say the same are the same. */
export function saidBy(table: TokenTable): unknown {
  const entries = TOKENS.map((each) => {
    const entry = table.lookup(secretOf(each));
    if (!entry) return null;
    const { tokenId, userId, accountId, version, disabled, revoked, expiresAt, parked } = entry;
    const named = TOKENS.map((other) =>
      entry.isOfUserName(userNameDigest(each.secret, other.userName)),
    );
    return { tokenId, userId, accountId, version, disabled, revoked, expiresAt, parked, named };
  });
  const parked = table.parked(1000).map(({ tokenId }) => tokenId);
  return { entries, counts: table.counts(), parked: parked.sort() };
}

export function fill<T extends TokenTable>(table: T, steps: readonly Step[]): T {
  for (const step of steps) take(table, step);
  return table;
}

export function take(table: TokenTable, step: Step): unknown {
  if ('unreadable' in step) return table.park(step.unreadable, 'unreadable');
  return table.apply(step);
}

export type Step = PublishedEvent | { readonly unreadable: string };

/**
 * One token's history as its partition holds it: mostly sound, now and then with a fault in it. Each
 * event has its own position, and they come in the order of positions, as a relay sends a log: no table
 * promises to find every fault otherwise (only the newest version's id and position need be kept).
 */
export const historyOf = (of: GivenToken): fc.Arbitrary<Step[]> =>
  fc
    .record({
      changes: fc.array(
        fc.constantFrom<Type>('TokenRenamed', 'TokenDisabled', 'TokenEnabled', 'TokenRevoked'),
        { maxLength: 6 },
      ),
      fault: fc.constantFrom(
        ...(['none', 'none', 'none', 'none', 'gap', 'two events', 'unreadable', 'late'] as const),
        ...(['another owner', 'added again', 'moved back'] as const),
      ),
      at: fc.nat({ max: 6 }),
    })
    .map(({ changes, fault, at }) => {
      const types: Type[] = ['TokenAdded', ...changes];
      const i = Math.min(at, types.length - 1);
      const events = types.map((type, n) => wireEvent(of, type, n + 1));
      const another = wireEvent(of, 'TokenEnabled', i + 1, 'another');
      if (fault === 'gap') events.splice(i, 1);
      if (fault === 'two events') events.splice(i + 1, 0, another);
      if (fault === 'late') events.push(another);
      if (fault === 'added again') events.push(wireEvent(of, 'TokenAdded', events.length + 1));
      if (fault === 'another owner') {
        const other = { ...of, userId: 'somebody-else' };
        events.push(wireEvent(other, 'TokenRenamed', events.length + 1));
      }
      const steps: Step[] = events.map((event, n) => published(event, 10 * (n + 1)));
      if (fault === 'moved back') {
        steps.push(published(wireEvent(of, 'TokenEnabled', steps.length + 1), 10 * steps.length));
      }
      if (fault === 'unreadable') steps.splice(i, 0, { unreadable: of.tokenId });
      return steps;
    });

/** The tokens' histories merged into one partition's order, each kept in its own. */
export function merged(histories: readonly Step[][], picks: readonly number[]): Step[] {
  const left = histories.map((history) => [...history]);
  const order: Step[] = [];
  for (let n = 0; left.some((history) => history.length > 0); n++) {
    const open = left.filter((history) => history.length > 0);
    order.push(...open[(picks[n % picks.length] ?? 0) % open.length]!.splice(0, 1));
  }
  return order;
}

export const picks = fc.array(fc.nat({ max: 1000 }), { minLength: 1, maxLength: 40 });

/** Every implementation of {@link TokenTable} passes this. */
export function tokenTableContract(name: string, empty: () => TokenTable): void {
  describe(`${name}, as a token table`, () => {
    const [a, b] = TOKENS as [GivenToken, GivenToken];
    const apply = (table: TokenTable, of: GivenToken, type: Type, version: number) =>
      table.apply(published(wireEvent(of, type, version)));

    it('knows a token by its secret from the event that adds it', () => {
      const table = empty();
      expect(table.lookup(secretOf(a))).toBeNull();
      expect(apply(table, a, 'TokenAdded', 1)).toEqual({ kind: 'applied', change: 'added' });
      expect(table.lookup(secretOf(a))).toMatchObject({
        tokenId: a.tokenId,
        userId: a.userId,
        accountId: a.accountId,
        version: 1,
        disabled: false,
        revoked: false,
        expiresAt: null,
        parked: false,
      });
      expect(table.lookup(secretOf(b))).toBeNull();
    });

    it('follows disable, enable, rename and revoke', () => {
      const table = empty();
      apply(table, a, 'TokenAdded', 1);
      expect(apply(table, a, 'TokenDisabled', 2)).toEqual({ kind: 'applied', change: 'disabled' });
      expect(table.lookup(secretOf(a))).toMatchObject({ version: 2, disabled: true });
      expect(apply(table, a, 'TokenEnabled', 3)).toEqual({ kind: 'applied', change: 'enabled' });
      expect(table.lookup(secretOf(a))).toMatchObject({ version: 3, disabled: false });
      expect(apply(table, a, 'TokenRenamed', 4)).toEqual({ kind: 'applied', change: 'renamed' });
      expect(apply(table, a, 'TokenRevoked', 5)).toEqual({ kind: 'applied', change: 'revoked' });
      expect(table.lookup(secretOf(a))).toMatchObject({ version: 5, revoked: true });
    });

    it('never takes a revocation back (rule 6)', () => {
      const table = empty();
      apply(table, a, 'TokenAdded', 1);
      apply(table, a, 'TokenRevoked', 2);
      apply(table, a, 'TokenEnabled', 3);
      expect(table.lookup(secretOf(a))).toMatchObject({ revoked: true });
    });

    it('knows a token by its id as it does by its secret', () => {
      const table = empty();
      expect(table.byId(a.tokenId)).toBeNull();
      apply(table, a, 'TokenAdded', 1);
      apply(table, a, 'TokenDisabled', 2);
      expect(table.byId(a.tokenId)).toMatchObject({
        tokenId: a.tokenId,
        version: 2,
        disabled: true,
      });
      expect(table.byId(b.tokenId)).toBeNull();
      table.park(a.tokenId, 'for a reason');
      expect(table.byId(a.tokenId)).toMatchObject({ parked: true });
      // Of this one nothing but a fault is known.
      table.park(b.tokenId, 'for a reason');
      expect(table.byId(b.tokenId)).toBeNull();
      expect(table.byId('no id of ours')).toBeNull();
    });

    it('says which other token it parks with one that has the same secret', () => {
      const table = empty();
      apply(table, a, 'TokenAdded', 1);
      const thief = { ...b, secret: a.secret };
      expect(apply(table, thief, 'TokenAdded', 1)).toMatchObject({
        kind: 'parked',
        other: a.tokenId,
      });
      const second = apply(table, { ...token('c'), secret: a.secret }, 'TokenAdded', 1);
      expect(second).toMatchObject({ kind: 'parked' });
      expect(second).not.toHaveProperty('other');
    });

    it('keeps the time of expiry in milliseconds', () => {
      const table = empty();
      const mortal = { ...a, expiresAt: '2026-06-01T12:00:00.250Z' };
      apply(table, mortal, 'TokenAdded', 1);
      expect(table.lookup(secretOf(a))?.expiresAt).toBe(Date.UTC(2026, 5, 1, 12, 0, 0, 250));
    });

    it('ignores a repeat: the same version as the same event', () => {
      const table = empty();
      apply(table, a, 'TokenAdded', 1);
      apply(table, a, 'TokenDisabled', 2);
      apply(table, a, 'TokenEnabled', 3);
      expect(apply(table, a, 'TokenDisabled', 2)).toEqual({ kind: 'repeated' });
      expect(apply(table, a, 'TokenAdded', 1)).toEqual({ kind: 'repeated' });
      expect(table.lookup(secretOf(a))).toMatchObject({ version: 3, disabled: false });
    });

    it.each([1, 2, 3])('parks a token of which version %d came as two events', (version) => {
      const table = empty();
      apply(table, a, 'TokenAdded', 1);
      apply(table, a, 'TokenRenamed', 2);
      apply(table, a, 'TokenRenamed', 3);
      const type = version === 1 ? 'TokenAdded' : 'TokenRenamed';
      // Another event has another position, and one that came for the first time has a later one.
      const another = published(wireEvent(a, type, version, 'another'), 4);
      expect(table.apply(another)).toMatchObject({ kind: 'parked' });
      expect(table.lookup(secretOf(a))).toMatchObject({ parked: true });
    });

    it('parks a token of which the newest version came as two events at one position', () => {
      const table = empty();
      apply(table, a, 'TokenAdded', 1);
      apply(table, a, 'TokenRenamed', 2);
      const another = published(wireEvent(a, 'TokenRenamed', 2, 'another'), 2);
      expect(table.apply(another)).toMatchObject({ kind: 'parked' });
    });

    it('parks a token of which the next version is not after the last one in the log', () => {
      for (const position of [1, 2]) {
        const table = empty();
        table.apply(published(wireEvent(a, 'TokenAdded', 1), 2));
        const back = published(wireEvent(a, 'TokenEnabled', 2), position);
        expect(table.apply(back)).toMatchObject({ kind: 'parked' });
      }
    });

    it('tells its owner’s user name from others', () => {
      const table = empty();
      apply(table, a, 'TokenAdded', 1);
      const entry = table.lookup(secretOf(a));
      expect(entry?.isOfUserName(userNameDigest(a.secret, a.userName))).toBe(true);
      expect(entry?.isOfUserName(userNameDigest(a.secret, b.userName))).toBe(false);
      expect(entry?.isOfUserName(userNameDigest(b.secret, a.userName))).toBe(false);
    });

    it('parks a token with a gap, keeps it so whatever comes later, and goes on with the others', () => {
      const table = empty();
      apply(table, a, 'TokenAdded', 1);
      apply(table, b, 'TokenAdded', 1);
      expect(apply(table, a, 'TokenEnabled', 3)).toMatchObject({ kind: 'parked' });
      expect(apply(table, a, 'TokenEnabled', 2)).toEqual({ kind: 'behind-parked' });
      expect(apply(table, a, 'TokenEnabled', 3)).toEqual({ kind: 'behind-parked' });
      expect(table.lookup(secretOf(a))).toMatchObject({ parked: true, version: 1 });
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
        expect(table.lookup(secretOf(a))).toMatchObject({ parked: true });
        expect(table.counts()).toEqual({ active: 0, disabled: 0, revoked: 0, parked: 2 });
      }
    });

    it('parks a token by its id alone, once, though nothing else is known of it', () => {
      const table = empty();
      expect(table.park(a.tokenId, 'unreadable')).toBe(true);
      expect(table.park(a.tokenId, 'unreadable')).toBe(false);
      expect(apply(table, a, 'TokenAdded', 1)).toEqual({ kind: 'behind-parked' });
      expect(table.lookup(secretOf(a))?.parked ?? true).toBe(true);
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
          const entries = TOKENS.map((each) => table.lookup(secretOf(each))).filter(
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
