import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { MongoClient } from 'mongodb';
import { eventLogContract } from '../../../../test/contracts/event-log.contract.js';
import { count, take } from '../../../../test/contracts/seats.js';
import { until } from '../../../../test/contracts/until.js';
import { dropDatabases } from '../../../../test/servers/drop-databases.js';
import { openEventLog } from '../open-event-log.js';
import { openMongoLogStore } from './mongo-log-store.js';

const uri = process.env.MONGODB_URI ?? '';

eventLogContract('MongoDB', () => {
  const database = `test_log_${randomBytes(6).toString('hex')}`;
  return Promise.resolve({
    on: { kind: 'mongo', uri, database },
    discard: async () => {
      const client = await new MongoClient(uri).connect();
      await client.db(database).dropDatabase();
      await client.close();
    },
  });
});

describe('MongoDB, when it takes the change stream away', () => {
  it('still wakes a follower, by a stream that it opens anew', async () => {
    const database = `test_log_${randomBytes(6).toString('hex')}`;
    const client = await new MongoClient(uri).connect();
    const faults: unknown[] = [];
    // Polls so rarely that only wake-ups can bring an event in time.
    const reading = await openMongoLogStore({
      uri,
      database,
      onFault: (fault) => faults.push(fault),
    });
    const reader = openEventLog(reading, { pollMs: 600_000 });
    const writer = openEventLog(await openMongoLogStore({ uri, database }));
    const stop = new AbortController();
    const seen: number[] = [];
    let rings = 0;
    reading.onAppend(() => rings++);
    const following = (async () => {
      for await (const batch of reader.follow(0, stop.signal)) {
        seen.push(...batch.map(({ position }) => position));
        if (seen.length >= 2) stop.abort();
      }
    })();
    try {
      // There is a stream to take away.
      await until(() => rings > 0);
      await take(writer, 'a', 'anna');
      await until(() => seen.length === 1);
      // A dropped collection invalidates its streams for good: no driver resumes those.
      const events = client.db(database).collection('events');
      await events.rename('events_aside');
      await client.db(database).collection('events_aside').rename('events');
      await until(() => faults.length > 0);
      await take(writer, 'b', 'anna');
      await following;
      expect(seen).toEqual([1, 2]);
    } finally {
      stop.abort();
      await Promise.all([reader.close(), writer.close()]);
      await client.db(database).dropDatabase();
      await client.close();
    }
  });
});

describe('MongoDB, when a writer is killed between its inserts and its commit', () => {
  it.each([
    ['one event', 1],
    ['several events', 3],
  ])(
    'takes %s of another writer long before the server ends the transaction',
    async (_, events) => {
      const database = `test_log_${randomBytes(6).toString('hex')}`;
      const log = openEventLog(await openMongoLogStore({ uri, database }), { timeoutMs: 20_000 });
      const dead = fork(resolve('test/dist/contracts/dead-writer.js'), [uri, database], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        execArgv: [],
      });
      try {
        await take(log, 'a', 'anna');
        await once(dead, 'message');
        dead.kill('SIGKILL');
        await once(dead, 'exit');
        // By default the server would take 60 s, and the log gives up after 20 s.
        expect(await count(log, 'b', events)).toMatchObject({ kind: 'recorded' });
      } finally {
        dead.kill('SIGKILL');
        await log.close();
        await dropDatabases(uri, database);
      }
    },
  );
});
