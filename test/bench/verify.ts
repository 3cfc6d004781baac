import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { AuthGatewayModule } from '@token-status/auth-gateway';
import {
  newSecret,
  readProbe,
  secretDigest,
  toEventRecord,
  topics,
  userNameDigest,
} from '@token-status/contracts';
import type { Probe } from '@token-status/contracts';
import { createInProcessEventBus } from '@token-status/event-bus';
import { createApp, createLogger, startMetrics } from '@token-status/platform';
import { createTokenGuard } from '@token-status/token-guard';
import type { TokenGuard } from '@token-status/token-guard';
import { load, requestBytes } from './load.js';
import { median, percentile } from './report.js';
import type { Figure } from './report.js';

/**
 * What a proxy and what a program that embeds the guard wait for.
 *
 * - `verify.http.*`: the gateway's app as production makes it, metrics and limits on, beside bare
 *   `node:http` that does the same SHA-256, a look-up in a `Map`, and the same headers. A process each,
 *   asked in turns over 64 connections, one request at a time on each, by a third process.
 * - `verify.check.throughput`: `guard.check` beside a loop of a bare hash and a `Map`, in turns.
 */

const TOKENS = 100_000;
const CONNECTIONS = 64;
const ROUNDS = 7;
const ROUND_MS = 2_000;
const CHECK_ROUND_MS = 500;
const START_TIMEOUT_MS = 120_000;
const names = topics('bench');

export async function verifyFigures(): Promise<Figure[]> {
  return [...(await httpFigures()), ...(await checkFigures())];
}

async function httpFigures(): Promise<Figure[]> {
  console.error('  verify over HTTP');
  const ours = await served('serve-gateway');
  const bare = await served('serve-bare');
  try {
    const rounds = { ours: [] as Round[], bare: [] as Round[] };
    // The first round is for the compiler; each goes first in turn.
    for (let round = 0; round <= ROUNDS; round++) {
      const order = [
        ['ours', ours],
        ['bare', bare],
      ] as const;
      for (const [which, { port, requests }] of round % 2 ? order : order.toReversed()) {
        let asked = 0;
        const next = (): Buffer | null => requests[asked++ % requests.length] ?? null;
        const result = await load({ port, connections: CONNECTIONS, next, forMs: ROUND_MS });
        if (round > 0) {
          const p99Ms = percentile(result.latencies, 0.99);
          rounds[which].push({ perSecond: result.perSecond, p99Ms });
        }
      }
    }
    const of = (which: 'ours' | 'bare', what: keyof Round) =>
      median(rounds[which].map((round) => round[what]));
    return [
      {
        metric: 'verify.http.throughput',
        value: of('ours', 'perSecond'),
        unit: 'requests/s',
        floor: of('bare', 'perSecond'),
        target: '≥ 0.85',
      },
      {
        metric: 'verify.http.p99',
        value: of('ours', 'p99Ms'),
        unit: 'ms',
        floor: of('bare', 'p99Ms'),
        target: '≤ 1.5',
      },
    ];
  } finally {
    ours.child.kill();
    bare.child.kill();
  }
}

interface Round {
  readonly perSecond: number;
  readonly p99Ms: number;
}

interface CheckRun {
  readonly ours: number;
  readonly bare: number;
}

async function checkFigures(): Promise<Figure[]> {
  console.error('  verify in process');
  const child = job('check');
  const { ours, bare } = await answerOf<CheckRun>(child, 'check');
  child.kill();
  return [
    {
      metric: 'verify.check.throughput',
      value: ours,
      unit: 'checks/s',
      floor: bare,
      target: '≥ 0.8',
    },
  ];
}

// The tokens, and the two that know them

interface Token {
  readonly secret: string;
  readonly tokenId: string;
  readonly userId: string;
  readonly accountId: string;
}

function newTokens(): Token[] {
  return Array.from({ length: TOKENS }, (_, n) => ({
    secret: newSecret(),
    tokenId: `tok_${n.toString(16).padStart(32, '0')}`,
    userId: `user-${String(Math.floor(n / 5)).padStart(11, '0')}`,
    accountId: `account-${String(Math.floor(n / 500)).padStart(8, '0')}`,
  }));
}

/** As it decides in production, but for Kafka: a bus in memory, and a relay that only proves freshness. */
async function guardOf(tokens: readonly Token[]): Promise<TokenGuard> {
  const bus = createInProcessEventBus({ memoryRecords: TOKENS });
  const specs = [names.events, names.heartbeats, names.probes].map((name) => ({
    name,
    partitions: 1,
    retention: { ms: 3_600_000 },
  }));
  await bus.ensureTopics(specs);
  const publisher = await bus.publisher();
  const epoch = 'e'.repeat(32);
  const at = new Date().toISOString();
  const records = tokens.map(({ secret, tokenId, userId, accountId }, n) =>
    toEventRecord(
      {
        id: n.toString(16).padStart(32, '0'),
        type: 'TokenAdded',
        schemaVersion: 1,
        tags: [],
        data: {
          tokenId,
          tokenVersion: 1,
          userId,
          accountId,
          at,
          by: { kind: 'user', id: userId },
          authority: 'owner',
          commandId: n.toString(16).padStart(32, '0'),
          origin: null,
          name: 'c2VhbGVk',
          hint: secret.slice(4, 10),
          secretDigest: secretDigest(secret),
          userNameDigest: userNameDigest(secret, `${userId}@example.com`),
          expiresAt: null,
        },
        traceparent: null,
        position: n + 1,
        hash: '',
      },
      epoch,
    ),
  );
  for (let from = 0; from < records.length; from += 1000) {
    await publisher.publish(names.events, records.slice(from, from + 1000));
  }
  let echo: Probe | null = null;
  await bus.subscribe({
    topic: names.probes,
    mode: { kind: 'every' },
    startAt: () => Promise.resolve('latest'),
    onBatch: ({ records: probes }) => {
      echo = readProbe(probes.at(-1)?.value ?? '');
      return Promise.resolve();
    },
  });
  setInterval(() => {
    const heartbeat = {
      epoch,
      at: new Date().toISOString(),
      position: tokens.length,
      offsets: {},
      echoes: echo ? [echo] : [],
    };
    const value = JSON.stringify(heartbeat);
    void publisher.publish(names.heartbeats, [{ key: null, headers: {}, value }]);
  }, 250);
  const guard = createTokenGuard({ bus, topics: names, gatewayId: 'bench' });
  guard.configure({ failureLimits: { burst: 100, perMinute: 60 } });
  await guard.ready();
  return guard;
}

