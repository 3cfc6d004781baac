import { MongoClient, MongoServerError } from 'mongodb';
import type { Admin, ClientSession, Collection, FindCursor, ServerSessionId } from 'mongodb';
import type { Instant } from '@token-status/domain';
import type { BusRecord } from '@token-status/event-bus';
import type { ParkedRecord } from '../parked-record.js';
import type { ProjectorStep } from '../steps.js';
import { viewOf } from '../token-row.js';
import type { TokenRow } from '../token-row.js';
import { NOT_STARTED, positionOf } from '../token-status-repository.js';
import type {
  Checkpoint,
  SourceFact,
  Step,
  TokenStatusRepository,
} from '../token-status-repository.js';
import { searchIn } from '../token-search.js';
import type { DueToken, Place, SearchSource, TokenPage, TokenSearch } from '../token-search.js';
import type { TokenView } from '../token-view.js';
import { dueFilter, NEWEST_FIRST, searchFilter, TOKEN_INDEXES } from './queries.js';
import type { TokenDocument } from './queries.js';

export interface MongoReadModelOptions {
  /** A replica set's; of one member too, since transactions need one. */
  readonly uri: string;
  readonly database: string;
  /** Called between the writes of a transaction, so that a test can end the process there. */
  readonly onStep?: (step: ProjectorStep) => void;
}

interface CheckpointDocument {
  readonly _id: number;
  readonly nextOffset?: bigint;
  readonly heartbeatPosition?: number;
}

interface ParkedDocument extends Omit<ParkedRecord, 'record'> {
  /** Partition and offset: a record that is parked again is the same one. */
  readonly _id: string;
  /** As JSON: headers may have names that a document's fields can't have. */
  readonly record: string;
}

/** Who writes a partition: the session that its transactions run in. Never written in one. */
interface HolderDocument {
  readonly _id: number;
  readonly session: ServerSessionId;
}

interface SourceDocument {
  readonly _id: SourceFact;
  readonly value: string;
}

const DUPLICATE_KEY = 11000;
/** After which a step is given up, to be tried again by whoever delivers. */
const APPLY_TIMEOUT_MS = 15_000;
/** A search that takes longer is ended by the server too; below the socket's own patience. */
const SEARCH_TIMEOUT_MS = 2500;

/** @throws MongoError where the database can't be reached; the caller tries again. */
export async function openMongoReadModel(
  options: MongoReadModelOptions,
): Promise<TokenStatusRepository> {
  const client = new MongoClient(options.uri, {
    appName: 'token-status-read-model',
    writeConcern: { w: 'majority', journal: true, wtimeoutMS: 5000 },
    readConcern: { level: 'majority' },
    readPreference: 'primary',
    serverSelectionTimeoutMS: 2000,
    connectTimeoutMS: 2000,
    // A member that was away is looked at again this often: it may be the next primary.
    heartbeatFrequencyMS: 1000,
    socketTimeoutMS: 3000,
  });
  try {
    await client.connect();
    const repository = new MongoReadModel(client, options);
    // A busy server may need longer for this than another request may take; it goes on meanwhile.
    await repository.prepare().catch(() => repository.prepare());
    return repository;
  } catch (fault) {
    await client.close();
    throw fault;
  }
}

class MongoReadModel implements TokenStatusRepository {
  readonly #client: MongoClient;
  readonly #onStep: (step: ProjectorStep) => void;
  readonly #tokens: Collection<TokenDocument>;
  readonly #checkpoints: Collection<CheckpointDocument>;
  readonly #parked: Collection<ParkedDocument>;
  readonly #source: Collection<SourceDocument>;
  readonly #holders: Collection<HolderDocument>;
  readonly #admin: Admin;
  /** One for each partition, so that a transaction is ended by the next one in it, come what may. */
  readonly #sessions = new Map<number, ClientSession>();

  constructor(client: MongoClient, { database, onStep }: MongoReadModelOptions) {
    const db = client.db(database);
    this.#client = client;
    this.#onStep = onStep ?? (() => undefined);
    this.#tokens = db.collection('tokens');
    // Offsets are 64 bits wide, and stay so.
    this.#checkpoints = db.collection('checkpoints', { useBigInt64: true });
    this.#parked = db.collection('parked', { useBigInt64: true });
    this.#source = db.collection('source');
    this.#holders = db.collection('holders');
    this.#admin = db.admin();
  }

