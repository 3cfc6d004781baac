import { fork } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Kafka, logLevel } from 'kafkajs';
import { secretDigest, toEventRecord, topicSpecs, topics } from '@token-status/contracts';
import type { PublishedEvent } from '@token-status/contracts';
import { createKafkaEventBus } from '@token-status/event-bus';
import {
  CompactTable,
  Watermark,
  createTokenGuard,
  loadSnapshot,
  saveSnapshot,
} from '@token-status/token-guard';
import { median } from './report.js';
import type { Figure } from './report.js';
import { verifyFigures } from './verify.js';
import { until } from '../contracts/until.js';

/**
 * The gateway's table and its start. Each size and each start is a process of its own, so that one's
 * heap and compiled code are not another's. Tokens are as `precise.md` 30 says: five a user, ids of 16
 * bytes.
 *
 * - `table.bytes.*`: heap and typed arrays that the process holds more than before, slack included; the
 *   floor is the promise (96 bytes at 1M; 10M in 1 GB), and `table.bytes.map-*` is a `Map` of objects.
 * - `verify.check.throughput.*`: SHA-256 of the secret, look-up, status; the floor is the same with a
 *   `Map` keyed by the digest in hex; at 10M, a table of ours of 100k. The two take turns.
 * - `start.replay.1m`: from the first record to the last one in the table; the floor is a bare kafkajs
 *   consumer that parses the same records' values. Joining is apart.
 * - `start.snapshot.1m`: from nothing to a table; the floor reads the same bytes, sums them up by
 *   SHA-256, and looks at each word once.
 */

const SIZES = { '1k': 1_000, '100k': 100_000, '1m': 1_000_000, '10m': 10_000_000 } as const;
type Size = keyof typeof SIZES;
/** Beyond this, a `Map` of objects does not fit beside the table. */
const MAP_UP_TO = SIZES['1m'];
const REPLAYED = SIZES['1m'];
const ROUNDS = 5;
const ROUND_MS = 500;
const PROBED = 1_000_000;
const PARTITIONS = 12;
const JOB_TIMEOUT_MS = 10 * 60_000;

interface TableRun {
  readonly bytes: number;
  readonly mapBytes: number | null;
  readonly checks: number;
  readonly floorChecks: number;
}

interface SnapshotRun {
  readonly saveMs: number;
  readonly loadMs: number;
  readonly bareMs: number;
}

interface ReplayRun {
  readonly joinMs: number;
  readonly perSecond: number;
}

/** What a process of its own does, by name. */
const JOBS = {
  table: (count: string): TableRun => measureTable(Number(count)),
  snapshot: (folder: string): Promise<SnapshotRun> => measureSnapshot(join(folder, 'table')),
  produce: (brokers: string, prefix: string): Promise<number> => produce(brokers, prefix),
  replay: (brokers: string, prefix: string): Promise<ReplayRun> => replay(brokers, prefix),
  bare: (brokers: string, prefix: string): Promise<ReplayRun> => bareReplay(brokers, prefix),
};

export async function benchGateway({
  kafkaBrokers,
}: {
  readonly kafkaBrokers: string;
}): Promise<Figure[]> {
  const verify = await verifyFigures();
  const runs = {} as Record<Size, TableRun>;
  for (const [size, count] of Object.entries(SIZES) as [Size, number][]) {
    runs[size] = await inProcess<TableRun>('table', String(count));
  }
  return [
    ...verify,
    ...tableFigures(runs),
    ...(await snapshotFigures()),
    ...(await replayFigures(kafkaBrokers)),
  ];
}

