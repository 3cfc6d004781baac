import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openEventLog, openMongoLogStore } from '@token-status/event-log';
import type { EventLog } from '@token-status/event-log';
import { openMongoPersonalData } from '@token-status/personal-data';
import type { PersonalData } from '@token-status/personal-data';
import { openMongoReadModel } from '@token-status/read-model';
import type { TokenStatusRepository } from '@token-status/read-model';
import { Caller, taken } from '../../../../test/scenarios/caller.js';
import type { Answer } from '../../../../test/scenarios/caller.js';
import { dropDatabases } from '../../../../test/servers/drop-databases.js';
import { makeStack } from '../../../../test/stack/stack.js';
import type { Stack } from '../../../../test/stack/stack.js';
import { projectionOf } from '../given/projection.spec.js';
import type { BulkJson } from './bulk-tokens.controller.js';
import { appendTokens } from './given-tokens.spec.js';

const TOKENS = 2000;

describe('a bulk command whose process is killed in the middle', () => {
  const mongodbUri = process.env.MONGODB_URI ?? '';
  const masterKey = randomBytes(32);
  let stack: Stack;
  let log: EventLog;
  let keys: PersonalData;
  let reads: TokenStatusRepository;
  let project: () => Promise<void>;

  beforeAll(async () => {
    stack = await makeStack({
      mongodbUri,
      kafkaBrokers: process.env.KAFKA_BROKERS ?? '',
      env: { PERSONAL_DATA_KEY: masterKey.toString('hex'), LOG_LEVEL: 'warn' },
    });
    const [logDatabase = '', readDatabase = '', keysDatabase = ''] = stack.databases;
    log = openEventLog(await openMongoLogStore({ uri: mongodbUri, database: logDatabase }));
    keys = await openMongoPersonalData({ uri: mongodbUri, database: keysDatabase, masterKey });
    reads = await openMongoReadModel({ uri: mongodbUri, database: readDatabase });
    project = await projectionOf(log, reads, keys);
    await stack.identityProvider.start();
    await stack.tokenService.start();
  }, 120_000);

  afterAll(async () => {
    await stack.stop();
    for (const part of [log, keys, reads]) await part.close();
    await dropDatabases(mongodbUri, ...stack.databases);
  }, 60_000);

  const given = (count: number): Promise<string[]> =>
    appendTokens(log, (userId) => keys.seal(userId, 'name'), count);
  const disables = async (): Promise<Map<unknown, number>> => {
    const found = new Map<unknown, number>();
    for await (const { type, data } of log.read(0)) {
      if (type === 'TokenDisabled') found.set(data.tokenId, (found.get(data.tokenId) ?? 0) + 1);
    }
    return found;
  };
  const disableAccount = async (api: string, account: string): Promise<Answer<BulkJson>> => {
    const caller = await Caller.service(stack.issuer, api);
    const body = { action: 'disable', filter: { account }, reason: 'exposed' };
    return caller.call<BulkJson>('POST', '/v1/tokens/bulk', body, {
      'idempotency-key': `everything of ${account}`.replaceAll(' ', '-'),
    });
  };

  it('is finished by a repeat on another replica: each token once, every result there', async () => {
    const ids = await given(TOKENS);
    await project();
    await stack.tokenService.stop();
    await stack.tokenService.start('readyz', { TOKEN_STATUS_FAILPOINT: 'bulk:answered@700' });
    await expect(disableAccount(stack.tokenService.url, 'acme')).rejects.toThrow();
    await stack.tokenService.ended();
    const done = (await disables()).size;
    expect(done).toBeGreaterThanOrEqual(700);
    expect(done).toBeLessThan(TOKENS);

    // What matches by now is not what matched when it was asked for.
    const late = await given(50);
    await project();
    const other = await stack.process('token-service');
    await other.start();
    const again = await taken(() => disableAccount(other.url, 'acme'));
    expect(again.status).toBe(200);
    expect(again.body.counts).toEqual({ changed: TOKENS, unchanged: 0, refused: 0 });
    expect(again.body.results?.map(({ id }) => id).sort()).toEqual([...ids].sort());

    const events = await disables();
    expect([...events.keys()].sort()).toEqual([...ids].sort());
    expect(new Set(events.values())).toEqual(new Set([1]));
    for (const id of late) expect(events.has(id)).toBe(false);

    await stack.tokenService.start();
    const third = await taken(() => disableAccount(stack.tokenService.url, 'acme'));
    expect(third.body).toEqual(again.body);
    expect(await disables()).toEqual(events);
  }, 180_000);
});
