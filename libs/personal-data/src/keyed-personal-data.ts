import { randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { KeyStore, StoredKey, UserKeys } from './key-store.js';
import { unwrap, WrongMasterKey, wrap } from './master-key.js';
import type { MasterKey } from './master-key.js';
import type { PersonalData } from './personal-data.js';
import { UnreadableSeal } from './personal-data.js';
import { keyIdOf, newKeyId, open, seal, USER_KEY_BYTES, userKey } from './user-key.js';
import type { UserKey } from './user-key.js';

/** How long an opened key is kept in memory: so long, at most, a key destroyed elsewhere still works here. */
export const KEY_CACHE_MS = 60_000;
const KEY_CACHE_USERS = 10_000;

export interface PersonalDataOptions {
  /** 32 random bytes. */
  readonly masterKey: Uint8Array;
  /** A monotonic clock, in milliseconds. */
  readonly now?: () => number;
}

interface OpenedKeys {
  readonly current: UserKey | null;
  readonly forgotten: readonly string[];
}

/** Joins the key store and the ciphers, with a bounded memory of opened keys. */
export class KeyedPersonalData implements PersonalData {
  readonly #store: KeyStore;
  readonly #master: MasterKey;
  readonly #now: () => number;
  readonly #opened: LRUCache<string, OpenedKeys>;
  /** Counts calls of `forget`: what was read before one must not be remembered after it. */
  #forgets = 0;

  constructor(store: KeyStore, master: MasterKey, now: () => number = () => performance.now()) {
    this.#store = store;
    this.#master = master;
    this.#now = now;
    this.#opened = new LRUCache({
      max: KEY_CACHE_USERS,
      ttl: KEY_CACHE_MS,
      ttlResolution: 0,
      perf: { now },
    });
  }

  async seal(userId: string, text: string): Promise<string> {
    const held = this.#opened.get(userId) ?? (await this.#read(userId));
    const key = held.current ?? (await this.#create(userId));
    return seal(key, userId, text);
  }

  async open(userId: string, sealed: string): Promise<string | null> {
    const keyId = keyIdOf(sealed);
    let held = this.#opened.get(userId);
    // A key that is not known here may be newer than what is remembered.
    if (!held || !knows(held, keyId)) held = await this.#read(userId);
    if (held.current?.id === keyId) return open(held.current, userId, sealed);
    if (held.forgotten.includes(keyId)) return null;
    throw new UnreadableSeal('the text was sealed with a key that this user never had');
  }

  async forget(userId: string): Promise<'forgotten' | 'nothing-held'> {
    try {
      return (await this.#store.forget(userId)) ? 'forgotten' : 'nothing-held';
    } finally {
      this.#forgets++;
      this.#opened.delete(userId);
    }
  }

  async close(): Promise<void> {
    this.#opened.clear();
    await this.#store.close();
  }

  #read(userId: string): Promise<OpenedKeys> {
    return this.#remember(userId, () => this.#store.find(userId));
  }

  async #create(userId: string): Promise<UserKey> {
    const id = newKeyId();
    const wrapped = wrap(this.#master, userId, id, randomBytes(USER_KEY_BYTES));
    const key: StoredKey = { id, masterKeyId: this.#master.id, wrapped };
    const { current } = await this.#remember(userId, () => this.#store.addUnlessHeld(userId, key));
    if (!current) throw new Error('the key store held no key after one was added');
    return current;
  }

  async #remember(userId: string, load: () => Promise<UserKeys>): Promise<OpenedKeys> {
    const start = this.#now();
    const forgets = this.#forgets;
    const { current, forgotten } = await load();
    const opened = { current: current && this.#unwrap(userId, current), forgotten };
    // The time counts from before the reading: a key may have been destroyed while it was under way.
    if (forgets === this.#forgets) this.#opened.set(userId, opened, { start });
    return opened;
  }

  #unwrap(userId: string, { id, masterKeyId, wrapped }: StoredKey): UserKey {
    if (masterKeyId !== this.#master.id) {
      throw new WrongMasterKey(
        `a stored key is wrapped by master key ${masterKeyId}, this one is ${this.#master.id}`,
      );
    }
    return userKey(id, unwrap(this.#master, userId, id, wrapped));
  }
}

const knows = ({ current, forgotten }: OpenedKeys, keyId: string): boolean =>
  current?.id === keyId || forgotten.includes(keyId);
