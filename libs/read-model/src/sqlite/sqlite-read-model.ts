import Database from 'libsql';
import type { Instant } from '@token-status/domain';
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
import { dueWhere, NEWEST_FIRST, searchWhere, TOKEN_INDEXES } from './queries.js';

export interface SqliteReadModelOptions {
  /** Made where it is missing; its folder must be there. */
  readonly file: string;
  /** Called between the writes of a transaction, so that a test can end the process there. */
  readonly onStep?: (step: ProjectorStep) => void;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS source (fact TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS tokens (
    id TEXT PRIMARY KEY,
    user_id TEXT,
    account_id TEXT,
    created_at TEXT,
    version INTEGER NOT NULL,
    row TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS tokens_by_user ON tokens (user_id, created_at DESC, id DESC);
  ${TOKEN_INDEXES}
  CREATE TABLE IF NOT EXISTS checkpoints (
    partition INTEGER PRIMARY KEY,
    next_offset TEXT,
    heartbeat_position INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE TABLE IF NOT EXISTS parked (
    partition INTEGER NOT NULL,
    "offset" INTEGER NOT NULL,
    token_id TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (partition, "offset")
  ) STRICT;
  CREATE INDEX IF NOT EXISTS parked_by_token ON parked (token_id, "offset");
`;

/**
 * The read model in one SQLite file: the embedded default. It can be built again from the log, so its
 * newest commits may be lost with the power (`synchronous=NORMAL`), though never a part of one.
 */
// eslint-disable-next-line @typescript-eslint/require-await -- as the other adapter: faults reject
export async function openSqliteReadModel(
  options: SqliteReadModelOptions,
): Promise<TokenStatusRepository> {
  const db = new Database(options.file);
  db.exec('PRAGMA busy_timeout = 5000');
  db.exec('PRAGMA journal_mode = WAL');
  db.exec('PRAGMA synchronous = NORMAL');
  db.exec(SCHEMA);
  return new SqliteReadModel(db, options.onStep ?? (() => undefined));
}

interface CheckpointRow {
  readonly partition: number;
  readonly next_offset: string | null;
  readonly heartbeat_position: number;
}

/* eslint-disable @typescript-eslint/require-await -- the driver is synchronous; its faults must reject */
class SqliteReadModel implements TokenStatusRepository {
  readonly #db: Database.Database;
  readonly #onStep: (step: ProjectorStep) => void;

  constructor(db: Database.Database, onStep: (step: ProjectorStep) => void) {
    this.#db = db;
    this.#onStep = onStep;
  }

  async get(tokenId: string): Promise<TokenView | null> {
    const [row] = this.#rows('WHERE id = ?', [tokenId]);
    return row ? viewOf(row) : null;
  }

  async listByUser(userId: string): Promise<readonly TokenView[]> {
    return this.#rows(`WHERE user_id = ? ${NEWEST_FIRST}`, [userId])
      .map(viewOf)
      .filter((view) => view !== null);
  }

  search(query: TokenSearch): Promise<TokenPage> {
    return searchIn(this.#searchSource, query);
  }

  readonly #searchSource: SearchSource = {
    rows: async (query, after, limit) => {
      const { where, parameters } = searchWhere(query, after);
      return this.#rows(`${where} ${NEWEST_FIRST} LIMIT ?`, [...parameters, limit]);
    },
    names: async (query, after, limit) => {
      const { where, parameters } = searchWhere(query, after);
      return this.#db
        .prepare(
          `SELECT id, created_at AS createdAt, json_extract(row, '$.texts.name') AS name
             FROM tokens ${where} ${NEWEST_FIRST} LIMIT ?`,
        )
        .all(...parameters, limit) as (Place & { name: string | null })[];
    },
    load: (ids) => this.load(ids),
  };

  async due(at: Instant, limit: number): Promise<readonly DueToken[]> {
    return this.#db
      .prepare(
        `SELECT id AS tokenId, json_extract(row, '$.token.disabled.version') AS disabledAtVersion,
             json_extract(row, '$.token.disabled.until') AS until
           FROM tokens ${dueWhere} LIMIT ?`,
      )
      .all(at, at, limit) as DueToken[];
  }

  async position(): Promise<number> {
    const partitions = this.#fact('partitions');
    return partitions === null ? 0 : positionOf(Number(partitions), await this.checkpoints());
  }

  async settle(fact: SourceFact, value: string): Promise<string> {
    this.#db.prepare('INSERT OR IGNORE INTO source VALUES (?, ?)').run(fact, value);
    return this.#fact(fact) ?? value;
  }

  async checkpoints(): Promise<ReadonlyMap<number, Checkpoint>> {
    const rows = this.#db.prepare('SELECT * FROM checkpoints').all() as CheckpointRow[];
    return new Map(
      rows.map(({ partition, next_offset: offset, heartbeat_position: heartbeatPosition }) => [
        partition,
        { nextOffset: offset === null ? null : BigInt(offset), heartbeatPosition },
      ]),
    );
  }

  /** A process that dies takes its locks on the file with it. */
  async take(partition: number): Promise<Checkpoint> {
    return (await this.checkpoints()).get(partition) ?? NOT_STARTED;
  }

  async load(tokenIds: readonly string[]): Promise<ReadonlyMap<string, TokenRow>> {
    const rows = this.#rows('WHERE id IN (SELECT value FROM json_each(?))', [
      JSON.stringify(tokenIds),
    ]);
    return new Map(rows.map((row) => [row.id, row]));
  }

  async apply(step: Step): Promise<'applied' | 'overtaken'> {
    const { partition, from, nextOffset, heartbeatPosition, rows, parked } = step;
    return this.#immediately(() => {
      const stored = this.#db
        .prepare('SELECT next_offset FROM checkpoints WHERE partition = ?')
        .get(partition) as { next_offset: string | null } | undefined;
      if ((stored?.next_offset ?? null) !== (from === null ? null : String(from))) {
        return 'overtaken';
      }
      this.#db
        .prepare(
          `INSERT INTO checkpoints VALUES (?, ?, ?) ON CONFLICT (partition) DO UPDATE SET
             next_offset = excluded.next_offset,
             heartbeat_position = max(heartbeat_position, excluded.heartbeat_position)`,
        )
        .run(partition, String(nextOffset), heartbeatPosition);
      this.#onStep('projector.offset-written');
      for (const row of rows) this.#put(row);
      for (const record of parked) this.#park(record);
      this.#onStep('projector.rows-written');
      return 'applied';
    });
  }

  async advance(heartbeatPositions: ReadonlyMap<number, number>): Promise<void> {
    if (heartbeatPositions.size === 0) return;
    this.#immediately(() => {
      const raise = this.#db.prepare(
        `INSERT INTO checkpoints VALUES (?, NULL, ?) ON CONFLICT (partition) DO UPDATE SET
           heartbeat_position = max(heartbeat_position, excluded.heartbeat_position)`,
      );
      for (const [partition, position] of heartbeatPositions) raise.run(partition, position);
    });
  }

  async parked(limit = 1000): Promise<readonly ParkedRecord[]> {
    const rows = this.#db
      .prepare('SELECT record FROM parked ORDER BY partition, "offset" LIMIT ?')
      .all(limit) as { record: string }[];
    return rows.map(({ record }) => {
      const parked = JSON.parse(record) as Omit<ParkedRecord, 'offset'> & { offset: string };
      return { ...parked, offset: BigInt(parked.offset) };
    });
  }

  async parkedCount(): Promise<number> {
    const { n } = this.#db.prepare('SELECT count(*) AS n FROM parked').get() as { n: number };
    return n;
  }

  async close(): Promise<void> {
    if (this.#db.open) this.#db.close();
  }

  #rows(where: string, parameters: readonly (string | number)[]): TokenRow[] {
    const found = this.#db.prepare(`SELECT row FROM tokens ${where}`).all(...parameters);
    return (found as { row: string }[]).map(({ row }) => JSON.parse(row) as TokenRow);
  }

  #fact(fact: SourceFact): string | null {
    const found = this.#db.prepare('SELECT value FROM source WHERE fact = ?').get(fact) as
      { value: string } | undefined;
    return found?.value ?? null;
  }

  #put(row: TokenRow): void {
    const { token } = row;
    const { changes } = this.#db
      .prepare(
        `INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
           user_id = excluded.user_id, account_id = excluded.account_id,
           created_at = excluded.created_at, version = excluded.version, row = excluded.row
         WHERE version <= excluded.version`,
      )
      .run(
        row.id,
        token?.userId ?? null,
        token?.accountId ?? null,
        token?.createdAt ?? null,
        token?.version ?? 0,
        JSON.stringify(row),
      );
    if (changes === 0) throw new Error(`token ${row.id} is stored with a newer version`);
  }

  #park(record: ParkedRecord): void {
    this.#db
      .prepare('INSERT OR REPLACE INTO parked VALUES (?, CAST(? AS INTEGER), ?, ?)')
      .run(
        record.partition,
        String(record.offset),
        record.tokenId,
        JSON.stringify({ ...record, offset: String(record.offset) }),
      );
  }

  /** In a transaction that holds the write lock from its beginning. */
  #immediately<T>(work: () => T): T {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#db.exec('COMMIT');
      return result;
    } catch (fault) {
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK');
      throw fault;
    }
  }
}
