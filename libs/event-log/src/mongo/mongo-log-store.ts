import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { MongoClient, MongoServerError, WriteConcern } from 'mongodb';
import type { Binary, ChangeStream, ClientSession, Collection, Db, Timestamp } from 'mongodb';
import type { RecordedEvent } from '@token-status/contracts';
import { genesisHash } from '../hash-chain.js';
import type {
  Checkpoints,
  CommandKey,
  CommitBatch,
  Head,
  Leases,
  LogStore,
  Plan,
  Plans,
  ReadOptions,
  StoredOutcome,
} from '../log-store.js';

export interface MongoLogStoreOptions {
  /** A replica set's; of one member too, since transactions and change streams need one. */
  readonly uri: string;
  readonly database: string;
  readonly onFault?: (fault: unknown) => void;
}

/** An event as it is stored: decision 1's `{_id: position, id, type, tags, data, ..., hash}`. */
interface EventDocument extends Omit<RecordedEvent, 'position'> {
  readonly _id: number;
}

const MAJORITY = new WriteConcern('majority', 5000, true);
const DUPLICATE_KEY = 11000;
const WRITE_CONFLICT = 112;
const MAX_TIME_EXPIRED = 50;

/** A writer's commit takes milliseconds: one that stands in the way for so long is dead, or as good as. */
const BLOCKED_MS = 500;
/** How long a lone insert waits behind somebody's open transaction before it gives up. */
const INSERT_MS = 1000;
/** How often a writer that is at work says so. */
const REGISTER_EVERY_MS = 10 * 60_000;
/** After which a writer that did not can have no transaction open any more; the server forgets it. */
const REGISTERED_S = 3600;

/** @throws MongoError where the database can't be reached; the caller tries again. */
export async function openMongoLogStore(options: MongoLogStoreOptions): Promise<LogStore> {
  const client = new MongoClient(options.uri, {
    appName: 'token-status-log',
    writeConcern: { w: 'majority', journal: true, wtimeoutMS: 5000 },
    readConcern: { level: 'majority' },
    readPreference: 'primary',
    serverSelectionTimeoutMS: 2000,
    connectTimeoutMS: 2000,
    // A member that was away is looked at again this often: it may be the next primary.
    heartbeatFrequencyMS: 1000,
    // A silent server must not hold a commit for ever; its outcome is then unknown, and sought.
    socketTimeoutMS: 3000,
  });
  try {
    await client.connect();
    const db = client.db(options.database);
    // A busy server may need longer for these than a commit may take; it goes on meanwhile.
    await makeIndexes(db).catch(() => makeIndexes(db));
    return new MongoLogStore(client, db, await epochOf(db), options.onFault);
  } catch (fault) {
    await client.close();
    throw fault;
  }
}

const makeIndexes = (db: Db): Promise<unknown> =>
  Promise.all([
    db.collection('events').createIndexes([
      { key: { id: 1 }, name: 'once', unique: true },
      { key: { tags: 1, _id: 1 }, name: 'by-tag' },
    ]),
    db
      .collection('outcomes')
      .createIndexes([{ key: { caller: 1, key: 1 }, name: 'once', unique: true }]),
    db
      .collection('writers')
      .createIndexes([{ key: { at: 1 }, name: 'gone', expireAfterSeconds: REGISTERED_S }]),
  ]);

/** Written by whoever comes first; every later one reads the same. */
async function epochOf(db: Db): Promise<string> {
  const meta = db.collection<{ _id: string; epoch: string }>('meta');
  try {
    await meta.updateOne(
      { _id: 'log' },
      { $setOnInsert: { epoch: randomBytes(16).toString('hex') } },
      { upsert: true },
    );
  } catch (fault) {
    if (!isServerError(fault, DUPLICATE_KEY)) throw fault;
  }
  const found = await meta.findOne({ _id: 'log' });
  if (!found) throw new Error('the log has no epoch');
  return found.epoch;
}

class MongoLogStore implements LogStore {
  readonly leases: Leases;
  readonly checkpoints: Checkpoints;
  readonly plans: Plans;
  readonly #client: MongoClient;
  readonly #events: Collection<EventDocument>;
  readonly #outcomes: Collection<StoredOutcome>;
  readonly #fences: Collection<{ _id: string; writes: number }>;
  readonly #wakeUps: AppendWakeUps;
  readonly #transactions: WriterTransactions;
  /** Since when which place, a position or a command, could not be written though nobody is there. */
  #blocked: { readonly at: number | string | undefined; readonly since: number } | null = null;
  /** When this store's newest write was: reads come after it, even from another primary. */
  #written: Timestamp | undefined;

