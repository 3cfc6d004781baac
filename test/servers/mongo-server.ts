import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Db, Document } from 'mongodb';
import { MongoClient } from 'mongodb';
import { fetchServer } from './fetch.js';
import { freePort } from './free-port.js';
import { makeServerFolder } from './server-folder.js';
import type { RunningServer } from './server-process.js';
import { runServer } from './server-process.js';

const REPLICA_SET = 'rs0';
const PRIMARY_TIMEOUT_MS = 30_000;

export interface MongoServer extends RunningServer {
  /** Names the replica set and no database: each user names its own. */
  readonly uri: string;
  readonly port: number;
}

export interface MongoReplicaSet {
  /** Names every member. */
  readonly uri: string;
  readonly members: readonly MongoServer[];
  /** The member that is primary now; waits for an election, 30 s at most. */
  primary(): Promise<MongoServer>;
  stop(): Promise<void>;
}

/** A replica set of one member, primary when this resolves; transactions and change streams work. */
export async function startMongo(): Promise<MongoServer> {
  const { members } = await startMongoReplicaSet(1);
  const [member] = members;
  if (member === undefined) throw new Error('a replica set of one has no member');
  return member;
}

/** `size` members on free loopback ports, with the election time-out that production has: 2 s. */
export async function startMongoReplicaSet(size: number): Promise<MongoReplicaSet> {
  const program = join(await fetchServer('mongodb'), 'mongod');
  const set = { size, initiated: false };
  const starts = await Promise.allSettled(
    Array.from({ length: size }, () => startMember(program, set)),
  );
  const members = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
  const stop = async (): Promise<void> => {
    await Promise.all(members.map((member) => member.stop()));
  };
  try {
    const failed = starts.find((start) => start.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    const [first] = members;
    if (first === undefined) throw new Error('a replica set needs a member');
    await directly(first.port, (admin) =>
      admin.command({
        replSetInitiate: {
          _id: REPLICA_SET,
          members: members.map(({ port }, _id) => ({ _id, host: `127.0.0.1:${port}` })),
          settings: {
            electionTimeoutMillis: 2000,
            heartbeatTimeoutSecs: 2,
            catchUpTimeoutMillis: 2000,
          },
        },
      }),
    );
    set.initiated = true;
    await findPrimary(members);
    return {
      uri: uriOf(members.map((member) => member.port)),
      members,
      primary: () => findPrimary(members),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startMember(
  program: string,
  set: { readonly size: number; readonly initiated: boolean },
): Promise<MongoServer> {
  const port = await freePort();
  const folder = makeServerFolder('mongod');
  const data = join(folder.path, 'data');
  await mkdir(data);
  const server = await runServer({
    name: 'mongod',
    command: program,
    folder,
    args: [
      ...['--replSet', REPLICA_SET, '--bind_ip', '127.0.0.1', '--port', String(port)],
      ...['--dbpath', data, '--nounixsocket', '--wiredTigerCacheSizeGB', '1', '--oplogSize', '512'],
      ...['--setParameter', 'diagnosticDataCollectionEnabled=false', '--quiet'],
      // A primary that is asked to end waits 15 s for clients to leave and a successor to catch up.
      ...['--setParameter', 'shutdownTimeoutMillisForSignaledShutdown=500'],
      // How long a secondary goes on waiting for a member that fell silent before it follows another.
      ...['--setParameter', 'oplogNetworkTimeoutBufferSeconds=1'],
    ],
    answers: () =>
      directly(port, async (admin) => {
        const hello = await admin.command({ hello: 1 });
        if (!set.initiated) return;
        // After a restart it answers for its data only once it has found its set again.
        const alone = set.size === 1;
        if (hello.isWritablePrimary !== true && (alone || hello.secondary !== true)) {
          throw new Error('neither primary nor secondary yet');
        }
      }),
  });
  // Not a spread: `pid` is a getter, and changes with a restart.
  return Object.defineProperties(server as MongoServer, {
    uri: { value: uriOf([port]), enumerable: true },
    port: { value: port, enumerable: true },
  });
}

const uriOf = (ports: readonly number[]): string =>
  `mongodb://${ports.map((port) => `127.0.0.1:${port}`).join(',')}/?replicaSet=${REPLICA_SET}`;

async function findPrimary(members: readonly MongoServer[]): Promise<MongoServer> {
  const deadline = Date.now() + PRIMARY_TIMEOUT_MS;
  while (Date.now() < deadline) {
    // The first that says so: a member that is dead or paused takes 2 s to say nothing.
    const primary = await Promise.any(
      members.map(async (member) => {
        const hello = await directly(member.port, (admin) => admin.command({ hello: 1 }));
        if (hello.isWritablePrimary !== true) throw new Error('not the primary');
        return member;
      }),
    ).catch(() => undefined);
    if (primary !== undefined) return primary;
    await delay(50);
  }
  throw new Error(`no member became primary within ${PRIMARY_TIMEOUT_MS / 1000} s`);
}

/** Asks this one member, whatever its role in the set. */
async function directly<T = Document>(port: number, ask: (admin: Db) => Promise<T>): Promise<T> {
  const client = new MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`, {
    serverSelectionTimeoutMS: 2000,
    connectTimeoutMS: 2000,
    socketTimeoutMS: 10_000,
  });
  try {
    return await ask(client.db('admin'));
  } finally {
    await client.close();
  }
}
