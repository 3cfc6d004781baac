import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CompactTable } from './compact-table.js';
import { EPOCH, eventRecord, nth, published, wireEvent } from './given.spec.js';
import { Intake } from './intake.js';
import type { ReadTo } from './intake.js';
import { loadSnapshot, saveSnapshot } from './snapshot.js';
import type { LoadedSnapshot, SnapshotContents } from './snapshot.js';
import {
  TOKENS,
  secretOf,
  fill,
  historyOf,
  merged,
  picks,
  saidBy,
} from './token-table.contract.spec.js';
import { Watermark } from './watermark.js';

const folder = mkdtempSync(join(tmpdir(), 'snapshot-'));
const file = join(folder, 'table');
const topic = 'test.events';
const source = { epoch: EPOCH, topic, topicId: 'topic-1' };
const expected = { topic, epoch: EPOCH };
const nowhere = (): ReadTo => ({ watermark: new Watermark(), offsets: new Map() });

afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
});

type Loaded = Extract<LoadedSnapshot, { kind: 'loaded' }>;

async function load(): Promise<Loaded> {
  const loaded = await loadSnapshot(file, expected);
  if (loaded.kind !== 'loaded') throw new Error(JSON.stringify(loaded));
  return loaded;
}

const save = (contents: Partial<SnapshotContents> = {}, signal?: AbortSignal): Promise<number> =>
  saveSnapshot(file, { table: new CompactTable(), readTo: nowhere(), source, ...contents }, signal);

const [a, b] = TOKENS;
const some = (): CompactTable =>
  fill(new CompactTable(), [
    published(wireEvent(a!, 'TokenAdded', 1)),
    published(wireEvent(b!, 'TokenAdded', 1)),
    published(wireEvent(b!, 'TokenDisabled', 2)),
    { unreadable: TOKENS[2]!.tokenId },
    { unreadable: b!.tokenId },
  ]);

