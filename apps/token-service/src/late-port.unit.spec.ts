import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { PROBLEMS } from '@token-status/contracts';
import { openEventLog, openSqliteLogStore } from '@token-status/event-log';
import { openSqlitePersonalData } from '@token-status/personal-data';
import { createApp, createLogger } from '@token-status/platform';
import type { Caller, Closable } from '@token-status/platform';
import { openSqliteReadModel } from '@token-status/read-model';
import { LatePort, latePorts } from './late-port.js';
import { TokenServiceModule } from './token-service.module.js';

const ALICE: Caller = {
  id: 'u-alice',
  kind: 'user',
  accountId: 'acme',
  userName: 'alice@example.com',
  privileges: new Set(['API Access']),
  scopes: new Set(),
};

/** Stands for a database that is away until `comes` is called. */
function away<T>(open: () => Promise<T>): { readonly open: () => Promise<T>; comes: () => void } {
  let there = false;
  return {
    open: () => (there ? open() : Promise.reject(new Error('connect ECONNREFUSED'))),
    comes: () => {
      there = true;
    },
  };
}

it('a service whose databases are away at its start lives, is not ready, and works once they come', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'token-status-test-'));
  const log = away(() =>
    Promise.resolve(openEventLog(openSqliteLogStore({ file: join(folder, 'log.sqlite') }))),
  );
  const reads = away(() => openSqliteReadModel({ file: join(folder, 'reads.sqlite') }));
  const keys = away(() =>
    openSqlitePersonalData({
      file: join(folder, 'keys.sqlite'),
      masterKey: new Uint8Array(32).fill(1),
    }),
  );
  const faults: unknown[] = [];
  const late = <T extends Closable>(part: { open(): Promise<T> }): LatePort<T> =>
    new LatePort(
      () => part.open(),
      (fault) => faults.push(fault),
    );
  const parts = { log: late(log), reads: late(reads), keys: late(keys) };
  const app = await createApp(
    TokenServiceModule.register(latePorts(parts.log, parts.reads, parts.keys), {
      fingerprintKey: new Uint8Array(32).fill(2),
    }),
    {
      logger: createLogger({ name: 'test', level: 'silent' }),
      callers: { authenticate: () => Promise.resolve(ALICE) },
      problems: PROBLEMS,
    },
  );
  const { url } = await app.listen({ port: 0 });
  const ask = async (path: string, body?: object): Promise<[number, unknown]> => {
    const answer = await fetch(`${url}${path}`, {
      ...(body && {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      }),
    });
    const { code } = (await answer.json()) as { readonly code?: unknown };
    return [answer.status, code];
  };
  try {
    expect(await ask('/livez')).toEqual([200, undefined]);
    expect(await ask('/readyz')).toEqual([503, undefined]);
    const add = () => ask('/v1/users/u-alice/tokens', { name: 'first' });
    expect(await add()).toEqual([503, 'unavailable']);
    for (const read of ['/v1/users/u-alice/tokens', '/v1/tokens', '/v1/stream']) {
      expect(await ask(read)).toEqual([503, 'unavailable']);
    }
    const someToken = `/v1/tokens/tok_${'0'.repeat(32)}`;
    expect(await ask(`${someToken}/disable`, {})).toEqual([503, 'unavailable']);
    expect(faults).not.toHaveLength(0);

    for (const part of [log, reads, keys]) part.comes();
    const deadline = Date.now() + 30_000;
    for (const works of [add, () => ask(someToken)]) {
      while ((await works())[0] === 503 && Date.now() < deadline);
    }
    expect(await add()).toEqual([409, 'name-taken']);
    expect(await ask('/readyz')).toEqual([200, undefined]);
    expect(await ask(someToken)).toEqual([404, 'token-unknown']);
  } finally {
    await app.close();
    for (const part of Object.values(parts)) await part.close();
    await rm(folder, { recursive: true });
  }
}, 60_000);

it('a port that is closed before it could be opened is tried no more', async () => {
  let tries = 0;
  const port = new LatePort<Closable>(
    () => {
      tries++;
      return Promise.reject(new Error('away'));
    },
    () => undefined,
  );
  await port.close();
  const before = tries;
  await new Promise((resolve) => setImmediate(resolve));
  expect(tries).toBe(before);
  expect(() => port.part).toThrow('could not be opened');
});

it('a port that opens while it is being closed is closed', async () => {
  let finish: () => void = () => undefined;
  let closed = false;
  const port = new LatePort(
    () =>
      new Promise<Closable>((resolve) => {
        finish = () =>
          resolve({
            close: () => {
              closed = true;
              return Promise.resolve();
            },
          });
      }),
    () => undefined,
  );
  await Promise.resolve();
  const closing = port.close();
  finish();
  await closing;
  expect(closed).toBe(true);
});
