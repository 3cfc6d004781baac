import { describe, expect, it } from '@jest/globals';
import type { PublishedEvent, RecordedEvent } from '@token-status/contracts';
import type { ReceivedRecord } from '@token-status/event-bus';
import fc from 'fast-check';
import { TokenHistory, tokenOf } from '../../../test/contracts/token-history.js';
import { foldRecords, projectToken } from './projection.js';
import { newRow, viewOf } from './token-row.js';
import type { TokenRow } from './token-row.js';

/** A life of one token: added, renamed, disabled, enabled, disabled, revoked. */
function aLife(): { history: TokenHistory; events: RecordedEvent[]; id: string } {
  const history = new TokenHistory();
  const added = history.add('u-1', 'v1.first');
  const id = tokenOf(added);
  const events = [
    added,
    history.rename(id, 'v1.second'),
    history.disable(id, 'v1.note'),
    history.enable(id),
    history.disable(id),
    history.revoke(id),
  ];
  return { history, events, id };
}

const project = (row: TokenRow, published: PublishedEvent): TokenRow => {
  const projected = projectToken(row, published);
  if (projected.kind !== 'applied') throw new Error(projected.kind);
  return projected.row;
};

const received = (
  history: TokenHistory,
  events: readonly RecordedEvent[],
  change: (record: ReceivedRecord) => ReceivedRecord = (record) => record,
): ReceivedRecord[] =>
  events.map((event, i) =>
    change({ ...history.record(event), partition: 3, offset: BigInt(100 + i) }),
  );

const fold = (
  loaded: ReadonlyMap<string, TokenRow>,
  records: readonly ReceivedRecord[],
): ReturnType<typeof foldRecords> => foldRecords(loaded, records, '2026-01-02T00:00:00.000Z');

const none: ReadonlyMap<string, TokenRow> = new Map();

