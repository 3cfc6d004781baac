import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { MongoClient } from 'mongodb';
import {
  canonicalEvent,
  chainHash,
  eventIdOf,
  genesisHash,
  newCommandId,
  openEventLog,
  openMongoLogStore,
} from '@token-status/event-log';
import type { EventDraft, EventLog, Fold } from '@token-status/event-log';
import { median, percentile } from './report.js';
import type { Figure } from './report.js';

/**
 * What an append costs beside its floor: one insert for each event, of the same document into a
 * collection with the same indexes on the same server at the same write concern, by the same number of
 * callers. The two take turns in short rounds, so that a noisy machine is noisy for both; figures are
 * medians over the rounds.
 *
 * Each append is on condition that nothing came to its token meanwhile, and on tokens that were in use
 * lately, so that the figure is the append's and not a read's; `append.p50.1-cold` is with the read of a
 * token that was not.
 */

const CALLERS = [1, 16, 64, 256];
const ROUNDS = 5;
const ROUND_MS = 1000;

interface Run {
  readonly perSecond: number;
  readonly latencies: readonly number[];
}

export async function benchAppend({ mongoUri }: { readonly mongoUri: string }): Promise<Figure[]> {
  const database = `bench_append_${randomBytes(4).toString('hex')}`;
  const client = await new MongoClient(mongoUri, {
    writeConcern: { w: 'majority', journal: true },
  }).connect();
  const log = openEventLog(await openMongoLogStore({ uri: mongoUri, database }));
  try {
    const bare = await bareInserts(client, database);
    const append = appends(log);
    // Both warm: connections open, code compiled, each token's state known.
    await times(64, append, TOKENS);
    await times(64, bare, TOKENS);

    const figures: Figure[] = [];
    for (const callers of CALLERS) {
      const ours: Run[] = [];
      const floor: Run[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        ours.push(await run(callers, append, ROUND_MS));
        floor.push(await run(callers, bare, ROUND_MS));
      }
      const of = (runs: readonly Run[], figure: (r: Run) => number): number =>
        median(runs.map(figure));
      figures.push({
        metric: `append.throughput.${callers}`,
        value: of(ours, (r) => r.perSecond),
        unit: 'events/s',
        floor: of(floor, (r) => r.perSecond),
        target: callers === 256 ? '≥ 4' : null,
      });
      for (const p of [0.5, 0.99]) {
        figures.push({
          metric: `append.p${p * 100}.${callers}`,
          value: of(ours, (r) => percentile(r.latencies, p)),
          unit: 'ms',
          floor: of(floor, (r) => percentile(r.latencies, p)),
          target: p === 0.5 && callers === 1 ? '≤ 1.5' : null,
        });
      }
    }
    const cold = await run(1, appends(log, 10 * TOKENS, Infinity), 2000);
    figures.push({
      metric: 'append.p50.1-cold',
      value: percentile(cold.latencies, 0.5),
      unit: 'ms',
      floor: figures.find(({ metric }) => metric === 'append.p50.1')?.floor ?? null,
      target: null,
    });
    figures.push(await threeWriters(mongoUri, database, figures));
    return figures;
  } finally {
    await log.close();
    await client.db(database).dropDatabase();
    await client.close();
  }
}

async function run(callers: number, once: () => Promise<void>, ms: number): Promise<Run> {
  const latencies: number[] = [];
  const started = performance.now();
  const end = started + ms;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      for (let now = performance.now(); now < end;) {
        await once();
        const then = now;
        now = performance.now();
        latencies.push(now - then);
      }
    }),
  );
  return { perSecond: (latencies.length / (performance.now() - started)) * 1000, latencies };
}

const counts: Fold<number> = { name: 'bench', initial: 0, evolve: (n) => n + 1 };
const TOKENS = 2000;

/** An event such as a disable writes: about 500 bytes, with the tags of a token. */
function draft(n: number): EventDraft {
  const tokenId = `tok_${n.toString(16).padStart(32, '0')}`;
  const userId = `u-${n % 2000}`;
  return {
    type: 'TokenDisabled',
    schemaVersion: 1,
    tags: [`token:${tokenId}`, `user:${userId}`, `account:acme-${n % 50}`],
    data: {
      tokenId,
      tokenVersion: 2,
      userId,
      accountId: `acme-${n % 50}`,
      at: '2026-11-24T12:00:00.000Z',
      by: { kind: 'user', id: userId },
      authority: 'owner',
      commandId: newCommandId(),
      origin: null,
      disabledWith: 'owner',
      reason: 'rotation',
      note: null,
      until: null,
    },
  };
}

async function times(callers: number, once: () => Promise<void>, calls: number): Promise<void> {
  let left = calls;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (left-- > 0) await once();
    }),
  );
}

/** Each call on the next of so many tokens, in turn. */
export function appends(log: EventLog, from = 0, tokens = TOKENS): () => Promise<void> {
  let n = 0;
  return async () => {
    const event = draft(from + (n++ % tokens));
    await log.decideAndAppend<number, never>({
      commandId: newCommandId(),
      tags: event.tags.slice(0, 1),
      fold: counts,
      decide: () => [event],
    });
  };
}

async function bareInserts(client: MongoClient, database: string): Promise<() => Promise<void>> {
  const events = client.db(database).collection<Record<string, unknown> & { _id: number }>('bare');
  await events.createIndexes([
    { key: { id: 1 }, name: 'once', unique: true },
    { key: { tags: 1, _id: 1 }, name: 'by-tag' },
  ]);
  let position = 0;
  const genesis = genesisHash('bare');
  return async () => {
    const n = ++position;
    const event = {
      ...draft(n % TOKENS),
      position: n,
      id: eventIdOf(newCommandId(), 0),
      traceparent: null,
    };
    // The same document, hash included, so that only the way it is written differs.
    const { position: _id, ...rest } = event;
    await events.insertOne({ _id, ...rest, hash: chainHash(genesis, canonicalEvent(event)) });
  };
}

/** Three processes at once; the floor is one process's own throughput at the same number of callers. */
async function threeWriters(
  mongoUri: string,
  database: string,
  figures: readonly Figure[],
): Promise<Figure> {
  const writers = Array.from({ length: 3 }, (_, n) =>
    fork(fileURLToPath(import.meta.url), [mongoUri, database, String(n * 3000)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    }),
  );
  // All at once, or the last to get ready writes alone.
  await Promise.all(writers.map((writer) => once(writer, 'message')));
  const rates = await Promise.all(
    writers.map(async (writer) => {
      writer.send('go');
      const [perSecond] = (await once(writer, 'message')) as [number];
      await once(writer, 'exit');
      return perSecond;
    }),
  );
  return {
    metric: 'append.throughput.3-writers',
    value: rates.reduce((sum, rate) => sum + rate, 0),
    unit: 'events/s',
    floor: figures.find(({ metric }) => metric === 'append.throughput.64')?.floor ?? null,
    target: null,
  };
}

if (process.send && process.argv[1] === fileURLToPath(import.meta.url)) {
  const [mongoUri = '', database = '', from = '0'] = process.argv.slice(2);
  const log = openEventLog(await openMongoLogStore({ uri: mongoUri, database }), {
    timeoutMs: 30_000,
  });
  const append = appends(log, Number(from));
  await times(64, append, TOKENS);
  process.send('ready');
  await once(process, 'message');
  const { perSecond } = await run(64, append, 4000);
  await log.close();
  process.send(perSecond, () => process.disconnect());
}
