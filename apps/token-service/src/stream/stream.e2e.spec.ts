import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openEventLog, openMongoLogStore } from '@token-status/event-log';
import type { EventLog } from '@token-status/event-log';
import { dropDatabases } from '../../../../test/servers/drop-databases.js';
import { freePort } from '../../../../test/servers/index.js';
import { AppProcess } from '../../../../test/stack/app-process.js';
import { CALLERS, startIssuer } from '../given/issuer.spec.js';
import type { CallerName, Issuer } from '../given/issuer.spec.js';
import { listen } from './given-stream.spec.js';
import type { Listener } from './given-stream.spec.js';

const uri = process.env.MONGODB_URI ?? '';
const suffix = randomBytes(4).toString('hex');
const database = (room: string): string => `test_stream_${room}_${suffix}`;

describe('a stream whose server is killed', () => {
  let issuer: Issuer;
  let service: AppProcess;
  /** On the same log, so that things happen while the first one is gone. */
  let other: AppProcess;
  let log: EventLog;
  const processOn = (port: number): AppProcess =>
    new AppProcess({
      app: 'token-service',
      url: `http://127.0.0.1:${port}`,
      env: {
        PORT: String(port),
        MONGODB_URI: uri,
        KEYS_MONGODB_URI: uri,
        LOG_DATABASE: database('log'),
        KEYS_DATABASE: database('keys'),
        READ_MODEL_DATABASE: database('read'),
        OIDC_ISSUER: issuer.url,
        PERSONAL_DATA_KEY: 'ab'.repeat(32),
        FINGERPRINT_KEY: 'cd'.repeat(32),
        TOKENS_PER_USER: '100',
      },
    });

  beforeAll(async () => {
    issuer = await startIssuer();
    service = processOn(await freePort());
    other = processOn(await freePort());
    await Promise.all([service.start(), other.start()]);
    log = openEventLog(await openMongoLogStore({ uri, database: database('log') }));
  }, 120_000);
  afterAll(async () => {
    await Promise.all([service.kill9(), other.kill9()]);
    await log.close();
    await issuer.close();
    await dropDatabases(uri, ...['log', 'keys', 'read'].map(database));
  }, 60_000);

  let names = 0;
  const add = async (userId: string): Promise<void> => {
    const response = await fetch(`${other.url}/v1/users/${userId}/tokens`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await issuer.token(CALLERS.writer)}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({
        name: `name ${++names}`,
        accountId: 'acme',
        userName: 'u@example.com',
      }),
    });
    expect(response.status).toBe(201);
  };
  const listening = async (as: CallerName): Promise<Listener> => {
    const listener = listen(`${service.url}/v1/stream`, await issuer.token(CALLERS[as]));
    await listener.hasCome(1);
    return listener;
  };

  it('goes on at the next one without a gap and without a repeat', async () => {
    await add('u-first');
    const listeners = [
      await listening('reader'),
      await listening('admin'),
      await listening('alice'),
    ];
    try {
      const from = (await log.fence()).position;
      for (let round = 0; round < 3; round++) {
        // Killed while events come, and down while others do.
        const adding = Promise.all(Array.from({ length: 20 }, (_, n) => add(`u-${round}-${n}`)));
        await listeners[0]?.hasCome(from + round * 22 + 5);
        await service.kill9();
        await adding;
        await add('u-alice');
        await add('u-alice');
        await service.start();
      }
      const { position: end } = await log.fence();
      expect(end).toBe(from + 66);
      const all = Array.from({ length: 66 }, (_, n) => from + n + 1);
      const own: number[] = [];
      for await (const event of log.read(from, { tags: ['user:u-alice'] }))
        own.push(event.position);
      const [reader, admin, alice] = listeners;
      for (const each of [reader, admin]) {
        await each?.hasCome(end);
        expect(each?.heard.map(({ id }) => id)).toEqual(all);
      }
      await alice?.hasCome(own.at(-1) ?? 0);
      expect(alice?.heard.map(({ id }) => id)).toEqual(own);
      expect(own).toHaveLength(6);
      expect(reader?.opened).toBeGreaterThan(3);
      for (const { refused } of listeners) {
        // Connections broke; none was refused.
        expect(refused.filter((status) => status !== undefined)).toEqual([]);
      }
    } finally {
      for (const each of listeners) each.close();
    }
  }, 180_000);
});
