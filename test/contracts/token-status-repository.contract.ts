import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { RecordedEvent } from '@token-status/contracts';
import { newRow, projectToken, viewOf } from '@token-status/read-model';
import type { ParkedRecord, Step, TokenRow, TokenStatusRepository } from '@token-status/read-model';
import type { ReadModelPlace } from './read-model-place.js';
import { newTokenId, TokenHistory, tokenOf } from './token-history.js';
import { tokenSearchContract } from './token-search.contract.js';

/** What every adapter of {@link TokenStatusRepository} promises. */
export function tokenStatusRepositoryContract(
  name: string,
  makePlace: () => Promise<ReadModelPlace>,
): void {
  describe(`the token status repository in ${name}`, () => {
    const opened: TokenStatusRepository[] = [];
    let place: ReadModelPlace;
    let model = 0;
    let history: TokenHistory;
    let repository: TokenStatusRepository;

    /** A further process's view of the same read model. */
    const open = async (
      options?: Parameters<ReadModelPlace['open']>[1],
    ): Promise<TokenStatusRepository> => {
      const made = await place.open(`model${model}`, options);
      opened.push(made);
      return made;
    };
    const step = (change: Partial<Step> = {}): Step => ({
      partition: 0,
      from: null,
      nextOffset: 10n,
      heartbeatPosition: 0,
      rows: [],
      parked: [],
      ...change,
    });
    const rowAfter = (first: RecordedEvent, ...rest: readonly RecordedEvent[]): TokenRow => {
      let row = newRow(tokenOf(first));
      for (const event of [first, ...rest]) {
        const projected = projectToken(row, history.published(event));
        if (projected.kind !== 'applied') throw new Error(projected.kind);
        row = { ...projected.row, texts: { name: 'plain name', note: null } };
      }
      return row;
    };
    const parkedRecord = (change: Partial<ParkedRecord> = {}): ParkedRecord => ({
      partition: 0,
      offset: 7n,
      tokenId: newTokenId(),
      tokenVersion: 3,
      position: 12,
      eventId: null,
      why: 'gap',
      detail: 'version 2 comes next, got 3',
      parkedAt: '2026-01-01T00:00:00.000Z',
      record: { key: 'k', headers: { ce_id: 'x', 'a.b': '1', $c: '2' }, value: '{}' },
      ...change,
    });

    beforeAll(async () => (place = await makePlace()));
    beforeEach(async () => {
      model++;
      history = new TokenHistory();
      repository = await open();
    });
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((each) => each.close()));
    });
    afterAll(() => place.destroy());

    it('knows nothing at first', async () => {
      expect(await repository.get(newTokenId())).toBeNull();
      expect(await repository.listByUser('u-1')).toEqual([]);
      expect(await repository.position()).toBe(0);
      expect((await repository.checkpoints()).get(0)?.nextOffset ?? null).toBeNull();
      expect(await repository.parked()).toEqual([]);
    });

    it('gives back the rows that were stored, whole, with the partition’s offset', async () => {
      const added = history.add('u-1');
      const [active, disabled] = [rowAfter(history.add('u-2')), rowAfter(added)];
      const changed = rowAfter(added, history.disable(tokenOf(added), 'sealed'));
      const other = await open();
      await repository.apply(step({ rows: [active, disabled], nextOffset: 2n }));
      await repository.apply(step({ rows: [changed], from: 2n, nextOffset: 2n ** 53n + 1n }));
      expect(await other.load([active.id, changed.id, newTokenId()])).toEqual(
        new Map([
          [active.id, active],
          [changed.id, changed],
        ]),
      );
      expect(await other.get(changed.id)).toEqual(viewOf(changed));
      expect((await other.checkpoints()).get(0)).toEqual({
        nextOffset: 2n ** 53n + 1n,
        heartbeatPosition: 0,
      });
    });

    it('lists a user’s tokens, newest first, and nobody else’s', async () => {
      const [older, foreign, newer] = [history.add('u-1'), history.add('u-2'), history.add('u-1')];
      await repository.apply(
        step({ rows: [older, foreign, newer].map((event) => rowAfter(event)) }),
      );
      const listed = await repository.listByUser('u-1');
      expect(listed.map(({ id }) => id)).toEqual([tokenOf(newer), tokenOf(older)]);
      expect(await repository.listByUser('u-')).toEqual([]);
    });

    it('stores nothing of a batch that was read from another offset than the stored one', async () => {
      const added = history.add();
      const newer = rowAfter(added, history.disable(tokenOf(added)));
      await repository.apply(step({ nextOffset: 5n, rows: [newer] }));
      for (const from of [null, 4n, 6n]) {
        const late = step({
          from,
          nextOffset: 20n,
          heartbeatPosition: 99,
          rows: [rowAfter(added), rowAfter(history.add())],
          parked: [parkedRecord()],
        });
        expect(await repository.apply(late)).toBe('overtaken');
      }
      expect(await repository.get(newer.id)).toEqual(viewOf(newer));
      expect(await repository.listByUser('u-1')).toHaveLength(1);
      expect(await repository.parkedCount()).toBe(0);
      expect((await repository.checkpoints()).get(0)).toEqual({
        nextOffset: 5n,
        heartbeatPosition: 0,
      });
    });

    it('lets one of two projectors move a partition on, whoever is first', async () => {
      const other = await open();
      for (let offset = 0n; offset < 10n; offset++) {
        const from = offset === 0n ? null : offset;
        const next = step({ from, nextOffset: offset + 1n, rows: [rowAfter(history.add('u-9'))] });
        const outcomes = await Promise.all(
          [repository, other].map((each) =>
            // Both insert the first checkpoint: one of them may fail, and is asked again.
            each.apply(next).catch(() => each.apply(next)),
          ),
        );
        expect(outcomes.sort()).toEqual(['applied', 'overtaken']);
      }
      expect(await repository.listByUser('u-9')).toHaveLength(10);
    });

    it('keeps partitions apart', async () => {
      await repository.apply(step({ partition: 1, nextOffset: 5n }));
      expect(await repository.apply(step({ partition: 2, nextOffset: 3n }))).toBe('applied');
      const checkpoints = await repository.checkpoints();
      expect(checkpoints.get(1)?.nextOffset).toBe(5n);
      expect(checkpoints.get(2)?.nextOffset).toBe(3n);
    });

    it('refuses to take a token back to an older version', async () => {
      const added = history.add();
      await repository.apply(step({ rows: [rowAfter(added, history.disable(tokenOf(added)))] }));
      const back = step({ from: 10n, nextOffset: 11n, rows: [rowAfter(added)] });
      await expect(repository.apply(back)).rejects.toThrow();
      expect((await repository.get(tokenOf(added)))?.version).toBe(2);
      expect((await repository.checkpoints()).get(0)?.nextOffset).toBe(10n);
    });

    it('stores all of a batch or nothing, wherever it breaks off', async () => {
      for (const at of ['projector.offset-written', 'projector.rows-written'] as const) {
        const broken = await open({
          onStep: (reached) => {
            if (reached === at) throw new Error('broken off');
          },
        });
        const row = rowAfter(history.add());
        const batch = step({ rows: [row], parked: [parkedRecord()] });
        await expect(broken.apply(batch)).rejects.toThrow('broken off');
        expect(await repository.get(row.id)).toBeNull();
        expect(await repository.parkedCount()).toBe(0);
        expect((await repository.checkpoints()).get(0)?.nextOffset ?? null).toBeNull();
      }
    });

    it('keeps parked records as they were read, each once, and marks the token', async () => {
      const row = { ...rowAfter(history.add()), parked: true };
      const records = [parkedRecord({ offset: 9n }), parkedRecord({ offset: 8n })];
      await repository.apply(step({ rows: [row], parked: records }));
      await repository.apply(step({ from: 10n, nextOffset: 11n, parked: records.slice(0, 1) }));
      expect(await repository.parkedCount()).toBe(2);
      expect(await repository.parked()).toEqual([records[1], records[0]]);
      expect(await repository.parked(1)).toHaveLength(1);
      expect((await repository.get(row.id))?.parked).toBe(true);
    });

    it('knows a token of which nothing could be read only as parked', async () => {
      const row = { ...newRow(newTokenId()), parked: true };
      await repository.apply(step({ rows: [row] }));
      expect(await repository.get(row.id)).toBeNull();
      expect((await repository.load([row.id])).get(row.id)).toEqual(row);
    });

    it('is complete up to the least heartbeat position of all its partitions', async () => {
      await repository.settle('partitions', '3');
      await repository.advance(
        new Map([
          [0, 40],
          [1, 50],
        ]),
      );
      expect(await repository.position()).toBe(0);
      await repository.apply(step({ partition: 2, nextOffset: 1n, heartbeatPosition: 45 }));
      expect(await repository.position()).toBe(40);
      await repository.advance(new Map([[0, 60]]));
      expect(await repository.position()).toBe(45);
    });

    it('never takes a heartbeat position back', async () => {
      await repository.settle('partitions', '1');
      await repository.advance(new Map([[0, 50]]));
      await repository.advance(new Map([[0, 20]]));
      await repository.apply(step({ nextOffset: 1n, heartbeatPosition: 30 }));
      expect(await repository.position()).toBe(50);
    });

    it('settles each fact about its source once, whoever asks at once', async () => {
      const others = await Promise.all([open(), open()]);
      const settled = await Promise.all(
        [repository, ...others].map((each, i) => each.settle('epoch', `epoch-${i}`)),
      );
      expect(new Set(settled).size).toBe(1);
      expect(await repository.settle('epoch', 'another')).toBe(settled[0]);
      expect(await repository.settle('topic', 't')).toBe('t');
    });
  });

  tokenSearchContract(name, makePlace);
}