function tableFigures(runs: Readonly<Record<Size, TableRun>>): Figure[] {
  const promised: Partial<Record<Size, number>> = { '1m': 96, '10m': 1e9 / SIZES['10m'] };
  const sizes = Object.keys(SIZES) as Size[];
  const bytes = sizes.map((size) => {
    const floor = promised[size] ?? null;
    return {
      metric: `table.bytes.${size}`,
      value: runs[size].bytes,
      unit: 'bytes/token',
      floor,
      target: floor === null ? null : '≤ 1',
    };
  });
  const ofMap = sizes.flatMap((size) => {
    const value = runs[size].mapBytes;
    if (value === null) return [];
    return {
      metric: `table.bytes.map-${size}`,
      value,
      unit: 'bytes/token',
      floor: null,
      target: null,
    };
  });
  const checks = sizes.map((size) => ({
    metric: `verify.check.throughput.${size}`,
    value: runs[size].checks,
    unit: 'checks/s',
    floor: runs[size].floorChecks,
    target: runs[size].mapBytes === null ? '≥ 0.6' : '≥ 0.8',
  }));
  return [...bytes, ...ofMap, ...checks];
}

async function snapshotFigures(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-snapshot-'));
  try {
    const { loadMs, bareMs, saveMs } = await inProcess<SnapshotRun>('snapshot', folder);
    const figure = (
      metric: string,
      value: number,
      floor: number | null,
      target: string | null,
    ) => ({
      metric,
      value,
      unit: 'ms',
      floor,
      target,
    });
    return [
      figure('start.snapshot.1m', loadMs, bareMs, '< 2 s'),
      figure('save.snapshot.1m', saveMs, null, null),
    ];
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function replayFigures(kafkaBrokers: string): Promise<Figure[]> {
  const prefix = `bench-${randomBytes(4).toString('hex')}`;
  const admin = new Kafka({ brokers: kafkaBrokers.split(','), logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    await inProcess('produce', kafkaBrokers, prefix);
    // In turns, so that the broker's files are as warm for one as for the other.
    const bare: ReplayRun[] = [];
    const ours: ReplayRun[] = [];
    for (let round = 0; round < 2; round++) {
      bare.push(await inProcess<ReplayRun>('bare', kafkaBrokers, prefix));
      ours.push(await inProcess<ReplayRun>('replay', kafkaBrokers, prefix));
    }
    const best = (each: readonly ReplayRun[]): number => Math.max(...each.map((r) => r.perSecond));
    const join = (each: readonly ReplayRun[]): number => median(each.map((r) => r.joinMs));
    return [
      {
        metric: 'start.replay.1m',
        value: best(ours),
        unit: 'tokens/s',
        floor: best(bare),
        target: '≥ 0.6',
      },
      {
        metric: 'start.replay.join',
        value: join(ours),
        unit: 'ms',
        floor: join(bare),
        target: null,
      },
    ];
  } finally {
    const { events, heartbeats, probes } = topics(prefix);
    await admin.deleteTopics({ topics: [events, heartbeats, probes] });
    await admin.disconnect();
  }
}

// The tokens

const secretOf = (n: number): string => `tst_${n.toString(36).padStart(36, '0')}`;

/** With one hash, so that making tokens does not outweigh keeping them; ids are as random as digests. */
function added(n: number): PublishedEvent {
  const digest = secretDigest(secretOf(n));
  const userId = `user-${String(Math.floor(n / 5)).padStart(11, '0')}`;
  return {
    id: digest.slice(16, 48),
    epoch: 'e'.repeat(32),
    position: n + 1,
    traceparent: null,
    event: {
      type: 'TokenAdded',
      tokenId: `tok_${digest.slice(32)}`,
      tokenVersion: 1,
      userId,
      accountId: `account-${String(Math.floor(n / 500)).padStart(8, '0')}`,
      at: '2026-11-24T12:00:00.000Z',
      by: { kind: 'user', id: userId },
      authority: 'owner',
      commandId: digest.slice(0, 32),
      origin: null,
      name: 'c2VhbGVkLW5hbWUtb2YtYS10b2tlbi1vZi1hLWRldmVsb3Blcg',
      hint: digest.slice(0, 6),
      secretDigest: digest,
      userNameDigest: digest,
      expiresAt: n % 10 === 0 ? '2030-01-01T00:00:00.000Z' : null,
    },
  };
}

function fullTable(count: number): CompactTable {
  const table = new CompactTable();
  for (let n = 0; n < count; n++) table.apply(added(n));
  return table;
}

// Table

interface PlainEntry {
  readonly tokenId: string;
  readonly userId: string;
  readonly accountId: string;
  readonly version: number;
  readonly disabled: boolean;
  readonly revoked: boolean;
  readonly parked: boolean;
  readonly expiresAt: number | null;
}

function plainMap(count: number): Map<string, PlainEntry> {
  const map = new Map<string, PlainEntry>();
  // Owners once each, as the table has them.
  let userId = '';
  let accountId = '';
  for (let n = 0; n < count; n++) {
    const { event } = added(n);
    if (event.type !== 'TokenAdded') continue;
    if (event.userId !== userId) ({ userId } = event);
    if (event.accountId !== accountId) ({ accountId } = event);
    map.set(event.secretDigest, {
      tokenId: event.tokenId,
      userId,
      accountId,
      version: 1,
      disabled: false,
      revoked: false,
      parked: false,
      expiresAt: event.expiresAt === null ? null : Date.parse(event.expiresAt),
    });
  }
  return map;
}

function measureTable(count: number): TableRun {
  const before = held();
  const table = fullTable(count);
  const bytes = (held() - before) / count;
  const withMap = count <= MAP_UP_TO;
  const beforeMap = held();
  const map = withMap ? plainMap(count) : null;
  const mapBytes = map ? (held() - beforeMap) / count : null;

  const now = Date.now();
  const passes = (entry: Omit<PlainEntry, 'tokenId' | 'userId' | 'accountId'> | null | undefined) =>
    !!entry &&
    !entry.parked &&
    !entry.revoked &&
    !entry.disabled &&
    (entry.expiresAt === null || now < entry.expiresAt);
  const checksOf = (of: CompactTable) => (secret: string) => passes(of.lookup(secret));
  const secrets = secretsOf(count);
  const reference = SIZES['100k'];
  const floor = map
    ? { secrets, passes: (secret: string) => passes(map.get(secretDigest(secret))) }
    : { secrets: secretsOf(reference), passes: checksOf(fullTable(reference)) };
  const checks: number[] = [];
  const floorChecks: number[] = [];
  // The first round is for the compiler.
  for (let round = 0; round <= ROUNDS; round++) {
    checks.push(rate(secrets, checksOf(table)));
    floorChecks.push(rate(floor.secrets, floor.passes));
  }
  return {
    bytes,
    mapBytes,
    checks: median(checks.slice(1)),
    floorChecks: median(floorChecks.slice(1)),
  };
}

/**
 * In no order that memory or processor could follow; read from bytes, as a request's are, since texts
 * that were put together are copied when they are first hashed, and that would be measured.
 */
const secretsOf = (count: number): string[] =>
  Array.from({ length: Math.min(count, PROBED) }, () =>
    Buffer.from(secretOf(Math.floor(Math.random() * count)), 'latin1').toString('latin1'),
  );

function rate(secrets: readonly string[], passes: (secret: string) => boolean): number {
  const started = performance.now();
  let done = 0;
  let now = started;
  for (; now < started + ROUND_MS; now = performance.now()) {
    for (let i = 0; i < 1000; i++) {
      if (!passes(secrets[done++ % secrets.length] ?? '')) throw new Error('a token was not found');
    }
  }
  return (done / (now - started)) * 1000;
}

/** Bytes on and off the heap, after a collection. */
function held(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

// Snapshot

async function measureSnapshot(file: string): Promise<SnapshotRun> {
  const source = { epoch: 'e'.repeat(32), topic: 'bench.events', topicId: 'bench' };
  const readTo = { watermark: new Watermark(), offsets: new Map([[0, BigInt(SIZES['1m'])]]) };
  const table = fullTable(SIZES['1m']);
  const saveMs = await time(() => saveSnapshot(file, { table, readTo, source }));
  const loads: number[] = [];
  const bares: number[] = [];
  for (let round = 0; round < 3; round++) {
    bares.push(await time(() => bareLoad(file)));
    loads.push(
      await time(async () => {
        const loaded = await loadSnapshot(file, { topic: source.topic, epoch: source.epoch });
        if (loaded.kind !== 'loaded') throw new Error(JSON.stringify(loaded));
      }),
    );
  }
  // The first is what a process that starts has: nothing is compiled yet.
  return { saveMs, loadMs: loads[0] ?? NaN, bareMs: bares[0] ?? NaN };
}

async function bareLoad(file: string): Promise<number> {
  const bytes = await readFile(file);
  createHash('sha256').update(bytes).digest();
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  let sum = 0;
  for (const word of words) sum = (sum + word) | 0;
  return sum;
}

async function time(what: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await what();
  return performance.now() - started;
}

// Replay

const kafkaOf = (brokers: string): Kafka =>
  new Kafka({ brokers: brokers.split(','), logLevel: logLevel.ERROR });

async function produce(brokers: string, prefix: string): Promise<number> {
  const names = topics(prefix);
  const bus = createKafkaEventBus({ brokers: brokers.split(','), clientId: 'bench' });
  await bus.ensureTopics(topicSpecs(names, PARTITIONS));
  const publisher = await bus.publisher();
  for (let from = 0; from < REPLAYED; from += 5000) {
    const records = Array.from({ length: 5000 }, (_, i) => {
      const { id, epoch, position, event } = added(from + i);
      const { type, ...data } = event;
      const recorded = { id, type, schemaVersion: 1, tags: [], data, traceparent: null, position };
      return toEventRecord({ ...recorded, hash: '' }, epoch);
    });
    await publisher.publish(names.events, records);
  }
  await publisher.close();
  await bus.close();
  return REPLAYED;
}

async function replay(brokers: string, prefix: string): Promise<ReplayRun> {
  const names = topics(prefix);
  const bus = createKafkaEventBus({ brokers: brokers.split(','), clientId: 'bench-gateway' });
  const started = performance.now();
  const guard = createTokenGuard({ bus, topics: names, gatewayId: 'bench' });
  const first = await timeOf(() => guard.state().events.applied > 0);
  const already = guard.state().events.applied;
  const last = await timeOf(() => guard.state().watermark === REPLAYED);
  await guard.close();
  await bus.close();
  return {
    joinMs: first - started,
    perSecond: ((REPLAYED - already) / (last - first)) * 1000,
  };
}

async function bareReplay(brokers: string, prefix: string): Promise<ReplayRun> {
  const kafka = kafkaOf(brokers);
  const consumer = kafka.consumer({ groupId: `bench-${randomBytes(4).toString('hex')}` });
  const started = performance.now();
  let first = 0;
  let read = 0;
  let bytes = 0;
  await consumer.connect();
  await consumer.subscribe({ topic: topics(prefix).events, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: ({ batch }) => {
      first ||= performance.now();
      for (const { value } of batch.messages) {
        const event = JSON.parse(value?.toString('utf8') ?? '') as { tokenId: string };
        bytes += event.tokenId.length;
        read++;
      }
      return Promise.resolve();
    },
  });
  const last = await timeOf(() => read >= REPLAYED);
  if (bytes === 0) throw new Error('nothing was parsed');
  await consumer.disconnect();
  return { joinMs: first - started, perSecond: (REPLAYED / (last - first)) * 1000 };
}

/** @returns when it was so. */
async function timeOf(condition: () => boolean): Promise<number> {
  await until(condition, JOB_TIMEOUT_MS);
  return performance.now();
}

// Processes

async function inProcess<R>(job: keyof typeof JOBS, ...args: string[]): Promise<R> {
  console.error(`  ${job} ${job === 'table' ? args.join(' ') : ''}`);
  const child = fork(fileURLToPath(import.meta.url), [job, ...args], {
    execArgv: ['--expose-gc', '--max-old-space-size=6000'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    timeout: JOB_TIMEOUT_MS,
  });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`measuring ${job} ended with ${String(code)}`);
  });
  const [run] = (await Promise.race([once(child, 'message'), ended])) as [R];
  await ended.catch(() => undefined);
  return run;
}

if (process.send && process.argv[1] === fileURLToPath(import.meta.url)) {
  const [job = '', ...args] = process.argv.slice(2);
  const run = JOBS[job as keyof typeof JOBS] as (...given: string[]) => unknown;
  const result = await run(...args);
  process.send(result, () => process.exit(0));
}
