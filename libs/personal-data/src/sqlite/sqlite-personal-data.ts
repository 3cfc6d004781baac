import { closeSync, openSync } from 'node:fs';
import Database from 'libsql';
import type { KeyStore, StoredKey, UserKeys } from '../key-store.js';
import { KeyedPersonalData } from '../keyed-personal-data.js';
import type { PersonalDataOptions } from '../keyed-personal-data.js';
import { masterKey } from '../master-key.js';
import type { PersonalData } from '../personal-data.js';

export interface SqlitePersonalDataOptions extends PersonalDataOptions {
  /** Not the log's file. Made where it is missing, readable by its owner only; its folder must be there. */
  readonly file: string;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS user_keys (
    user_id TEXT PRIMARY KEY,
    key_id TEXT,
    master_key_id TEXT,
    wrapped BLOB,
    forgotten TEXT NOT NULL DEFAULT '[]'
  ) STRICT;
`;

interface UserKeysRow {
  readonly key_id: string | null;
  readonly master_key_id: string | null;
  readonly wrapped: Uint8Array | null;
  readonly forgotten: string;
}

// eslint-disable-next-line @typescript-eslint/require-await -- as the other adapter: faults reject
export async function openSqlitePersonalData(
  options: SqlitePersonalDataOptions,
): Promise<PersonalData> {
  const master = masterKey(options.masterKey);
  // SQLite gives its side files the mode of the file itself.
  closeSync(openSync(options.file, 'a', 0o600));
  const db = new Database(options.file);
  db.exec('PRAGMA busy_timeout = 5000');
  db.exec('PRAGMA journal_mode = WAL');
  db.exec('PRAGMA synchronous = FULL');
  // What is deleted is overwritten, not only unlinked.
  db.exec('PRAGMA secure_delete = ON');
  db.exec(SCHEMA);
  return new KeyedPersonalData(new SqliteKeyStore(db), master, options.now);
}

class SqliteKeyStore implements KeyStore {
  readonly #db: Database.Database;

  constructor(db: Database.Database) {
    this.#db = db;
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a fault of the driver must reject
  async find(userId: string): Promise<UserKeys> {
    return toUserKeys(this.#db.prepare('SELECT * FROM user_keys WHERE user_id = ?').get(userId));
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a fault of the driver must reject
  async addUnlessHeld(userId: string, { id, masterKeyId, wrapped }: StoredKey): Promise<UserKeys> {
    this.#db
      .prepare(
        `INSERT INTO user_keys (user_id, key_id, master_key_id, wrapped) VALUES (?, ?, ?, ?)
         ON CONFLICT (user_id) DO UPDATE SET
           key_id = excluded.key_id, master_key_id = excluded.master_key_id, wrapped = excluded.wrapped
         WHERE key_id IS NULL`,
      )
      .run(userId, id, masterKeyId, Buffer.from(wrapped));
    return toUserKeys(this.#db.prepare('SELECT * FROM user_keys WHERE user_id = ?').get(userId));
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a fault of the driver must reject
  async forget(userId: string): Promise<boolean> {
    const { changes } = this.#db
      .prepare(
        `UPDATE user_keys SET
           forgotten = json_insert(forgotten, '$[#]', key_id),
           key_id = NULL, master_key_id = NULL, wrapped = NULL
         WHERE user_id = ? AND key_id IS NOT NULL`,
      )
      .run(userId);
    // Until then the write-ahead log still holds the page with the key.
    this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    return changes > 0;
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- the port's other adapter waits here
  async close(): Promise<void> {
    if (this.#db.open) this.#db.close();
  }
}

function toUserKeys(found: unknown): UserKeys {
  const row = found as UserKeysRow | undefined;
  if (!row) return { current: null, forgotten: [] };
  const { key_id: id, master_key_id: masterKeyId, wrapped } = row;
  return {
    current: id !== null && masterKeyId !== null && wrapped ? { id, masterKeyId, wrapped } : null,
    forgotten: JSON.parse(row.forgotten) as string[],
  };
}
