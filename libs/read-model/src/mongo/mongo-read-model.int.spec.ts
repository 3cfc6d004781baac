import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { MongoClient } from 'mongodb';
import type { Filter, Sort } from 'mongodb';
import { tokenStatusRepositoryContract } from '../../../../test/contracts/token-status-repository.contract.js';
import { newTokenId } from '../../../../test/contracts/token-history.js';
import { newRow } from '../token-row.js';
import type { TokenSearch } from '../token-search.js';
import { openMongoReadModel } from './mongo-read-model.js';
import { dueFilter, NEWEST_FIRST, searchFilter } from './queries.js';
import type { TokenDocument } from './queries.js';

const uri = process.env.MONGODB_URI ?? '';

tokenStatusRepositoryContract('MongoDB', () => {
  const run = `read-model-${randomUUID().slice(0, 8)}`;
  const databases = new Set<string>();
  return Promise.resolve({
    open: (name, options) => {
      const database = `${run}-${name}`;
      databases.add(database);
      return openMongoReadModel({ uri, database, ...options });
    },
    destroy: async () => {
      const client = await MongoClient.connect(uri);
      for (const database of databases) await client.db(database).dropDatabase();
      await client.close();
    },
  });
});

describe('a partition of the read model in MongoDB', () => {
  it('can be taken over at once from a projector that vanished within a transaction', async () => {
    const database = `read-model-${randomUUID().slice(0, 8)}`;
    const server = /^mongodb:\/\/(?:.*@)?([^:,/]+):(\d+)/.exec(uri)!;
    const wire = await startWire(server[1]!, Number(server[2]));
    const vanished = await openMongoReadModel({
      uri: `mongodb://127.0.0.1:${wire.port}/?directConnection=true`,
      database,
      // To the server, that is all that it hears of it: no abort, no end of session.
      onStep: (step) => {
        if (step === 'projector.rows-written') wire.cut();
      },
    });
    const next = await openMongoReadModel({ uri, database });
    try {
      const row = { ...newRow(newTokenId()), parked: true };
      const step = { partition: 3, from: null, heartbeatPosition: 0, rows: [row], parked: [] };
      await vanished.take(3);
      const lost = vanished.apply({ ...step, nextOffset: 5n }).catch((fault: unknown) => fault);
      await wire.isCut;
      expect(await next.take(3)).toEqual({ nextOffset: null, heartbeatPosition: 0 });
      expect(await next.apply({ ...step, nextOffset: 4n })).toBe('applied');
      expect(await lost).toBeInstanceOf(Error);
      expect((await next.checkpoints()).get(3)?.nextOffset).toBe(4n);
    } finally {
      const client = await MongoClient.connect(uri);
      await client.db(database).dropDatabase();
      await Promise.all([client.close(), next.close(), vanished.close(), wire.close()]);
    }
    // The server's own patience with a transaction whose client is gone is 60 s.
  }, 50_000);
});

describe('the indexes of the read model in MongoDB', () => {
  const database = `read-model-${randomUUID().slice(0, 8)}`;
  const now = '2030-01-01T00:00:00.000Z';
  const acme = { accountId: 'acme', now, limit: 10 };
  let client: MongoClient;
  beforeAll(async () => {
    client = await MongoClient.connect(uri);
    await (await openMongoReadModel({ uri, database })).close();
  });
  afterAll(async () => {
    await client.db(database).dropDatabase();
    await client.close();
  });

  /** The stages of the plan that the server would take, and the indexes that it reads. */
  async function plan(filter: Filter<TokenDocument>, sort: Sort): Promise<string> {
    const { queryPlanner } = (await client
      .db(database)
      .collection<TokenDocument>('tokens')
      .find(filter, { sort })
      .explain('queryPlanner')) as { queryPlanner: { winningPlan: unknown } };
    return JSON.stringify(queryPlanner.winningPlan);
  }

  it.each<[string, Partial<TokenSearch>, string]>([
    ['an account', {}, 'by-account-newest'],
    ['every account', { accountId: null }, 'newest'],
    ['a time', { createdAfter: now, createdBefore: now }, 'by-account-newest'],
    ['a user', { userId: 'u-1' }, 'by-user'],
    ['a whole hint', { hint: 'abc123' }, 'by-hint|by-account-newest'],
    ['what is disabled', { status: 'disabled' }, 'disabled-by-account-newest|by-account-newest'],
    ['what is revoked', { status: 'revoked' }, 'revoked-by-account-newest|by-account-newest'],
    ['what has expired', { status: 'expired' }, 'expiring-by-account-newest|by-account-newest'],
    ['what is active', { status: 'active' }, 'by-account-newest'],
  ])('let a search by %s read an index in the order of the answer', async (_, by, indexes) => {
    for (const after of [null, { createdAt: now, id: 'tok_1' }]) {
      const winning = await plan(searchFilter({ ...acme, ...by }, after), NEWEST_FIRST);
      expect(winning).toMatch(new RegExp(`"indexName":"(${indexes})"`));
      expect(winning).not.toMatch(/COLLSCAN|"SORT"/);
    }
  });

  it('let ends that are due be read in their order', async () => {
    const winning = await plan(dueFilter(now), { 'token.disabled.until': 1, _id: 1 });
    expect(winning).toMatch(/"indexName":"due"/);
    expect(winning).not.toMatch(/COLLSCAN|"SORT"/);
  });

  it('are no reason to wait for a transaction that a projector which died has left open', async () => {
    const session = client.startSession();
    try {
      session.startTransaction();
      const left = { token: 'left', _id: 'tok_left' } as unknown as TokenDocument;
      await client.db(database).collection<TokenDocument>('tokens').insertOne(left, { session });
      // Whatever wants the collection for itself waits for the end of that, which no one brings.
      await (await openMongoReadModel({ uri, database })).close();
    } finally {
      await session.abortTransaction();
      await session.endSession();
    }
  });
});

/** A TCP connection to the server that can be cut. */
async function startWire(
  host: string,
  port: number,
): Promise<{ port: number; cut: () => void; isCut: Promise<void>; close: () => Promise<void> }> {
  const sockets = new Set<Socket>();
  let whole = true;
  let tell: () => void = () => undefined;
  const isCut = new Promise<void>((resolve) => (tell = resolve));
  const server = createServer((near) => {
    if (!whole) {
      near.destroy();
      return;
    }
    const far = connect(port, host);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('error', () => undefined).on('close', () => to.destroy());
      from.pipe(to);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    cut: () => {
      whole = false;
      for (const socket of sockets) socket.destroy();
      tell();
    },
    isCut,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
