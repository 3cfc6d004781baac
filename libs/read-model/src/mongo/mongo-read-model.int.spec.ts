import { describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { MongoClient } from 'mongodb';
import { tokenStatusRepositoryContract } from '../../../../test/contracts/token-status-repository.contract.js';
import { newTokenId } from '../../../../test/contracts/token-history.js';
import { newRow } from '../token-row.js';
import { openMongoReadModel } from './mongo-read-model.js';

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