  /**
   * Makes the collections too, which a transaction had better not. Nothing here may want a collection for
   * itself where all is there already: a projector that died may have left a transaction open in it, which
   * ends only once this one has opened (`take`).
   */
  async prepare(): Promise<void> {
    await this.#tokens.createIndexes([...TOKEN_INDEXES]);
    await this.#parked.createIndexes([{ key: { tokenId: 1, offset: 1 }, name: 'by-token' }]);
    await this.advance(new Map([[0, 0]]));
  }

  async get(tokenId: string): Promise<TokenView | null> {
    const found = await this.#tokens.findOne({ _id: tokenId });
    return found && viewOf(toRow(found));
  }

  async listByUser(userId: string): Promise<readonly TokenView[]> {
    const found = await this.#tokens
      .find({ 'token.userId': userId }, { sort: NEWEST_FIRST })
      .toArray();
    return found.map((document) => viewOf(toRow(document))).filter((view) => view !== null);
  }

  search(query: TokenSearch): Promise<TokenPage> {
    return searchIn(this.#searchSource, query);
  }

  readonly #searchSource: SearchSource = {
    rows: async (query, after, limit) =>
      (await this.#find(query, after, limit).toArray()).map(toRow),
    names: async (query, after, limit) => {
      const found = await this.#find(query, after, limit)
        .project<{ _id: string; token: { createdAt: Instant }; texts: { name: string | null } }>({
          'token.createdAt': 1,
          'texts.name': 1,
        })
        .toArray();
      return found.map(({ _id, token, texts }) => ({
        id: _id,
        createdAt: token.createdAt,
        name: texts.name,
      }));
    },
    load: (ids) => this.load(ids),
  };

  #find(query: TokenSearch, after: Place | null, limit: number): FindCursor<TokenDocument> {
    return this.#tokens.find(searchFilter(query, after), {
      sort: NEWEST_FIRST,
      limit,
      batchSize: limit + 1,
      maxTimeMS: SEARCH_TIMEOUT_MS,
    });
  }

  async due(at: Instant, limit: number): Promise<readonly DueToken[]> {
    const found = await this.#tokens
      .find(dueFilter(at), {
        sort: { 'token.disabled.until': 1, _id: 1 },
        limit,
        maxTimeMS: SEARCH_TIMEOUT_MS,
      })
      .project<{ _id: string; token: { disabled: { version: number; until: Instant } } }>({
        'token.disabled': 1,
      })
      .toArray();
    return found.map(({ _id, token: { disabled } }) => ({
      tokenId: _id,
      disabledAtVersion: disabled.version,
      until: disabled.until,
    }));
  }

  async position(): Promise<number> {
    const partitions = await this.#source.findOne({ _id: 'partitions' });
    return partitions ? positionOf(Number(partitions.value), await this.checkpoints()) : 0;
  }

  async settle(fact: SourceFact, value: string): Promise<string> {
    const settle = (): Promise<SourceDocument | null> =>
      this.#source.findOneAndUpdate(
        { _id: fact },
        { $setOnInsert: { value } },
        { upsert: true, returnDocument: 'after' },
      );
    const settled = await settle().catch((fault: unknown) => {
      // Somebody else noted it at the same moment.
      if (isDuplicate(fault)) return settle();
      throw fault;
    });
    if (!settled) throw new Error(`no ${fact} was there after it had been noted`);
    return settled.value;
  }

  async checkpoints(): Promise<ReadonlyMap<number, Checkpoint>> {
    const found = await this.#checkpoints.find().toArray();
    return new Map(
      found.map(({ _id, nextOffset, heartbeatPosition }) => [
        _id,
        { nextOffset: nextOffset ?? null, heartbeatPosition: heartbeatPosition ?? 0 },
      ]),
    );
  }

  /**
   * The server keeps an open transaction, and its locks, for a minute after its client has died. So a
   * partition's next holder ends its predecessor's session; if that lives, its transaction is begun again
   * and finds itself overtaken.
   */
  async take(partition: number): Promise<Checkpoint> {
    const session = this.#session(partition);
    const before = await this.#holders.findOneAndUpdate(
      { _id: partition },
      { $set: { session: sessionId(session) } },
      { upsert: true, returnDocument: 'before' },
    );
    if (before && before.session.id.toString('hex') !== sessionId(session).id.toString('hex')) {
      await this.#admin.command({ killSessions: [before.session] });
    }
    return (await this.checkpoints()).get(partition) ?? NOT_STARTED;
  }

  #session(partition: number): ClientSession {
    let session = this.#sessions.get(partition);
    if (!session) this.#sessions.set(partition, (session = this.#client.startSession()));
    return session;
  }

  async load(tokenIds: readonly string[]): Promise<ReadonlyMap<string, TokenRow>> {
    const found = await this.#tokens.find({ _id: { $in: [...tokenIds] } }).toArray();
    return new Map(found.map((document) => [document._id, toRow(document)]));
  }

  async apply(step: Step): Promise<'applied' | 'overtaken'> {
    const session = this.#session(step.partition);
    if (session.inTransaction()) {
      throw new Error(`partition ${step.partition} is being written here already`);
    }
    // Doing it again after a lost conflict or commit is safe: the offset is the condition.
    return session.withTransaction(() => this.#applyIn(session, step), {
      timeoutMS: APPLY_TIMEOUT_MS,
    });
  }

  async #applyIn(session: ClientSession, step: Step): Promise<'applied' | 'overtaken'> {
    const { partition, from, nextOffset, heartbeatPosition, rows, parked } = step;
    const stored = await this.#checkpoints.findOne({ _id: partition }, { session });
    if ((stored?.nextOffset ?? null) !== from) return 'overtaken';
    await this.#checkpoints.updateOne(
      { _id: partition },
      { $set: { nextOffset }, $max: { heartbeatPosition } },
      { upsert: true, session },
    );
    this.#onStep('projector.offset-written');
    if (rows.length > 0) {
      await this.#tokens.bulkWrite(
        rows.map((row) => {
          const { _id, ...replacement } = toDocument(row);
          // Below the stored version nothing matches, so this would insert a second one and fails.
          const filter = { _id, version: { $lte: replacement.version } };
          return { replaceOne: { filter, replacement, upsert: true } };
        }),
        { ordered: false, session },
      );
    }
    if (parked.length > 0) {
      await this.#parked.bulkWrite(
        parked.map(({ record, ...rest }) => {
          const filter = { _id: `${rest.partition}/${rest.offset}` };
          const replacement = { ...rest, record: JSON.stringify(record) };
          return { replaceOne: { filter, replacement, upsert: true } };
        }),
        { ordered: false, session },
      );
    }
    this.#onStep('projector.rows-written');
    return 'applied';
  }

  async advance(heartbeatPositions: ReadonlyMap<number, number>): Promise<void> {
    if (heartbeatPositions.size === 0) return;
    await this.#checkpoints.bulkWrite(
      [...heartbeatPositions].map(([partition, position]) => ({
        updateOne: {
          filter: { _id: partition },
          update: { $max: { heartbeatPosition: position } },
          upsert: true,
        },
      })),
      { ordered: false },
    );
  }

  async parked(limit = 1000): Promise<readonly ParkedRecord[]> {
    const found = await this.#parked
      .find({}, { sort: { partition: 1, offset: 1 }, limit })
      .project<Omit<ParkedDocument, '_id'>>({ _id: 0 })
      .toArray();
    return found.map(({ record, ...rest }) => ({
      ...rest,
      record: JSON.parse(record) as BusRecord,
    }));
  }

  parkedCount(): Promise<number> {
    return this.#parked.countDocuments();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map((session) => session.endSession()));
    await this.#client.close();
  }
}

const toDocument = ({ id, ...row }: TokenRow): TokenDocument => ({
  _id: id,
  version: row.token?.version ?? 0,
  ...row,
});

const toRow = ({ _id, token, texts, eventId, position, parked }: TokenDocument): TokenRow => ({
  id: _id,
  token,
  texts,
  eventId,
  position,
  parked,
});

const sessionId = ({ id }: ClientSession): ServerSessionId => {
  if (!id) throw new Error('the session has ended');
  return id;
};

const isDuplicate = (fault: unknown): boolean =>
  fault instanceof MongoServerError && fault.code === DUPLICATE_KEY;
