import { Binary, MongoClient, MongoServerError } from 'mongodb';
import type { Collection } from 'mongodb';
import type { KeyStore, StoredKey, UserKeys } from '../key-store.js';
import { KeyedPersonalData } from '../keyed-personal-data.js';
import type { PersonalDataOptions } from '../keyed-personal-data.js';
import { masterKey } from '../master-key.js';
import type { PersonalData } from '../personal-data.js';

export interface MongoPersonalDataOptions extends PersonalDataOptions {
  /** Not the log's server in production: whoever backs that up must not back up the keys with it. */
  readonly uri: string;
  readonly database: string;
}

interface UserKeysDocument {
  /** The user's id. */
  readonly _id: string;
  readonly key?: { readonly id: string; readonly masterKeyId: string; readonly wrapped: Binary };
  readonly forgotten?: readonly string[];
}

const DUPLICATE_KEY = 11000;

/** @throws MongoError where the database can't be reached; the caller tries again. */
export async function openMongoPersonalData(
  options: MongoPersonalDataOptions,
): Promise<PersonalData> {
  const master = masterKey(options.masterKey);
  const client = new MongoClient(options.uri, {
    appName: 'token-status-keys',
    // A text must not be sealed with a key that a failover takes away.
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
    const keys = client.db(options.database).collection<UserKeysDocument>('user_keys');
    return new KeyedPersonalData(new MongoKeyStore(client, keys), master, options.now);
  } catch (fault) {
    await client.close();
    throw fault;
  }
}

class MongoKeyStore implements KeyStore {
  readonly #client: MongoClient;
  readonly #keys: Collection<UserKeysDocument>;

  constructor(client: MongoClient, keys: Collection<UserKeysDocument>) {
    this.#client = client;
    this.#keys = keys;
  }

  async find(userId: string): Promise<UserKeys> {
    return toUserKeys(await this.#keys.findOne({ _id: userId }));
  }

  async addUnlessHeld(userId: string, { id, masterKeyId, wrapped }: StoredKey): Promise<UserKeys> {
    const key = { $literal: { id, masterKeyId, wrapped: new Binary(wrapped) } };
    const add = (): Promise<UserKeysDocument | null> =>
      this.#keys.findOneAndUpdate(
        { _id: userId },
        [{ $set: { key: { $ifNull: ['$key', key] } } }],
        { upsert: true, returnDocument: 'after' },
      );
    try {
      return toUserKeys(await add());
    } catch (fault) {
      // Somebody else made the document at the same moment; now it is there.
      if (fault instanceof MongoServerError && fault.code === DUPLICATE_KEY) {
        return toUserKeys(await add());
      }
      throw fault;
    }
  }

  async forget(userId: string): Promise<boolean> {
    const { modifiedCount } = await this.#keys.updateOne({ _id: userId, key: { $exists: true } }, [
      { $set: { forgotten: { $concatArrays: [{ $ifNull: ['$forgotten', []] }, ['$key.id']] } } },
      { $unset: 'key' },
    ]);
    return modifiedCount > 0;
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

const toUserKeys = (document: UserKeysDocument | null): UserKeys => ({
  current: document?.key
    ? {
        id: document.key.id,
        masterKeyId: document.key.masterKeyId,
        wrapped: document.key.wrapped.value(),
      }
    : null,
  forgotten: document?.forgotten ?? [],
});
