import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '../contracts/until.js';
import { startMongoReplicaSet } from '../servers/index.js';
import type { MongoReplicaSet } from '../servers/index.js';
import { makeStack } from '../stack/stack.js';
import type { Stack } from '../stack/stack.js';
import { Caller, bearer, taken, verifies, verify } from './caller.js';
import { expectOneHistory } from './history.js';

/** From the fault until the part did its work again, in milliseconds; and how it answered meanwhile. */
interface Window {
  readonly ms: number;
  readonly answers: Readonly<Record<string, number>>;
}

/**
 * `precise.md` 11: the log's replica set loses its primary, by death and by silence. What is printed is
 * what the default of `MAX_STALENESS_MS` rests on; what is asserted is that nothing is lost or doubled,
 * that nobody passes on a view that is not proven, and that all is well again afterwards.
 */
describe('a replica set of three that loses its primary', () => {
  let mongo: MongoReplicaSet;
  let stack: Stack;
  let service: Caller;
  let token: { readonly id: string; readonly secret: string };
  let version = 0;

  beforeAll(async () => {
    mongo = await startMongoReplicaSet(3);
    stack = await makeStack({
      mongodbUri: mongo.uri,
      kafkaBrokers: process.env.KAFKA_BROKERS ?? '',
      env: { LOG_LEVEL: 'error' },
    });
    await stack.start();
    service = await Caller.service(stack.issuer, stack.tokenService.url);
    const whose = { userName: 'dora@example.com', accountId: 'acme' };
    const { body } = await service.add('u-dora', 'Import', whose);
    token = { id: body.id, secret: body.secret ?? '' };
    version = body.version;
    await verifies(stack.gateways[0]?.url ?? '', token.secret, 200);
  }, 180_000);

  afterAll(async () => {
    await stack.stop();
    await mongo.stop();
  }, 120_000);

  it.each(['killed', 'silent'] as const)(
    'answers commands and proves freshness again after the primary is %s',
    async (how) => {
      const gateway = stack.gateways[0]?.url ?? '';
      const primary = await mongo.primary();
      const watch = new AbortController();
      const proven = watchGateway(gateway, token.secret, watch.signal);
      if (how === 'killed') await primary.kill9();
      else primary.pause();
      const commands = await commandsWorkAgain();
      const age = await freshAgain(gateway);
      watch.abort();
      const verdicts = await proven;
      console.info(
        `primary ${how}: commands worked again after ${commands.ms} ms (${show(commands.answers)}); ` +
          `the gateway was at most ${age.oldest} ms old and refused for ${verdicts.closedMs} ms (${show(verdicts.answers)})`,
      );
      // Whatever it said, it never said yes on a view older than its bound.
      expect(verdicts.oldestYes).toBeLessThanOrEqual(5000);
      if (how === 'killed') await primary.restart();
      else primary.resume();
      const disabled = await taken(() => service.disable(token.id, {}, `disable-${how}`));
      expect(disabled).toMatchObject({ status: 200, body: { version: ++version } });
      await verifies(gateway, token.secret, 401);
      const enabled = await taken(() => service.enable(token.id, {}, `enable-${how}`));
      expect(enabled).toMatchObject({ status: 200, body: { version: ++version } });
      await verifies(gateway, token.secret, 200);
    },
    180_000,
  );

  it('has one history afterwards', async () => {
    const [logDatabase = '', readModelDatabase = ''] = stack.databases;
    const tokens = await expectOneHistory({
      mongodbUri: mongo.uri,
      kafkaBrokers: process.env.KAFKA_BROKERS ?? '',
      logDatabase,
      readModelDatabase,
      eventsTopic: `${stack.topicPrefix}.events`,
    });
    expect(tokens.get(token.id)).toMatchObject({ version, disabled: null });
  }, 60_000);

  /** One rename under one key, asked again until it is recorded: it must count once. */
  async function commandsWorkAgain(): Promise<Window> {
    const started = performance.now();
    const key = { 'idempotency-key': `failover-${version}` };
    const answers: Record<string, number> = {};
    for (const end = started + 90_000; performance.now() < end;) {
      const name = { name: `Import ${version}` };
      const answer = await service
        .call('PATCH', `/v1/tokens/${token.id}`, name, key)
        .catch(() => null);
      const said = answer ? String(answer.status) : 'no answer';
      answers[said] = (answers[said] ?? 0) + 1;
      if (answer?.status === 200) {
        expect(answer.body.version).toBe(++version);
        return { ms: Math.round(performance.now() - started), answers };
      }
      await delay(20);
    }
    throw new Error(`commands did not work again within 90 s: ${show(answers)}`);
  }

  async function freshAgain(gateway: string): Promise<{ readonly oldest: number }> {
    let oldest = 0;
    await until(async () => {
      const status = (await (await fetch(`${gateway}/status`)).json()) as {
        state: string;
        ageMs: number | null;
        watermark: number;
      };
      oldest = Math.max(oldest, Math.round(status.ageMs ?? 0));
      return status.state === 'fresh' && (status.ageMs ?? Infinity) < 1000;
    }, 60_000);
    return { oldest };
  }
});

async function watchGateway(
  gateway: string,
  secret: string,
  signal: AbortSignal,
): Promise<{ answers: Record<string, number>; closedMs: number; oldestYes: number }> {
  const answers: Record<string, number> = {};
  let closedMs = 0;
  let oldestYes = 0;
  for (let before = performance.now(); !signal.aborted;) {
    const verdict = await verify(gateway, bearer(secret)).catch(() => null);
    if (verdict === null) continue; // A busy machine: no answer is no yes.
    const { status, headers } = verdict;
    const now = performance.now();
    answers[status] = (answers[status] ?? 0) + 1;
    if (status === 503) closedMs += now - before;
    if (status === 200) oldestYes = Math.max(oldestYes, Number(headers.get('x-token-age')));
    before = now;
    await delay(10);
  }
  return { answers, closedMs: Math.round(closedMs), oldestYes };
}

const show = (answers: Readonly<Record<string, number>>): string =>
  Object.entries(answers)
    .map(([answer, times]) => `${times} × ${answer}`)
    .join(', ');
