import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Kafka, logLevel } from 'kafkajs';
import { MongoClient, WriteConcern } from 'mongodb';
import { startKafka, startMongo, startMongoReplicaSet } from './index.js';
import { until } from '../contracts/until.js';

jest.setTimeout(180_000);

// Servers of its own: these are killed and paused. What a test opened is closed however it ends,
// the newest first, or a test that failed would keep Jest from ending.
const opened: (() => Promise<unknown>)[] = [];
const closedAfter = async <T>(
  thing: Promise<T>,
  close: (it: T) => Promise<unknown>,
): Promise<T> => {
  const it = await thing;
  opened.push(() => close(it));
  return it;
};
const started = <T extends { stop(): Promise<void> }>(server: Promise<T>): Promise<T> =>
  closedAfter(server, (it) => it.stop());
const connected = (uri: string, options = {}): Promise<MongoClient> =>
  closedAfter(MongoClient.connect(uri, options), (it) => it.close());
const temporaryFolder = (): Promise<string> =>
  closedAfter(mkdtemp(join(tmpdir(), 'token-status-test-')), (path) =>
    rm(path, { recursive: true, force: true }),
  );
afterEach(async () => {
  for (let close = opened.pop(); close !== undefined; close = opened.pop()) await close();
});

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('a MongoDB of our own', () => {
  it('takes transactions, and keeps what it acknowledged through kill -9 and a restart', async () => {
    const server = await started(startMongo());
    const client = await connected(server.uri);
    const rows = client.db('servers').collection<{ _id: number }>('rows');
    await client.withSession((session) =>
      session.withTransaction(() => rows.insertOne({ _id: 1 }, { session }), {
        writeConcern: new WriteConcern('majority', undefined, true),
      }),
    );
    const { pid } = server;

    await server.kill9();
    expect(isAlive(pid)).toBe(false);
    await server.restart();

    expect(server.pid).not.toBe(pid);
    expect(await rows.find({}, { readConcern: 'majority' }).toArray()).toEqual([{ _id: 1 }]);
  });

  it('answers nothing while it is paused, and goes on when it is resumed', async () => {
    const server = await started(startMongo());
    const client = await connected(server.uri, { socketTimeoutMS: 500 });
    server.pause();
    await expect(client.db('servers').command({ ping: 1 })).rejects.toThrow(/timed out/);
    server.resume();
    expect(await client.db('servers').command({ ping: 1 })).toMatchObject({ ok: 1 });
  });

  it('elects another primary when one of three members dies', async () => {
    const set = await started(startMongoReplicaSet(3));
    const first = await set.primary();
    await first.kill9();
    const second = await set.primary();
    expect(second.port).not.toBe(first.port);
    await first.restart();
    expect(isAlive(first.pid)).toBe(true);
  });
});

describe('a Kafka of our own', () => {
  it('keeps what it acknowledged through kill -9 and a restart, and makes no topic by accident', async () => {
    const server = await started(startKafka());
    const kafka = new Kafka({ brokers: [server.brokers], logLevel: logLevel.NOTHING });
    const admin = kafka.admin();
    const producer = kafka.producer({ idempotent: true });
    for (const client of [admin, producer]) {
      await closedAfter(client.connect(), () => client.disconnect());
    }
    await admin.createTopics({ waitForLeaders: true, topics: [{ topic: 'kept' }] });
    await producer.send({ topic: 'kept', acks: -1, messages: [{ value: 'x' }] });
    // This client asks for the topic to be made, and tries for as long as a willing broker needs.
    const careless = kafka.producer({
      allowAutoTopicCreation: true,
      retry: { retries: 5, initialRetryTime: 100 },
    });
    await closedAfter(careless.connect(), () => careless.disconnect());
    await expect(careless.send({ topic: 'typo', messages: [{ value: 'x' }] })).rejects.toThrow(
      /does not host this topic-partition/,
    );
    const { pid } = server;

    await server.kill9();
    expect(isAlive(pid)).toBe(false);
    await server.restart();

    await until(
      async () => {
        const offsets = await admin.fetchTopicOffsets('kept').catch(() => []);
        return offsets[0]?.high === '1';
      },
      60_000,
      'the topic has its leader back',
    );
    expect(await admin.listTopics()).not.toContain('typo');
  });
});

describe('a Kafka whose random cluster id', () => {
  // One in 64 does, and the formatting tool took it for an option.
  it('begins with a dash starts like any other', async () => {
    const server = await started(startKafka(`-${'A'.repeat(21)}`));
    expect(isAlive(server.pid)).toBe(true);
  });
});

describe('npm run servers', () => {
  // The built file, as npm runs it. The servers of this test run are not to be found by it.
  const main = join(import.meta.dirname, '../dist/servers/main.js');
  const launch = (temporary: string, environment: NodeJS.ProcessEnv = {}) => {
    const child = spawn(process.execPath, [main], {
      env: {
        ...process.env,
        MONGODB_URI: '',
        KAFKA_BROKERS: '',
        TMPDIR: temporary,
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    opened.push(() => Promise.resolve(child.kill('SIGKILL')));
    const said = { stdout: '', stderr: '' };
    child.stdout.on('data', (text: Buffer) => (said.stdout += text.toString()));
    child.stderr.on('data', (text: Buffer) => (said.stderr += text.toString()));
    return { child, said };
  };

  it.each(['SIGTERM', 'SIGINT', 'SIGKILL'] as const)(
    'leaves no process and no data behind after %s',
    async (signal) => {
      const temporary = await temporaryFolder();
      const { child, said } = launch(temporary);
      await until(
        () => {
          if (child.exitCode !== null) throw new Error(`ended early, and said: ${said.stderr}`);
          return said.stdout.split('\n').length > 2;
        },
        60_000,
        'both addresses are printed',
      );
      expect(said.stdout).toMatch(
        /^MONGODB_URI=mongodb:\/\/127\.0\.0\.1:\d+\/\?replicaSet=rs0\nKAFKA_BROKERS=127\.0\.0\.1:\d+\n$/,
      );
      expect(await readdir(temporary)).toHaveLength(2);
      const uri = /MONGODB_URI=(.*)/.exec(said.stdout)?.[1] ?? '';

      const exited = once(child, 'exit');
      child.kill(signal);
      await exited;
      expect(child.exitCode).toBe(signal === 'SIGKILL' ? null : 0);

      // The watchdog deletes a folder after its server is gone.
      await until(async () => (await readdir(temporary)).length === 0, 60_000, 'the data is gone');
      await expect(MongoClient.connect(uri, { serverSelectionTimeoutMS: 500 })).rejects.toThrow();
    },
  );

  it('names both ways out where neither the variables nor the tools are there', async () => {
    const temporary = await temporaryFolder();
    const cache = join(temporary, 'cache');
    const { child, said } = launch(temporary, { PATH: temporary, TOKEN_STATUS_CACHE: cache });
    await once(child, 'exit');
    expect(child.exitCode).toBe(1);
    expect(said.stdout).toBe('');
    for (const words of [
      'MONGODB_URI',
      'KAFKA_BROKERS',
      'docker compose',
      'Java 17',
      'Maven',
      'pip',
    ]) {
      expect(said.stderr).toContain(words);
    }
    expect(existsSync(cache)).toBe(false);
  });
});