interface Known {
  readonly tokenId: string;
  readonly userId: string;
  readonly accountId: string;
  readonly version: string;
  readonly active: boolean;
}

const mapOf = (tokens: readonly Token[]): Map<string, Known> =>
  new Map(
    tokens.map(({ secret, ...token }) => [
      secretDigest(secret),
      { ...token, version: '1', active: true },
    ]),
  );

// Jobs, each a process of its own

const JOBS = {
  'serve-gateway': async () => {
    const tokens = newTokens();
    const guard = await guardOf(tokens);
    const logger = createLogger({ name: 'bench', level: 'warn' });
    const metrics = startMetrics({ service: 'bench', version: '0' });
    const app = await createApp(
      AuthGatewayModule.register({
        guard: () => guard,
        logger,
        metrics,
        trustedProxies: ['loopback'],
      }),
      { logger, metrics, callers: 'none' },
    );
    const { port } = await app.listen({ port: 0 });
    return { port, secrets: secretsOf(tokens) };
  },
  'serve-bare': async () => {
    const tokens = newTokens();
    const map = mapOf(tokens);
    const server = createServer((request, response) => {
      const known = map.get(secretDigest(request.headers.authorization?.slice(7) ?? ''));
      if (!known?.active) {
        response.writeHead(401, ['content-length', '0']).end();
        return;
      }
      response
        .writeHead(200, [
          'content-length',
          '0',
          'cache-control',
          'no-store',
          'x-token-id',
          known.tokenId,
          'x-token-user',
          known.userId,
          'x-token-account',
          known.accountId,
          'x-token-version',
          known.version,
          'x-token-age',
          '100',
        ])
        .end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { port: (server.address() as AddressInfo).port, secrets: secretsOf(tokens) };
  },
  check: async (): Promise<CheckRun> => {
    const tokens = newTokens();
    const guard = await guardOf(tokens);
    const map = mapOf(tokens);
    // From bytes, as a request's are: texts that were put together are copied when they are first hashed.
    const headers = secretsOf(tokens).map((secret) =>
      Buffer.from(`Bearer ${secret}`, 'latin1').toString('latin1'),
    );
    const ours = (authorization: string): boolean =>
      guard.check({ authorization, minPosition: 0 }).outcome === 'pass';
    const bare = (authorization: string): boolean =>
      map.get(secretDigest(authorization.slice(7)))?.active === true;
    const rates = { ours: [] as number[], bare: [] as number[] };
    for (let round = 0; round <= ROUNDS; round++) {
      rates.ours.push(await rate(headers, ours));
      rates.bare.push(await rate(headers, bare));
    }
    return { ours: median(rates.ours.slice(1)), bare: median(rates.bare.slice(1)) };
  },
};

interface Served {
  readonly port: number;
  readonly secrets: readonly string[];
}

/** In no order: what a gateway is asked about is spread over its table. */
const secretsOf = (tokens: readonly Token[]): string[] =>
  tokens
    .map(({ secret }) => ({ secret, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ secret }) => secret);

async function rate(
  headers: readonly string[],
  passes: (header: string) => boolean,
): Promise<number> {
  // Heartbeats have their turn between rounds.
  await new Promise((resolve) => setTimeout(resolve, 300));
  const started = performance.now();
  let done = 0;
  let now = started;
  for (; now < started + CHECK_ROUND_MS; now = performance.now()) {
    for (let i = 0; i < 1000; i++) {
      if (!passes(headers[done++ % headers.length] ?? '')) throw new Error('a token did not pass');
    }
  }
  return (done / (now - started)) * 1000;
}

const job = (name: keyof typeof JOBS): ChildProcess =>
  fork(fileURLToPath(import.meta.url), [name], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });

async function answerOf<A>(child: ChildProcess, name: string): Promise<A> {
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${name} ended with ${String(code)}`);
  });
  const late = AbortSignal.timeout(START_TIMEOUT_MS);
  const [answer] = (await Promise.race([once(child, 'message', { signal: late }), ended])) as [A];
  ended.catch(() => undefined);
  return answer;
}

async function served(name: 'serve-gateway' | 'serve-bare') {
  const child = job(name);
  const { port, secrets } = await answerOf<Served>(child, name);
  const requests = secrets.map((secret) =>
    requestBytes('GET', '/verify', { authorization: `Bearer ${secret}` }),
  );
  return { child, port, requests };
}

if (process.send && process.argv[1] === fileURLToPath(import.meta.url)) {
  const name = process.argv[2] as keyof typeof JOBS;
  process.send(await JOBS[name]());
  process.on('disconnect', () => process.exit(0));
}