describe('a snapshot', () => {
  it('brings back the table with its place in the history', async () => {
    const table = some();
    const watermark = new Watermark();
    for (const position of [1, 2, 5, 9000, 2 ** 40]) watermark.see(position);
    const offsets = new Map([
      [0, 17n],
      [11, 2n ** 62n],
    ]);
    const bytes = await save({ table, readTo: { watermark, offsets } });
    expect(statSync(file).size).toBe(bytes);
    const loaded = await load();
    expect(saidBy(loaded.table)).toEqual(saidBy(table));
    expect(loaded.table.parked(10)).toEqual(table.parked(10));
    expect(loaded.source).toEqual(source);
    expect(loaded.readTo.offsets).toEqual(offsets);
    expect(loaded.readTo.watermark.value).toBe(2);
    for (const position of [3, 4]) loaded.readTo.watermark.see(position);
    expect(loaded.readTo.watermark.value).toBe(5);
  });

  it('at any point of any history, and then the rest, is the same as a full replay', async () => {
    const partition = fc.tuple(fc.tuple(...TOKENS.map(historyOf)), picks);
    await fc.assert(
      fc.asyncProperty(
        partition,
        fc.array(fc.tuple(fc.nat({ max: 40 }), fc.nat({ max: 5 })), { maxLength: 4 }),
        async ([histories, order], restarts) => {
          const steps = merged(histories, order);
          const replayed = fill(new CompactTable(), steps);
          let table = new CompactTable();
          let at = 0;
          for (const [upTo, more] of restarts) {
            const to = Math.max(at, Math.min(upTo, steps.length));
            fill(table, steps.slice(at, to));
            const saving = save({ table });
            // What comes while it is being saved is not in it, and comes again after the restart.
            fill(table, steps.slice(to, to + more));
            await saving;
            ({ table } = await load());
            at = to;
          }
          fill(table, steps.slice(at));
          expect(saidBy(table)).toEqual(saidBy(replayed));
          expect(table.parked(1000)).toEqual(replayed.parked(1000));
        },
      ),
      { numRuns: 40 },
    );
  }, 60_000);

  it('of many rows holds the moment at which it was begun, whatever changes meanwhile', async () => {
    const count = 17_000;
    const table = new CompactTable();
    for (let n = 0; n < count; n++) {
      table.apply(published(wireEvent(nth(n), 'TokenAdded', 1)));
    }
    const saving = save({ table });
    // Some at once, the others as the writing goes on; new tokens too.
    let changed = 0;
    const change = (until: number): void => {
      for (; changed < until; changed++) {
        table.apply(published(wireEvent(nth(count - 1 - changed), 'TokenDisabled', 2)));
        table.apply(published(wireEvent(nth(count + changed), 'TokenAdded', 1)));
      }
    };
    change(100);
    const changing = async (): Promise<'changed'> => {
      while (changed < 2000) {
        change(changed + 500);
        await new Promise((resolve) => setImmediate(resolve));
      }
      return 'changed';
    };
    await Promise.all([saving, changing()]);
    const loaded = await load();
    expect(loaded.table.counts()).toEqual({ active: count, disabled: 0, revoked: 0, parked: 0 });
    expect(loaded.table.lookup(secretOf(nth(count - 1)))?.disabled).toBe(false);
    expect(table.lookup(secretOf(nth(count - 1)))?.disabled).toBe(true);
    expect(loaded.table.lookup(secretOf(nth(count)))).toBeNull();
  }, 60_000);

  it('goes on from where the intake was, partitions and positions', async () => {
    const hooks = {
      acceptsEpoch: () => true,
      onBroken: () => undefined,
      onAlarm: () => undefined,
      onChange: () => undefined,
    };
    const intake = new Intake(new CompactTable(), hooks);
    intake.take([eventRecord(wireEvent(a!, 'TokenAdded', 1), 1)]);
    // Of another partition, which is further.
    intake.take([{ ...eventRecord(wireEvent(b!, 'TokenAdded', 1), 3), partition: 1, offset: 0n }]);
    await save({ table: intake.table, readTo: intake.readTo });
    const { table, readTo } = await load();
    const restarted = new Intake(table, hooks, readTo);
    expect(restarted.positions).toEqual(
      new Map([
        [0, 1n],
        [1, 1n],
      ]),
    );
    expect(restarted.watermark).toBe(1);
    restarted.take([eventRecord(wireEvent(a!, 'TokenDisabled', 2), 2)]);
    expect(restarted.watermark).toBe(3);
  });

  it('can be read and written by nobody but its owner', async () => {
    await save();
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('leaves nothing aside, and takes the place of the one before', async () => {
    await save();
    await save({ table: some() });
    expect(readdirSync(folder)).toEqual(['table']);
    expect((await load()).table.counts().active).toBe(1);
  });

  it('that can’t be finished leaves the one before, and another can be made', async () => {
    await save({ table: some() });
    const table = some();
    await expect(save({ table }, AbortSignal.abort())).rejects.toThrow();
    expect(readdirSync(folder)).toEqual(['table']);
    expect((await load()).table.counts().active).toBe(1);
    await save({ table });
  });

  it('takes the place of what a crash has left aside', async () => {
    writeFileSync(`${file}.new`, 'half of one');
    await save({ table: some() });
    expect(readdirSync(folder)).toEqual(['table']);
    await load();
  });

  it('is none where there is no file', async () => {
    expect(await loadSnapshot(file, expected)).toEqual({ kind: 'none' });
  });

  it('is refused where it can’t be read', async () => {
    expect(await loadSnapshot(folder, expected)).toMatchObject({ kind: 'refused' });
  });

  it.each([
    ['another log', { epoch: 'f'.repeat(32) }, /another log/],
    ['another topic', { topic: 'other.events' }, /another topic/],
  ])('of %s is refused', async (_, other, why) => {
    await save({ source: { ...source, ...other } });
    const refused = { kind: 'refused', why: expect.stringMatching(why) as unknown };
    expect(await loadSnapshot(file, expected)).toEqual(refused);
  });

  it('of any log is taken where none is expected', async () => {
    await save({ source: { ...source, epoch: 'f'.repeat(32) } });
    expect(await loadSnapshot(file, { topic, epoch: null })).toMatchObject({ kind: 'loaded' });
  });

  it.each<[string, (bytes: Buffer) => Buffer, RegExp]>([
    ['of no bytes', () => Buffer.alloc(0), /cut off/],
    ['that is something else', () => Buffer.from('{"tokens":[]} and more'), /no snapshot/],
    ['of an older format', (bytes) => bytes.fill(0, 8, 9), /format is 0/],
    ['of a format to come', (bytes) => bytes.fill(9, 8, 9), /format is 9/],
    ['that lacks its last byte', (bytes) => bytes.subarray(0, -1), /should have/],
    ['with a byte too many', (bytes) => Buffer.concat([bytes, Buffer.alloc(1)]), /should have/],
    ['with a head of another length', (bytes) => bytes.fill(0xff, 12, 16), /head is damaged/],
    ['without its rows', (bytes) => bytes.subarray(0, bytes.length >> 1), /should have|cut off/],
  ])('%s is refused, and says so', async (_, spoil, why) => {
    await save({ table: some() });
    writeFileSync(file, spoil(readFileSync(file)));
    const refused = { kind: 'refused', why: expect.stringMatching(why) as unknown };
    expect(await loadSnapshot(file, expected)).toEqual(refused);
  });

  it('with any one bit changed is refused', async () => {
    await save({ table: some() });
    const whole = readFileSync(file);
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: whole.length - 1 }),
        fc.integer({ min: 0, max: 7 }),
        async (at, bit) => {
          const spoiled = Buffer.from(whole);
          spoiled[at] = (spoiled[at] ?? 0) ^ (1 << bit);
          writeFileSync(file, spoiled);
          expect(await loadSnapshot(file, expected)).toMatchObject({ kind: 'refused' });
        },
      ),
      { numRuns: 100 },
    );
  }, 60_000);

  it('cut off anywhere is refused', async () => {
    await save({ table: some() });
    const whole = readFileSync(file);
    for (let length = 0; length < whole.length; length += 7) {
      writeFileSync(file, whole.subarray(0, length));
      expect(await loadSnapshot(file, expected)).toMatchObject({ kind: 'refused' });
    }
  }, 60_000);

  it('gives up its loading when that is aborted', async () => {
    await save();
    await expect(loadSnapshot(file, expected, AbortSignal.abort())).rejects.toThrow();
  });
});
