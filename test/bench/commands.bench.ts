import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import Fastify from 'fastify';
import { MongoClient } from 'mongodb';
import { Caller } from '../scenarios/caller.js';
import { makeStack } from '../stack/stack.js';
import type { Stack } from '../stack/stack.js';
import { load, requestBytes } from './load.js';
import type { Load } from './load.js';
import { median, percentile } from './report.js';
import type { Figure } from './report.js';

/**
 * What a command costs over HTTP beside its floor: a bare Fastify handler that parses the same body and does
 * one insert of such an event, on the same server at the same write concern. A process each, asked in turns
 * by a third one. Each disable is of another token, which the log has to be asked for first.
 *
 * - `disable.throughput.*`, `disable.p50.*`, `disable.p99.*`: at 1, 64 and 256 callers.
 * - `bulk.10k`: one command that disables 10,000 tokens of 2,000 users, with an Idempotency-Key, until its
 *   answer; `bulk.10k.throughput` is the same in events/s, beside bare inserts by 256 callers.
 * - `disable.p50.history-*`: commands on one token that has 10 or 10,000 events behind it; the floor of the
 *   second is the first. `disable.first.history-10k` is the first command of a new process on it.
 */

const CALLERS = [1, 64, 256];
const ROUNDS = 5;
const ROUND_MS = 1000;
const TOKENS_PER_USER = 5;
/** More than all rounds and the bulk command disable. */
const TOKENS = 90_000;
const BULK = 10_000;
const HISTORY = 10_000;
const HISTORY_COMMANDS = 300;
const START_TIMEOUT_MS = 60_000;

interface Servers {
  readonly mongoUri: string;
  readonly kafkaBrokers: string;
}

export async function benchCommands({ mongoUri, kafkaBrokers }: Servers): Promise<Figure[]> {
  const name = `bench_${randomBytes(4).toString('hex')}`;
  const stack = await makeStack({
    mongodbUri: mongoUri,
    kafkaBrokers,
    name,
    // One caller asks for all that there is.
    env: { LOG_LEVEL: 'warn', RATE_LIMIT_PER_CALLER: '100000000' },
  });
  const client = await new MongoClient(mongoUri).connect();
  try {
    await stack.identityProvider.start();
    await stack.tokenService.start();
    const service = await givenService(stack);
    return [...(await throughput(service, mongoUri, name)), ...(await histories(service, stack))];
  } finally {
    await stack.stop();
    for (const database of [...stack.databases, name]) await client.db(database).dropDatabase();
    await client.close();
  }
}

interface Service {
  readonly port: number;
  readonly caller: Caller;
  readonly headers: Readonly<Record<string, string>>;
}

async function givenService(stack: Stack): Promise<Service> {
  const caller = await Caller.service(stack.issuer, stack.tokenService.url);
  return {
    port: Number(new URL(stack.tokenService.url).port),
    caller,
    headers: { authorization: caller.authorization },
  };
}

async function throughput(service: Service, mongoUri: string, database: string): Promise<Figure[]> {
  const tokens = await addTokens(service);
  const disable = (): Buffer => {
    const id = tokens.pop();
    if (id === undefined) throw new Error('there are too few tokens to disable');
    const body = { reason: 'rotation' };
    return requestBytes('POST', `/v1/tokens/${id}/disable`, service.headers, body);
  };
  const floor = await insertServer(mongoUri, database);
  const insert = requestBytes('POST', '/', service.headers, { reason: 'rotation' });
  try {
    const figures: Figure[] = [];
    for (const connections of CALLERS) {
      const ours: Load[] = [];
      const bare: Load[] = [];
      const common = { connections, forMs: ROUND_MS };
      // The first round is for the compiler.
      for (let round = 0; round <= ROUNDS; round++) {
        const a = await load({ ...common, port: service.port, next: disable });
        const b = await load({ ...common, port: floor.port, next: () => insert });
        if (round > 0) {
          ours.push(a);
          bare.push(b);
        }
      }
      figures.push(...figuresAt(connections, ours, bare));
    }
    const inserts =
      figures.find(({ metric }) => metric === 'disable.throughput.256')?.floor ?? null;
    figures.push(...(await bulk(service, tokens.slice(-BULK), inserts)));
    return figures;
  } finally {
    floor.close();
  }
}

function figuresAt(callers: number, ours: readonly Load[], bare: readonly Load[]): Figure[] {
  const of = (loads: readonly Load[], what: (one: Load) => number) => median(loads.map(what));
  const perSecond = (one: Load): number => one.perSecond;
  const at = (p: number) => (one: Load) => percentile(one.latencies, p);
  return [
    {
      metric: `disable.throughput.${callers}`,
      value: of(ours, perSecond),
      unit: 'disables/s',
      floor: of(bare, perSecond),
      target: callers === 256 ? '≥ 1.5' : null,
    },
    ...[0.5, 0.99].map((p) => ({
      metric: `disable.p${p * 100}.${callers}`,
      value: of(ours, at(p)),
      unit: 'ms',
      floor: of(bare, at(p)),
      target: p === 0.5 && callers === 1 ? '≤ 2' : null,
    })),
  ];
}

