import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { topics, topicSpecs } from '@token-status/contracts';
import { openEventLog, openMongoLogStore } from '@token-status/event-log';
import type { EventLog } from '@token-status/event-log';
import { eventually } from '../../../../test/contracts/until.js';
import { Caller, taken, verifies } from '../../../../test/scenarios/caller.js';
import { deleteTopics } from '../../../../test/servers/delete-topics.js';
import { dropDatabases } from '../../../../test/servers/drop-databases.js';
import { freePort } from '../../../../test/servers/index.js';
import { AppProcess } from '../../../../test/stack/app-process.js';
import { makeStack } from '../../../../test/stack/stack.js';
import type { Stack } from '../../../../test/stack/stack.js';
import { DUE_STEPS } from './due-schedule.js';

const inSeconds = (seconds: number): string => new Date(Date.now() + seconds * 1000).toISOString();

describe('a disable with an end, every app as its own process', () => {
  let stack: Stack;
  let service: Caller;
  let log: EventLog;
  const [mongodbUri = '', kafkaBrokers = ''] = [process.env.MONGODB_URI, process.env.KAFKA_BROKERS];
  let users = 0;

  beforeAll(async () => {
    stack = await makeStack({ mongodbUri, kafkaBrokers });
    await stack.start();
    service = await Caller.service(stack.issuer, stack.tokenService.url);
    log = openEventLog(
      await openMongoLogStore({ uri: mongodbUri, database: stack.databases[0] ?? '' }),
    );
  }, 240_000);

  afterAll(async () => {
    await stack.stop();
    await log.close();
    const made = topicSpecs(topics(stack.topicPrefix), 1).map(({ name }) => name);
    await deleteTopics(kafkaBrokers.split(','), ...made);
    await dropDatabases(mongodbUri, ...stack.databases);
  }, 180_000);

  const added = async (): Promise<{ id: string; secret: string }> => {
    const { body } = await taken(() =>
      service.add(`u-until-${++users}`, 'Import', { userName: 'u@example.com', accountId: 'acme' }),
    );
    return { id: body.id, secret: body.secret ?? '' };
  };
  const disableUntil = (until: string, tokens: readonly { id: string }[]): Promise<unknown> =>
    Promise.all(
      tokens.map(async ({ id }) => {
        const answer = await taken(() => service.disable(id, { until }, `disable-${id}`));
        expect(answer).toMatchObject({ status: 200, body: { status: 'disabled' } });
      }),
    );
  const history = async (id: string): Promise<string[]> => {
    const types: string[] = [];
    for await (const { type } of log.read(0, { tags: [`token:${id}`] })) types.push(type);
    return types;
  };
  const enabledOnce = (id: string): Promise<void> =>
    eventually(async () =>
      expect(await history(id)).toEqual(['TokenAdded', 'TokenDisabled', 'TokenEnabled']),
    );
  const gateway = (): string => stack.gateways[0]?.url ?? '';

  it('is refused by the gateway, and passes again by itself', async () => {
    const { id, secret } = await added();
    await verifies(gateway(), secret, 200);
    const until = inSeconds(2);
    expect((await service.disable(id, { until })).status).toBe(200);
    await verifies(gateway(), secret, 401);
    await verifies(gateway(), secret, 200);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(until));
    await enabledOnce(id);
  }, 120_000);

  it.each(DUE_STEPS)(
    'ends once though the process dies at %s, and is started again',
    async (step) => {
      const tokens = await Promise.all([added(), added(), added()]);
      await disableUntil(inSeconds(5), tokens);
      // What it knew of them is gone with it; the next one dies at the step as soon as it comes to it.
      await stack.tokenService.kill9();
      await stack.tokenService.start('spawned', {
        UNTIL_POLL_MS: '100',
        TOKEN_STATUS_FAILPOINT: step,
      });
      await stack.tokenService.ended();
      await stack.tokenService.start();
      for (const { id, secret } of tokens) {
        await enabledOnce(id);
        await verifies(gateway(), secret, 200);
      }
    },
    180_000,
  );

  it('ends once though both of two processes are killed about that time', async () => {
    const second = await stack.process('token-service');
    await second.start();
    const tokens = await Promise.all(Array.from({ length: 20 }, added));
    const end = Date.now() + 5000;
    await disableUntil(new Date(end).toISOString(), tokens);
    for (const [ms, which] of [
      [0, stack.tokenService],
      [20, second],
    ] as const) {
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, end + ms - Date.now())));
      await which.kill9();
    }
    await Promise.all([stack.tokenService.start(), second.start()]);
    for (const { id } of tokens) await enabledOnce(id);
    expect(await second.stop()).toBe(0);
  }, 180_000);
});

describe('a disable with an end, everything in one process on SQLite', () => {
  let dataDir: string;
  let standalone: AppProcess;
  let at: { api: string; gateway: string; issuer: string };

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'token-status-until-'));
    const [api, gateway, issuer] = [await freePort(), await freePort(), await freePort()];
    at = {
      api: `http://127.0.0.1:${api}`,
      gateway: `http://127.0.0.1:${gateway}`,
      issuer: `http://localhost:${issuer}`,
    };
    standalone = new AppProcess({
      app: 'standalone',
      url: at.api,
      env: {
        DATA_DIR: dataDir,
        API_PORT: String(api),
        GATEWAY_PORT: String(gateway),
        ISSUER_PORT: String(issuer),
      },
    });
    await standalone.start();
  }, 60_000);

  afterAll(async () => {
    await standalone.stop();
    await rm(dataDir, { recursive: true, force: true });
  }, 60_000);

  it('ends by itself, and after a kill -9 too', async () => {
    const alice = await Caller.user(at.issuer, at.api, 'alice@example.com');
    const { id, secret = '' } = (await alice.add('u-alice', 'Until')).body;
    await verifies(at.gateway, secret, 200);
    expect((await alice.disable(id, { until: inSeconds(2) })).status).toBe(200);
    await verifies(at.gateway, secret, 401);
    await verifies(at.gateway, secret, 200);

    expect((await alice.disable(id, { until: inSeconds(2) })).status).toBe(200);
    await standalone.kill9();
    await standalone.start();
    await verifies(at.gateway, secret, 200);
    expect((await alice.get(id)).body.version).toBeLessThanOrEqual(5);
    await alice.readsStatus(id, 'active');
    expect((await alice.get(id)).body).toMatchObject({ status: 'active', version: 5 });
  }, 120_000);
});
