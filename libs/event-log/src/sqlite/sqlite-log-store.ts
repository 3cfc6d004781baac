import { randomBytes } from 'node:crypto';
import Database from 'libsql';
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

export interface SqliteLogStoreOptions {
  /** Made where it is missing; its folder must be there. */
  readonly file: string;
  /** How often to look whether another process appended, while somebody listens. */
  readonly pollMs?: number;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS events (
    position INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    tags TEXT NOT NULL,
    data TEXT NOT NULL,
    traceparent TEXT,
    hash TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS event_tags (
    tag TEXT NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (tag, position)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS outcomes (
    caller TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, command_id TEXT NOT NULL,
    result TEXT NOT NULL, events INTEGER NOT NULL, refusal TEXT NOT NULL, position INTEGER NOT NULL,
    PRIMARY KEY (caller, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS leases (
    name TEXT PRIMARY KEY, holder TEXT NOT NULL, term INTEGER NOT NULL, until INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS checkpoints (
    name TEXT PRIMARY KEY, position INTEGER NOT NULL, term INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS plans (
    caller TEXT NOT NULL, key TEXT NOT NULL, items TEXT NOT NULL, PRIMARY KEY (caller, key)
  ) STRICT, WITHOUT ROWID;
`;

/**
 * The log in one SQLite file: the embedded default. A commit is on the disk (WAL, `synchronous=FULL`)
 * before it resolves. The driver is synchronous, so a call holds the process for as long as it takes.
 */
export function openSqliteLogStore({ file, pollMs = 50 }: SqliteLogStoreOptions): LogStore {
  const db = new Database(file);
  db.exec('PRAGMA busy_timeout = 5000');
  db.exec('PRAGMA journal_mode = WAL');
  db.exec('PRAGMA synchronous = FULL');
  db.exec(SCHEMA);
  return new SqliteLogStore(db, epochOf(db), pollMs);
}

function epochOf(db: Database.Database): string {
  db.prepare(`INSERT OR IGNORE INTO meta VALUES ('epoch', ?)`).run(randomBytes(16).toString('hex'));
  const { value } = db.prepare(`SELECT value FROM meta WHERE name = 'epoch'`).get() as {
    value: string;
  };
  return value;
}

interface EventRow {
  readonly position: number;
  readonly id: string;
  readonly type: string;
  readonly schema_version: number;
  readonly tags: string;
  readonly data: string;
  readonly traceparent: string | null;
  readonly hash: string;
}

interface OutcomeRow {
  readonly caller: string;
  readonly key: string;
  readonly fingerprint: string;
  readonly command_id: string;
  readonly result: StoredOutcome['result'];
  readonly events: number;
  readonly refusal: string;
  readonly position: number;
}

/** Prepared once: a statement takes longer to prepare than to run. */
const statementsOf = (db: Database.Database) => ({
  newest: db.prepare('SELECT position, hash FROM events ORDER BY position DESC LIMIT 1'),
  insertEvent: db.prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)'),
  insertTag: db.prepare('INSERT OR IGNORE INTO event_tags VALUES (?, ?)'),
  insertOutcome: db.prepare('INSERT INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?, ?)'),
  read: db.prepare(
    'SELECT * FROM events WHERE position > ? AND position <= ? ORDER BY position LIMIT ?',
  ),
  readByTags: db.prepare(
    `SELECT * FROM events WHERE position IN (
       SELECT DISTINCT position FROM event_tags
       WHERE tag IN (SELECT value FROM json_each(?)) AND position > ? AND position <= ?
       ORDER BY position LIMIT ?)
     ORDER BY position`,
  ),
  readByIds: db.prepare(
    'SELECT * FROM events WHERE id IN (SELECT value FROM json_each(?)) ORDER BY position',
  ),
  outcome: db.prepare('SELECT * FROM outcomes WHERE caller = ? AND key = ?'),
  dataVersion: db.prepare('PRAGMA data_version'),
});

class SqliteLogStore implements LogStore {
  readonly leases: Leases;
  readonly checkpoints: Checkpoints;
  readonly plans: Plans;
  readonly #db: Database.Database;
  readonly #statements: ReturnType<typeof statementsOf>;
  readonly #pollMs: number;
  readonly #listeners = new Set<() => void>();
  #poll: NodeJS.Timeout | null = null;
  #seen = 0;

  constructor(
    db: Database.Database,
    readonly epoch: string,
    pollMs: number,
  ) {
    this.#db = db;
    this.#statements = statementsOf(db);
    this.#pollMs = pollMs;
    this.leases = sqliteLeases(db);
    this.checkpoints = sqliteCheckpoints(db);
    this.plans = sqlitePlans(db);
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a fault of the driver must reject
  async fence(): Promise<Head> {
    return immediately(this.#db, () => {
      // Taking the write lock is the fence: every commit before this call is seen, none is under way.
      const newest = this.#statements.newest.get() as Head | undefined;
      return newest
        ? { position: newest.position, hash: newest.hash }
        : { position: 0, hash: genesisHash(this.epoch) };
    });
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a fault of the driver must reject
  async commit({ events, outcomes }: CommitBatch): Promise<'committed' | 'lost'> {
    const { insertEvent, insertTag, insertOutcome } = this.#statements;
    try {
      immediately(this.#db, () => {
        for (const event of events) {
          insertEvent.run(
            event.position,
            event.id,
            event.type,
            event.schemaVersion,
            JSON.stringify(event.tags),
            JSON.stringify(event.data),
            event.traceparent,
            event.hash,
          );
          for (const tag of event.tags) insertTag.run(tag, event.position);
        }
        for (const outcome of outcomes) {
          insertOutcome.run(
            outcome.caller,
            outcome.key,
            outcome.fingerprint,
            outcome.commandId,
            outcome.result,
            outcome.events,
            JSON.stringify(outcome.refusal),
            outcome.position,
          );
        }
      });
    } catch (fault) {
      if (isConstraint(fault)) return 'lost';
      throw fault;
    }
    this.#ring();
    return 'committed';
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a fault of the driver must reject
  async read(
    after: number,
    limit: number,
    { upTo = Number.MAX_SAFE_INTEGER, tags }: ReadOptions = {},
  ): Promise<readonly RecordedEvent[]> {
    const rows = tags
      ? this.#statements.readByTags.all(JSON.stringify(tags), after, upTo, limit)
      : this.#statements.read.all(after, upTo, limit);
    return (rows as EventRow[]).map(toEvent);
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a fault of the driver must reject
  async readByIds(ids: readonly string[]): Promise<readonly RecordedEvent[]> {
    const rows = this.#statements.readByIds.all(JSON.stringify(ids));
    return (rows as EventRow[]).map(toEvent);
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a fault of the driver must reject
  async outcomes(keys: readonly CommandKey[]): Promise<readonly StoredOutcome[]> {
    return keys.flatMap(({ caller, key }) => {
      const row = this.#statements.outcome.get(caller, key) as OutcomeRow | undefined;
      return row ? [toOutcome(row)] : [];
    });
  }

  onAppend(listener: () => void): () => void {
    this.#listeners.add(listener);
    this.#poll ??= setInterval(() => this.#look(), this.#pollMs).unref();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#stopPolling();
    };
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- the port's other adapter waits here
  async close(): Promise<void> {
    this.#stopPolling();
    if (this.#db.open) this.#db.close();
  }

  #ring(): void {
    for (const listener of this.#listeners) listener();
  }

  /** `data_version` changes when another connection has committed. */
  #look(): void {
    try {
      const { data_version: version } = this.#statements.dataVersion.get() as {
        data_version: number;
      };
      if (version === this.#seen) return;
      this.#seen = version;
    } catch {
      // Called by a timer: a file that is busy must not end the process. The next look may see.
      return;
    }
    this.#ring();
  }

  #stopPolling(): void {
    if (this.#poll) clearInterval(this.#poll);
    this.#poll = null;
  }
}

/** In a transaction that holds the write lock from its beginning. */
function immediately<T>(db: Database.Database, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (fault) {
    if (db.inTransaction) db.exec('ROLLBACK');
    throw fault;
  }
}

const isConstraint = (fault: unknown): boolean =>
  fault instanceof Error && 'code' in fault && String(fault.code).startsWith('SQLITE_CONSTRAINT');

const toEvent = (row: EventRow): RecordedEvent => ({
  position: row.position,
  id: row.id,
  type: row.type,
  schemaVersion: row.schema_version,
  tags: JSON.parse(row.tags) as string[],
  data: JSON.parse(row.data) as Record<string, unknown>,
  traceparent: row.traceparent,
  hash: row.hash,
});

const toOutcome = (row: OutcomeRow): StoredOutcome => ({
  caller: row.caller,
  key: row.key,
  fingerprint: row.fingerprint,
  commandId: row.command_id,
  result: row.result,
  events: row.events,
  refusal: JSON.parse(row.refusal) as unknown,
  position: row.position,
});

/** The file is on one machine, so that machine's clock is the database's. */
function sqliteLeases(db: Database.Database): Leases {
  return {
    // eslint-disable-next-line @typescript-eslint/require-await -- a fault of the driver must reject
    async acquire(name, holder, ttlMs) {
      const now = Date.now();
      const taken = db
        .prepare(
          `INSERT INTO leases VALUES (:name, :holder, 1, :until)
           ON CONFLICT (name) DO UPDATE SET
             term = CASE WHEN holder = :holder THEN term ELSE term + 1 END,
             holder = :holder, until = :until
           WHERE holder = :holder OR until <= :now
           RETURNING term`,
        )
        .get({ name, holder, until: now + ttlMs, now }) as { term: number } | undefined;
      return taken?.term ?? null;
    },
    // eslint-disable-next-line @typescript-eslint/require-await -- a fault of the driver must reject
    async release(name, holder) {
      db.prepare(`UPDATE leases SET until = 0, holder = '' WHERE name = ? AND holder = ?`).run(
        name,
        holder,
      );
    },
  };
}

function sqliteCheckpoints(db: Database.Database): Checkpoints {
  return {
    // eslint-disable-next-line @typescript-eslint/require-await -- a fault of the driver must reject
    async load(name) {
      const row = db.prepare('SELECT position FROM checkpoints WHERE name = ?').get(name) as
        { position: number } | undefined;
      return row?.position ?? 0;
    },
    // eslint-disable-next-line @typescript-eslint/require-await -- a fault of the driver must reject
    async store(name, position, term) {
      const { changes } = db
        .prepare(
          `INSERT INTO checkpoints VALUES (:name, :position, :term)
           ON CONFLICT (name) DO UPDATE SET position = :position, term = :term
           WHERE term <= :term AND position <= :position`,
        )
        .run({ name, position, term });
      return changes > 0;
    },
  };
}

function sqlitePlans(db: Database.Database): Plans {
  const find = ({ caller, key }: Pick<Plan, 'caller' | 'key'>): Plan | null => {
    const row = db
      .prepare('SELECT items FROM plans WHERE caller = ? AND key = ?')
      .get(caller, key) as { items: string } | undefined;
    return row ? { caller, key, items: JSON.parse(row.items) as string[] } : null;
  };
  return {
    // eslint-disable-next-line @typescript-eslint/require-await -- a fault of the driver must reject
    find: async (key) => find(key),
    // eslint-disable-next-line @typescript-eslint/require-await -- a fault of the driver must reject
    async settle(plan) {
      const { caller, key, items } = plan;
      db.prepare('INSERT OR IGNORE INTO plans VALUES (?, ?, ?)').run(
        caller,
        key,
        JSON.stringify(items),
      );
      return find(plan) ?? plan;
    },
  };
}