  constructor(
    client: MongoClient,
    db: Db,
    readonly epoch: string,
    onFault: ((fault: unknown) => void) | undefined,
  ) {
    this.#client = client;
    this.#events = db.collection('events');
    this.#outcomes = db.collection('outcomes');
    this.#fences = db.collection('fences');
    this.leases = mongoLeases(db);
    this.checkpoints = mongoCheckpoints(db);
    this.plans = mongoPlans(db);
    this.#wakeUps = new AppendWakeUps(this.#events, onFault);
    this.#transactions = new WriterTransactions(client, db);
  }

  fence(): Promise<Head> {
    return this.#inSession(async (session) => {
      await this.#fences.updateOne(
        { _id: 'fence' },
        { $inc: { writes: 1 } },
        { upsert: true, session },
      );
      this.#noteWrite(session);
      const newest = await this.#events.findOne(
        {},
        { sort: { _id: -1 }, projection: { hash: 1 }, session },
      );
      return newest
        ? { position: newest._id, hash: newest.hash }
        : { position: 0, hash: genesisHash(this.epoch) };
    });
  }

  async commit({ events, outcomes }: CommitBatch): Promise<'committed' | 'lost'> {
    const documents = events.map(toDocument);
    const [only] = documents;
    try {
      if (only && documents.length === 1 && outcomes.length === 0) {
        await this.#inSession(async (session) => {
          await this.#events.insertOne(only, { session, maxTimeMS: INSERT_MS });
          this.#noteWrite(session);
        });
      } else {
        await this.#transactions.run(async (session) => {
          if (documents.length > 0) await this.#events.insertMany(documents, { session });
          if (outcomes.length > 0) {
            await this.#outcomes.insertMany(
              outcomes.map((outcome) => ({ ...outcome })),
              { session },
            );
          }
        });
        this.#noteWrite(this.#transactions.session);
      }
    } catch (fault) {
      if (isServerError(fault, WRITE_CONFLICT, MAX_TIME_EXPIRED)) {
        await this.#unblock(only?._id ?? outcomes[0]?.commandId);
      }
      if (isServerError(fault, DUPLICATE_KEY, WRITE_CONFLICT)) return 'lost';
      throw fault;
    }
    this.#blocked = null;
    this.#wakeUps.ring();
    return 'committed';
  }

  read(
    after: number,
    limit: number,
    { upTo, tags }: ReadOptions = {},
  ): Promise<readonly RecordedEvent[]> {
    return this.#inSession(async (session) => {
      const found = await this.#events
        .find(
          {
            _id: { $gt: after, ...(upTo === undefined ? {} : { $lte: upTo }) },
            ...(tags ? { tags: { $in: [...tags] } } : {}),
          },
          { sort: { _id: 1 }, limit, batchSize: limit + 1, session },
        )
        .toArray();
      return found.map(toEvent);
    });
  }

  readByIds(ids: readonly string[]): Promise<readonly RecordedEvent[]> {
    return this.#inSession(async (session) => {
      const found = await this.#events
        .find({ id: { $in: [...ids] } }, { sort: { _id: 1 }, session })
        .toArray();
      return found.map(toEvent);
    });
  }

  async outcomes(keys: readonly CommandKey[]): Promise<readonly StoredOutcome[]> {
    if (keys.length === 0) return [];
    return this.#inSession((session) =>
      this.#outcomes.find({ $or: byCaller(keys) }, { projection: { _id: 0 }, session }).toArray(),
    );
  }

  onAppend(listener: () => void): () => void {
    return this.#wakeUps.subscribe(listener);
  }

  async close(): Promise<void> {
    await this.#wakeUps.close();
    await this.#transactions.close();
    await this.#client.close();
  }

  /** Causally after this store's newest write: a deposed primary can't answer with less. */
  async #inSession<T>(work: (session: ClientSession) => Promise<T>): Promise<T> {
    const session = this.#client.startSession({ causalConsistency: true });
    try {
      if (this.#written) session.advanceOperationTime(this.#written);
      return await work(session);
    } finally {
      await session.endSession();
    }
  }

  /**
   * A writer that was killed between its inserts and its commit keeps its place locked until the server
   * ends the transaction, by default after a minute. Nobody's event is there to be read meanwhile, so
   * every other writer waits; the first that has waited long enough ends it.
   */
  async #unblock(at: number | string | undefined): Promise<void> {
    const now = performance.now();
    if (!this.#blocked || this.#blocked.at !== at) this.#blocked = { at, since: now };
    if (now - this.#blocked.since < BLOCKED_MS) return;
    this.#blocked = null;
    await this.#transactions.endOthers();
  }

  #noteWrite(session: ClientSession): void {
    const time = session.operationTime;
    if (time && (!this.#written || time.greaterThan(this.#written))) this.#written = time;
  }
}

/** One clause for each caller: a clause for each key is planned one by one, and a bulk command has thousands. */
function byCaller(keys: readonly CommandKey[]): { caller: string; key: { $in: string[] } }[] {
  const callers = new Map<string, string[]>();
  for (const { caller, key } of keys) {
    const own = callers.get(caller);
    if (own) own.push(key);
    else callers.set(caller, [key]);
  }
  return [...callers].map(([caller, own]) => ({ caller, key: { $in: own } }));
}

const toDocument = ({ position, ...event }: RecordedEvent): EventDocument => ({
  _id: position,
  ...event,
});

const toEvent = ({ _id, ...event }: EventDocument): RecordedEvent => ({
  position: _id,
  id: event.id,
  type: event.type,
  schemaVersion: event.schemaVersion,
  tags: event.tags,
  data: event.data,
  traceparent: event.traceparent,
  hash: event.hash,
});

const isServerError = (fault: unknown, ...codes: readonly number[]): boolean =>
  fault instanceof MongoServerError && codes.some((code) => fault.code === code);

/**
 * The transactions of this process's writer, one at a time, in a session that the log's database knows
 * of: so another writer can end what this one leaves open when it dies. Ending a living writer's
 * transaction does no harm: its outcome is then unknown to it, and sought (`precise.md` 2).
 */
class WriterTransactions {
  readonly #client: MongoClient;
  readonly #writers: Collection<{ _id: Binary; at: Date }>;
  #session: ClientSession;
  #registeredAt = -Infinity;

  constructor(client: MongoClient, db: Db) {
    this.#client = client;
    this.#writers = db.collection('writers');
    this.#session = client.startSession();
  }

  get session(): ClientSession {
    return this.#session;
  }

  /** Not `withTransaction`, which would try a lost race again blindly (`precise.md` 1). */
  async run(work: (session: ClientSession) => Promise<void>): Promise<void> {
    if (performance.now() - this.#registeredAt > REGISTER_EVERY_MS) await this.#register();
    const session = this.#session;
    try {
      session.startTransaction({ writeConcern: MAJORITY });
      try {
        await work(session);
      } catch (fault) {
        // What the server did not hear of ends by itself; the first fault is the one to tell.
        await session.abortTransaction().catch(() => undefined);
        throw fault;
      }
      await session.commitTransaction();
    } catch (fault) {
      if (!isServerError(fault, DUPLICATE_KEY, WRITE_CONFLICT)) await this.#renew();
      throw fault;
    }
  }

  async endOthers(): Promise<void> {
    const others = await this.#writers.find({ _id: { $ne: this.#id() } }).toArray();
    const sessions = others.map(({ _id }) => ({ id: _id }));
    if (sessions.length > 0) await this.#client.db('admin').command({ killSessions: sessions });
  }

  async close(): Promise<void> {
    await this.#writers.deleteOne({ _id: this.#id() }).catch(() => undefined);
    await this.#session.endSession();
  }

  /** Outside of any transaction, and before the first: else nobody could know of it. */
  async #register(): Promise<void> {
    const id = this.#id();
    await this.#writers.updateOne({ _id: id }, { $currentDate: { at: true } }, { upsert: true });
    this.#registeredAt = performance.now();
  }

  #id(): Binary {
    const id = this.#session.id?.id;
    if (!id) throw new Error('the session has ended');
    return id;
  }

  /** After an unknown outcome the session may be in any state, or ended by another writer. */
  async #renew(): Promise<void> {
    await this.#session.endSession().catch(() => undefined);
    this.#session = this.#client.startSession();
    this.#registeredAt = -Infinity;
  }
}