describe('the token status projection', () => {
  it('follows a token through its life', () => {
    const { history, events, id } = aLife();
    const views = [];
    let row = newRow(id);
    for (const event of events) {
      row = project(row, history.published(event));
      views.push(viewOf(row));
    }
    expect(views.map((view) => view?.version)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(views.map((view) => view?.position)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(views.map((view) => view?.disabled !== null)).toEqual([
      false,
      false,
      true,
      false,
      true,
      true,
    ]);
    expect(views.map((view) => view?.revoked)).toEqual([...Array<boolean>(5).fill(false), true]);
    expect(views[2]?.disabled).toMatchObject({
      at: events[2]!.data.at,
      by: { kind: 'user', id: 'u-1' },
      authority: 'owner',
      reason: 'rotation',
      until: null,
    });
  });

  it('shows no digest and nothing sealed', () => {
    const { history, events } = aLife();
    const { rows } = fold(none, received(history, events));
    for (const row of rows.values()) {
      expect(JSON.stringify(viewOf(row))).not.toMatch(/v1\.|[0-9a-f]{64}/);
    }
  });

  it('ignores every event that was delivered before, once or often, alone or in a run', () => {
    const { history, events, id } = aLife();
    const once = fold(none, received(history, events));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(5), fc.nat(5)), { maxLength: 6 }), (reruns) => {
        const runs = reruns.flatMap(([from, to]) => events.slice(from, to + 1));
        const again = fold(once.rows, received(history, runs));
        expect(again).toEqual({ rows: new Map(), parked: [], applied: 0, repeated: runs.length });
      }),
    );
    expect(once.rows.get(id)?.token?.version).toBe(6);
  });

  it('comes to the same rows however a stale relay’s repeats and batches cut the records', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(3), fc.constantFrom('disable', 'enable', 'rename' as const)), {
          maxLength: 25,
        }),
        fc.array(fc.tuple(fc.nat(60), fc.nat(60)), { maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 10 }), { minLength: 1, maxLength: 10 }),
        (changes, repeats, cuts) => {
          const history = new TokenHistory();
          const events = [0, 1, 2, 3].map(() => history.add());
          const ids = events.map(tokenOf);
          for (const [which, change] of changes) {
            const id = ids[which]!;
            events.push(change === 'rename' ? history.rename(id, 'v1.x') : history[change](id));
          }
          const sequence = received(history, events);
          const straight = fold(none, sequence).rows;
          // A stale relay sends again a stretch that was sent before, anywhere after it.
          const withRepeats = [...sequence];
          for (const [from, length] of repeats) {
            const stretch = sequence.slice(from, from + length);
            const last = stretch.at(-1);
            if (last) withRepeats.splice(withRepeats.indexOf(last) + 1, 0, ...stretch);
          }
          const rows = new Map<string, TokenRow>();
          for (let i = 0, cut = 0; i < withRepeats.length; cut++) {
            const size = cuts[cut % cuts.length]!;
            const folded = fold(rows, withRepeats.slice(i, i + size));
            expect(folded.parked).toEqual([]);
            for (const [id, row] of folded.rows) rows.set(id, row);
            i += size;
          }
          expect(rows).toEqual(straight);
        },
      ),
    );
  });

  it('parks a token at a gap, and what follows for it, while others go on', () => {
    const { history, events, id } = aLife();
    const other = history.add();
    const records = received(history, [events[0]!, events[2]!, other, events[1]!, events[3]!]);
    const { rows, parked, applied } = fold(none, records);
    expect(applied).toBe(2);
    expect(parked).toMatchObject([
      { tokenId: id, tokenVersion: 3, position: 3, offset: 101n, why: 'gap' },
      { tokenId: id, tokenVersion: 2, position: 2, offset: 103n, why: 'behind-parked' },
      { tokenId: id, tokenVersion: 4, position: 4, offset: 104n, why: 'behind-parked' },
    ]);
    expect(parked[0]?.record).toEqual(history.record(events[2]!));
    expect(viewOf(rows.get(id)!)).toMatchObject({ version: 1, disabled: null, parked: true });
    expect(viewOf(rows.get(tokenOf(other))!)).not.toHaveProperty('parked');
  });

  it('goes on ignoring repeats of a parked token', () => {
    const { history, events } = aLife();
    const { rows } = fold(none, received(history, [events[0]!, events[2]!]));
    const again = fold(rows, received(history, [events[0]!]));
    expect(again).toMatchObject({ applied: 0, repeated: 1, parked: [] });
  });

  it('parks a token whose event can’t be read, naming what is wrong and no value', () => {
    const { history, events, id } = aLife();
    const broken = received(history, events.slice(0, 2), (record) =>
      record.offset === 101n ? { ...record, value: '{"name":"hunter2"}' } : record,
    );
    const { rows, parked } = fold(none, broken);
    expect(parked).toMatchObject([{ tokenId: id, offset: 101n, why: 'unreadable' }]);
    expect(parked[0]?.detail).not.toContain('hunter2');
    expect(rows.get(id)?.parked).toBe(true);
  });

  it('parks a token whose first event can’t be read, and shows nothing of it', () => {
    const { history, events, id } = aLife();
    const { rows } = fold(none, received(history, events.slice(1, 2)));
    expect(viewOf(rows.get(id)!)).toBeNull();
    expect(rows.get(id)?.parked).toBe(true);
  });

  const contradictions: readonly [string, (was: PublishedEvent[]) => PublishedEvent][] = [
    ['the newest version under another id', (was) => ({ ...was[2]!, id: 'f'.repeat(32) })],
    ['an older version from later in the log', (was) => ({ ...was[1]!, position: 50 })],
    ['the next version from earlier in the log', (was) => ({ ...was[3]!, position: 2 })],
    [
      'the next version of another user’s token',
      (was) => ({ ...was[3]!, event: { ...was[3]!.event, userId: 'u-2' } }),
    ],
    [
      'a second beginning',
      (was) => ({ ...was[0]!, position: 4, event: { ...was[0]!.event, tokenVersion: 4 } }),
    ],
  ];
  it.each(contradictions)('parks a token on %s', (_, contradict) => {
    const { history, events, id } = aLife();
    const published = events.map((event) => history.published(event));
    let row = newRow(id);
    for (const event of published.slice(0, 3)) row = project(row, event);
    expect(projectToken(row, contradict(published))).toMatchObject({
      kind: 'parked',
      why: 'contradiction',
    });
  });

  it('parks a token that begins with anything but its adding', () => {
    const { history, events, id } = aLife();
    const { event, ...rest } = history.published(events[2]!);
    expect(
      projectToken(newRow(id), { ...rest, event: { ...event, tokenVersion: 1 } }),
    ).toMatchObject({ kind: 'parked', why: 'contradiction' });
  });
});