async function bulk(
  { caller }: Service,
  ids: readonly string[],
  insertsPerSecond: number | null,
): Promise<Figure[]> {
  console.error(`  bulk: ${ids.length.toLocaleString('en')} tokens`);
  const started = performance.now();
  const { status, body } = await caller.call<{ readonly counts: { readonly changed: number } }>(
    'POST',
    '/v1/tokens/bulk',
    { action: 'disable', ids, reason: 'rotation' },
    { 'idempotency-key': randomBytes(16).toString('hex') },
  );
  const seconds = (performance.now() - started) / 1000;
  if (status !== 200 || body.counts.changed !== ids.length) {
    throw new Error(`bulk: ${status} ${JSON.stringify(body).slice(0, 500)}`);
  }
  return [
    { metric: 'bulk.10k', value: seconds, unit: 's', floor: null, target: null },
    {
      metric: 'bulk.10k.throughput',
      value: ids.length / seconds,
      unit: 'events/s',
      floor: insertsPerSecond,
      target: null,
    },
  ];
}

/** @returns their ids. */
async function addTokens({ port, headers, caller }: Service): Promise<string[]> {
  console.error(`  adding ${TOKENS.toLocaleString('en')} tokens`);
  let added = 0;
  const next = (): Buffer | null => {
    if (added === TOKENS) return null;
    const user = `u-${Math.floor(added / TOKENS_PER_USER)}`;
    const body = {
      name: `Token ${added++ % TOKENS_PER_USER}`,
      accountId: 'acme',
      userName: `${user}@example.com`,
    };
    return requestBytes('POST', `/v1/users/${user}/tokens`, headers, body);
  };
  const ids: string[] = [];
  await load({
    port,
    connections: 256,
    next,
    forMs: 10 * 60_000,
    status: 201,
    onBody: (body) => ids.push((JSON.parse(body) as { id: string }).id),
  });
  // The owners of the last ones are still known to the process: those of the first are asked for first.
  await caller.get(ids[0] ?? '');
  return ids.reverse();
}

/** Commands one after another on a token with few events behind it, and on one with many. */
async function histories(service: Service, stack: Stack): Promise<Figure[]> {
  const token = async (events: number): Promise<string> => {
    const name = `History of ${events}`;
    const more = { accountId: 'acme', userName: 'history@example.com' };
    const { id } = (await service.caller.add('u-history', name, more)).body;
    await commandsOn(service, id, events - 1);
    return id;
  };
  console.error(`  a history of ${HISTORY.toLocaleString('en')} events`);
  const short = await token(10);
  const long = await token(HISTORY);
  // In turns, so that noise is noise for both.
  const p50s = { short: [] as number[], long: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const [which, id] of [
      ['short', short],
      ['long', long],
    ] as const) {
      p50s[which].push(percentile(await commandsOn(service, id, HISTORY_COMMANDS / ROUNDS), 0.5));
    }
  }
  await stack.tokenService.stop();
  await stack.tokenService.start();
  const [first = NaN] = await commandsOn(service, long, 1);
  return [
    {
      metric: 'disable.p50.history-10',
      value: median(p50s.short),
      unit: 'ms',
      floor: null,
      target: null,
    },
    {
      metric: 'disable.p50.history-10k',
      value: median(p50s.long),
      unit: 'ms',
      floor: median(p50s.short),
      target: '≤ 2',
    },
    { metric: 'disable.first.history-10k', value: first, unit: 'ms', floor: null, target: null },
  ];
}

/** Disables and enables in turns, one after another. */
async function commandsOn(
  { port, headers }: Service,
  id: string,
  count: number,
): Promise<readonly number[]> {
  let sent = 0;
  const commands = ['disable', 'enable'].map((action) =>
    requestBytes('POST', `/v1/tokens/${id}/${action}`, headers, { reason: 'rotation' }),
  );
  const next = (): Buffer | null => (sent === count ? null : (commands[sent++ % 2] ?? null));
  return (await load({ port, connections: 1, next, forMs: 10 * 60_000 })).latencies;
}

// The floor, a process of its own

async function insertServer(mongoUri: string, database: string) {
  const child = fork(fileURLToPath(import.meta.url), [mongoUri, database], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const [port] = (await once(child, 'message', {
    signal: AbortSignal.timeout(START_TIMEOUT_MS),
  })) as [number];
  return { port, close: () => void child.kill() };
}

async function serveInserts(mongoUri: string, database: string): Promise<number> {
  const client = await new MongoClient(mongoUri, {
    writeConcern: { w: 'majority', journal: true },
    maxPoolSize: 256,
  }).connect();
  const events = client.db(database).collection<{ _id: string }>('events');
  await events.createIndex({ tags: 1 });
  const fastify = Fastify();
  fastify.post('/', async (request) => {
    const _id = randomBytes(16).toString('hex');
    // Of a disable's size.
    const tokenId = `tok_${randomBytes(16).toString('hex')}`;
    const event = {
      _id,
      type: 'TokenDisabled',
      tags: [`token:${tokenId}`, 'user:u-1', 'account:acme'],
      data: {
        tokenId,
        at: new Date().toISOString(),
        by: 'demo-service',
        origin: 'x'.repeat(100),
        body: request.body,
        commandId: _id,
        hash: 'x'.repeat(64),
      },
    };
    await events.insertOne(event);
    return event;
  });
  return Number(new URL(await fastify.listen({ port: 0, host: '127.0.0.1' })).port);
}

if (process.send && process.argv[1] === fileURLToPath(import.meta.url)) {
  const [mongoUri = '', database = ''] = process.argv.slice(2);
  process.send(await serveInserts(mongoUri, database));
  process.on('disconnect', () => process.exit(0));
}