/**
 * Hints that somebody appended: this process's own at once, others' by a change stream, which is
 * opened for the first listener and opened again, with back-off, whenever it is lost. No resume
 * token is kept: whoever is woken reads the log by position.
 */
class AppendWakeUps {
  readonly #listeners = new Set<() => void>();
  readonly #events: Collection<EventDocument>;
  readonly #onFault: ((fault: unknown) => void) | undefined;
  readonly #closing = new AbortController();
  #stream: ChangeStream | null = null;
  #watching: Promise<void> | null = null;

  constructor(events: Collection<EventDocument>, onFault: ((fault: unknown) => void) | undefined) {
    this.#events = events;
    this.#onFault = onFault;
  }

  ring(): void {
    for (const listener of this.#listeners) listener();
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    this.#watching ??= this.#watch();
    return () => void this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#stream?.close().catch(() => undefined);
    await this.#watching;
  }

  async #watch(): Promise<void> {
    const { signal } = this.#closing;
    const ended = (): boolean => signal.aborted;
    for (let failures = 0; !ended(); failures++) {
      try {
        const stream = this.#events.watch(
          [{ $match: { operationType: 'insert' } }, { $project: { _id: 1 } }],
          { maxAwaitTimeMS: 1000 },
        );
        this.#stream = stream;
        // The first look opens it at the server. What was appended before that, it does not tell of.
        await stream.tryNext();
        failures = 0;
        this.ring();
        while (!ended()) {
          await stream.next();
          this.ring();
        }
      } catch (fault) {
        if (ended()) return;
        this.#onFault?.(fault);
      }
      await this.#stream?.close().catch(() => undefined);
      await delay(Math.random() * Math.min(5000, 100 * 2 ** Math.min(failures, 6)), undefined, {
        signal,
      }).catch(() => undefined);
    }
  }
}

/** By the database's clock (`$$NOW`): holders' clocks don't matter. */
function mongoLeases(db: Db): Leases {
  const leases = db.collection<{ _id: string; holder: string; term: number; until: Date }>(
    'leases',
  );
  return {
    async acquire(name, holder, ttlMs) {
      const take = (): Promise<{ term: number } | null> =>
        leases.findOneAndUpdate(
          { _id: name, $or: [{ holder }, { $expr: { $lte: ['$until', '$$NOW'] } }] },
          [
            {
              $set: {
                term: {
                  $cond: [
                    { $eq: ['$holder', { $literal: holder }] },
                    '$term',
                    { $add: ['$term', 1] },
                  ],
                },
                holder: { $literal: holder },
                until: { $add: ['$$NOW', ttlMs] },
              },
            },
          ],
          { returnDocument: 'after', projection: { term: 1 } },
        );
      const taken = await take();
      if (taken) return taken.term;
      try {
        await leases.insertOne({ _id: name, holder: '', term: 0, until: new Date(0) });
      } catch (fault) {
        if (isServerError(fault, DUPLICATE_KEY)) return null;
        throw fault;
      }
      return (await take())?.term ?? null;
    },
    async release(name, holder) {
      await leases.updateOne({ _id: name, holder }, { $set: { until: new Date(0), holder: '' } });
    },
  };
}

function mongoCheckpoints(db: Db): Checkpoints {
  const checkpoints = db.collection<{ _id: string; position: number; term: number }>('checkpoints');
  return {
    async load(name) {
      return (await checkpoints.findOne({ _id: name }))?.position ?? 0;
    },
    async store(name, position, term) {
      try {
        const { matchedCount, upsertedCount } = await checkpoints.updateOne(
          { _id: name, term: { $lte: term }, position: { $lte: position } },
          { $set: { position, term } },
          { upsert: true },
        );
        return matchedCount + upsertedCount > 0;
      } catch (fault) {
        // There is one, of a later term or a later position.
        if (isServerError(fault, DUPLICATE_KEY)) return false;
        throw fault;
      }
    },
  };
}

function mongoPlans(db: Db): Plans {
  const plans = db.collection<{ _id: { caller: string; key: string }; items: readonly string[] }>(
    'plans',
  );
  const find: Plans['find'] = async ({ caller, key }) => {
    const found = await plans.findOne({ _id: { caller, key } });
    return found && { caller, key, items: found.items };
  };
  return {
    find,
    async settle({ caller, key, items }): Promise<Plan> {
      try {
        await plans.updateOne(
          { _id: { caller, key } },
          { $setOnInsert: { items: [...items] } },
          { upsert: true },
        );
      } catch (fault) {
        // Somebody else's came in at the same moment.
        if (!isServerError(fault, DUPLICATE_KEY)) throw fault;
      }
      const held = await find({ caller, key });
      if (!held) throw new Error('a plan that was settled is not there');
      return held;
    },
  };
}
