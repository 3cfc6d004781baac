import { hash } from 'node:crypto';
import type { BinaryToTextEncoding } from 'node:crypto';
import type { PublishedEvent, WireEvent } from '@token-status/contracts';
import { wordOfHex, wordOfPair } from './compact-words.js';
import {
  CHUNK_ROWS,
  CompactRows,
  DIGEST,
  DISABLED,
  EVENT_ID,
  MAX_POSITION,
  MAX_VERSION,
  OWNER,
  PARKED,
  REVOKED,
  ROW_BYTES,
  RowIndex,
  STATUS_BITS,
  TOKEN_ID,
  USER_NAME,
  VERSION,
  wordsAt,
} from './compact-rows.js';
import type { FrozenRows } from './compact-rows.js';
import { StringPool } from './compact-strings.js';
import type {
  Applied,
  ParkedToken,
  TokenChange,
  TokenCounts,
  TokenEntry,
  TokenTable,
} from './token-table.js';

type TokenAdded = Extract<WireEvent, { type: 'TokenAdded' }>;

const CHANGE: Readonly<Record<WireEvent['type'], TokenChange>> = {
  TokenAdded: 'added',
  TokenRenamed: 'renamed',
  TokenDisabled: 'disabled',
  TokenEnabled: 'enabled',
  TokenRevoked: 'revoked',
};

/** What an entry is read from. */
interface CompactParts {
  readonly rows: CompactRows;
  readonly accounts: StringPool;
  /** Account's number and user's id: most owners have several tokens. */
  readonly owners: StringPool;
}

const TOKEN_ID_FORM = /^tok_[0-9a-f]{32}$/;
const TOKEN_ID_DIGITS = 'tok_'.length;

/** The table of a moment, for saving it while it goes on changing. To be released when done. */
export interface FrozenTable {
  readonly accounts: FrozenTexts;
  readonly owners: FrozenTexts;
  readonly rows: FrozenRows;
  readonly parked: readonly ParkedToken[];
  release(): void;
}

export interface FrozenTexts {
  /** Of all. */
  readonly bytes: number;
  /** The next of them, each its length in a byte and its bytes; valid until the next call. null after the last. */
  next(): Uint8Array | null;
}

/** What was saved can't have been a table. */
export class NoSuchTable extends Error {
  override readonly name = 'NoSuchTable';
}

/**
 * The statuses of all tokens in typed arrays (decision 6): a row of 64 bytes a token, two indexes of
 * about 5.5 bytes each, and the owners' ids once per owner. No object a token, so that millions cost
 * neither heap nor garbage collection.
 *
 * Of a token's events only the newest version's position and id are kept. That finds every fault that
 * keeping all ids would find, as long as the first deliveries of a log's events come in the log's
 * order (which the relay promises, and the watermark would show): within a token, versions go up with
 * positions. So an event of an older version is a repeat if its position is lower than the newest's;
 * another event under that version, later in the log, has a higher one.
 *
 * Everything is allocated before anything is changed, and changes are synchronous: a look-up never sees
 * half of one.
 */
export class CompactTable implements TokenTable {
  readonly #rows = new CompactRows();
  readonly #byDigest = new RowIndex(this.#rows, DIGEST);
  readonly #byId = new RowIndex(this.#rows, TOKEN_ID);
  readonly #accounts = new StringPool();
  readonly #owners = new StringPool();
  readonly #parts = { rows: this.#rows, accounts: this.#accounts, owners: this.#owners };
  /** With the reason; holds tokens too of which nothing else could be read. Rare. */
  readonly #parked = new Map<string, string>();
  readonly #counts = { active: 0, disabled: 0, revoked: 0 };

  /** Of the typed arrays, slack included. */
  get bytes(): number {
    return (
      this.#rows.bytes +
      this.#byDigest.bytes +
      this.#byId.bytes +
      this.#accounts.bytes +
      this.#owners.bytes
    );
  }

  apply({ id, position, event }: PublishedEvent): Applied {
    if (this.#parked.size > 0 && this.#parked.has(event.tokenId)) return { kind: 'behind-parked' };
    if (!TOKEN_ID_FORM.test(event.tokenId)) return this.#fault(event, 'its id has another form');
    const row = this.#rowOf(event.tokenId);
    const version = row === -1 ? 0 : this.#rows.version(row);
    if (event.tokenVersion <= version) return this.#again(row, version, position, id, event);
    if (event.tokenVersion > version + 1) {
      return this.#fault(event, `version ${event.tokenVersion} came after ${version}`);
    }
    if ((event.type === 'TokenAdded') !== (event.tokenVersion === 1)) {
      return this.#fault(event, `${event.type} came as version ${event.tokenVersion}`);
    }
    if (event.tokenVersion > MAX_VERSION || position > MAX_POSITION) {
      return this.#fault(event, 'its version or position is beyond what can be held');
    }
    if (event.type === 'TokenAdded') return this.#add(event, position, id);
    // The gap check lets only version 1 through without a row.
    return row === -1
      ? this.#fault(event, 'nothing is known of it')
      : this.#change(row, event, position, id);
  }

  park(tokenId: string, why: string): boolean {
    if (this.#parked.has(tokenId)) return false;
    this.#parked.set(tokenId, why);
    const row = TOKEN_ID_FORM.test(tokenId) ? this.#rowOf(tokenId) : -1;
    if (row !== -1) {
      this.#count(row, -1);
      const rows = this.#rows;
      rows.setVersionAndStatus(row, rows.version(row), rows.status(row) | PARKED);
    }
    return true;
  }

  lookup(secret: string): TokenEntry | null {
    const digest = hash('sha256', secret, UTF_16);
    const row = this.#byDigest.find(
      wordOfPair(digest, 0),
      wordOfPair(digest, 2),
      wordOfPair(digest, 4),
      wordOfPair(digest, 6),
    );
    return row === -1 ? null : new CompactEntry(this.#parts, row);
  }

  byId(tokenId: string): TokenEntry | null {
    const row = TOKEN_ID_FORM.test(tokenId) ? this.#rowOf(tokenId) : -1;
    return row === -1 ? null : new CompactEntry(this.#parts, row);
  }

  counts(): TokenCounts {
    return { ...this.#counts, parked: this.#parked.size };
  }

  parked(limit: number): readonly ParkedToken[] {
    const first: ParkedToken[] = [];
    for (const [tokenId, why] of this.#parked) {
      if (first.length >= limit) break;
      first.push({ tokenId, why });
    }
    return first;
  }

  // Saving and restoring: what a snapshot is made of

  /** One at a time. Costs memory only for what changes until it is released. */
  freeze(): FrozenTable {
    const rows = this.#rows.freeze();
    return {
      accounts: frozen(this.#accounts),
      owners: frozen(this.#owners),
      rows,
      parked: this.parked(Infinity),
      release: () => rows.release(),
    };
  }

  /** Before all that is restored: so many rows will come. */
  expect(rows: number): void {
    this.#byDigest.expect(rows);
    this.#byId.expect(rows);
  }

  /**
   * Into an empty table, in this order: accounts, owners, rows, parked; texts in any number of pieces.
   * @returns how many bytes were used: what follows is the beginning of a text.
   * @throws NoSuchTable
   */
  restoreAccounts(bytes: Uint8Array): number {
    return restoreTexts(this.#accounts, bytes);
  }

  /** As {@link restoreAccounts}. */
  restoreOwners(bytes: Uint8Array): number {
    return restoreTexts(this.#owners, bytes);
  }

  /** A chunk of rows, and at last what remains. @throws NoSuchTable */
  restoreRows(bytes: Uint8Array): void {
    const rows = this.#rows;
    const from = rows.count;
    if (from % CHUNK_ROWS !== 0 || bytes.length % ROW_BYTES !== 0) {
      throw new NoSuchTable('rows do not come in chunks');
    }
    rows.appendSaved(bytes);
    for (let row = from; row < rows.count; row++) {
      if (rows.version(row) === 0) throw new NoSuchTable('a token has no version');
      if (rows.word(row, OWNER) >>> 0 >= this.#owners.size) {
        throw new NoSuchTable('a token has no owner');
      }
      if (!this.#byDigest.insertOnce(row) || !this.#byId.insertOnce(row)) {
        throw new NoSuchTable('a token is there twice');
      }
      if ((rows.status(row) & PARKED) === 0) this.#count(row, 1);
    }
  }

  /** After all rows. @throws NoSuchTable */
  restoreParked(parked: readonly ParkedToken[]): void {
    for (const { tokenId, why } of parked) this.#parked.set(tokenId, why);
    let withRow = 0;
    for (const tokenId of this.#parked.keys()) {
      const row = TOKEN_ID_FORM.test(tokenId) ? this.#rowOf(tokenId) : -1;
      if (row === -1) continue;
      withRow++;
      if ((this.#rows.status(row) & PARKED) === 0) throw new NoSuchTable('a parked token is not');
    }
    const { active, disabled, revoked } = this.#counts;
    if (active + disabled + revoked + withRow !== this.#rows.count) {
      throw new NoSuchTable('parked tokens are missing');
    }
  }

  // Applying

  #again(row: number, version: number, position: number, id: string, event: WireEvent): Applied {
    const newest = this.#rows.position(row);
    const same =
      event.tokenVersion === version
        ? position === newest && this.#rows.word(row, EVENT_ID) === wordOfHex(id, 0)
        : position < newest;
    if (same) return { kind: 'repeated' };
    return this.#fault(event, `version ${event.tokenVersion} came twice, as two events`);
  }

  #add(event: TokenAdded, position: number, id: string): Applied {
    const { secretDigest, userNameDigest, tokenId } = event;
    const [d0, d1, d2, d3] = wordsOfHex(secretDigest, 0);
    const holder = this.#byDigest.find(d0, d1, d2, d3);
    if (holder !== -1) {
      // One secret can't be two tokens', and which came first depends on the partitions: neither passes.
      const holderId = tokenIdOf(this.#rows, holder);
      const other = this.park(holderId, `token ${tokenId} has the same secret`);
      const fault = this.#fault(event, `token ${holderId} has the same secret`);
      return other ? { ...fault, other: holderId } : fault;
    }
    const account = this.#accounts.intern(event.accountId);
    const owner = account === -1 ? -1 : this.#owners.intern(ownerText(account, event.userId));
    if (owner === -1) return this.#fault(event, "its owner's id has another form");

    const [t0, t1, t2, t3] = wordsOfHex(tokenId, TOKEN_ID_DIGITS);
    this.#rows.reserve();
    this.#byDigest.reserve(d0, d1, d2, d3);
    this.#byId.reserve(t0, t1, t2, t3);

    const rows = this.#rows;
    const row = rows.append();
    const words = rows.wordsOf(row);
    const at = wordsAt(row);
    words[at + DIGEST] = d0;
    words[at + DIGEST + 1] = d1;
    words[at + DIGEST + 2] = d2;
    words[at + DIGEST + 3] = d3;
    words[at + TOKEN_ID] = t0;
    words[at + TOKEN_ID + 1] = t1;
    words[at + TOKEN_ID + 2] = t2;
    words[at + TOKEN_ID + 3] = t3;
    words[at + USER_NAME] = wordOfHex(userNameDigest, 0);
    words[at + USER_NAME + 1] = wordOfHex(userNameDigest, 8);
    words[at + EVENT_ID] = wordOfHex(id, 0);
    words[at + OWNER] = owner;
    rows.setVersionAndStatus(row, 1, 0);
    rows.setPosition(row, position);
    rows.setExpiresAt(row, event.expiresAt === null ? null : Date.parse(event.expiresAt));
    this.#byDigest.insert(row);
    this.#byId.insert(row);
    this.#count(row, 1);
    return { kind: 'applied', change: 'added' };
  }

  #change(
    row: number,
    event: Exclude<WireEvent, TokenAdded>,
    position: number,
    id: string,
  ): Applied {
    const rows = this.#rows;
    if (position <= rows.position(row)) {
      return this.#fault(event, `version ${event.tokenVersion} is before the last in the log`);
    }
    const owner = ownerOf(this.#parts, row);
    if (event.userId !== owner.userId || event.accountId !== owner.accountId) {
      return this.#fault(event, `version ${event.tokenVersion} names another owner`);
    }
    this.#count(row, -1);
    rows.setVersionAndStatus(row, event.tokenVersion, statusAfter(event.type, rows.status(row)));
    rows.setPosition(row, position);
    rows.set(row, EVENT_ID, wordOfHex(id, 0));
    this.#count(row, 1);
    return { kind: 'applied', change: CHANGE[event.type] };
  }

  #fault(event: WireEvent, why: string): Extract<Applied, { kind: 'parked' }> {
    this.park(event.tokenId, why);
    return { kind: 'parked', why };
  }

  #rowOf(tokenId: string): number {
    return this.#byId.find(
      wordOfHex(tokenId, TOKEN_ID_DIGITS),
      wordOfHex(tokenId, TOKEN_ID_DIGITS + 8),
      wordOfHex(tokenId, TOKEN_ID_DIGITS + 16),
      wordOfHex(tokenId, TOKEN_ID_DIGITS + 24),
    );
  }

  #count(row: number, by: 1 | -1): void {
    const status = this.#rows.status(row);
    const kind = status & REVOKED ? 'revoked' : status & DISABLED ? 'disabled' : 'active';
    this.#counts[kind] += by;
  }
}

/** One object a look-up, which reads what it is asked for and nothing more. */
class CompactEntry implements TokenEntry {
  readonly #table: CompactParts;
  readonly #row: number;
  /** Of the version and the status, which every decision asks for. */
  readonly #state: number;
  #owner: Owner | null = null;

  constructor(table: CompactParts, row: number) {
    this.#table = table;
    this.#row = row;
    this.#state = table.rows.wordsOf(row)[wordsAt(row) + VERSION] ?? 0;
  }

  get tokenId(): string {
    return tokenIdOf(this.#table.rows, this.#row);
  }

  get userId(): string {
    return (this.#owner ??= ownerOf(this.#table, this.#row)).userId;
  }

  get accountId(): string {
    return (this.#owner ??= ownerOf(this.#table, this.#row)).accountId;
  }

  get version(): number {
    return this.#state >>> STATUS_BITS;
  }

  get disabled(): boolean {
    return (this.#state & DISABLED) !== 0;
  }

  get revoked(): boolean {
    return (this.#state & REVOKED) !== 0;
  }

  get parked(): boolean {
    return (this.#state & PARKED) !== 0;
  }

  get expiresAt(): number | null {
    return this.#table.rows.expiresAt(this.#row);
  }

  isOfUserName(userNameDigest: string): boolean {
    const { rows } = this.#table;
    const differences =
      (rows.word(this.#row, USER_NAME) ^ wordOfHex(userNameDigest, 0)) |
      (rows.word(this.#row, USER_NAME + 1) ^ wordOfHex(userNameDigest, 8));
    return differences === 0;
  }
}

const tokenIdOf = (rows: CompactRows, row: number): string => `tok_${rows.hex(row, TOKEN_ID, 4)}`;

const OWNER_RADIX = 36;

const ownerText = (account: number, userId: string): string =>
  `${account.toString(OWNER_RADIX)} ${userId}`;

interface Owner {
  readonly userId: string;
  readonly accountId: string;
}

function ownerOf({ rows, accounts, owners }: CompactParts, row: number): Owner {
  const text = owners.get(rows.word(row, OWNER));
  const space = text.indexOf(' ');
  return {
    userId: text.slice(space + 1),
    accountId: accounts.get(parseInt(text.slice(0, space), OWNER_RADIX)),
  };
}

function statusAfter(type: Exclude<WireEvent['type'], 'TokenAdded'>, status: number): number {
  switch (type) {
    case 'TokenRenamed':
      return status;
    case 'TokenDisabled':
      return status | DISABLED;
    case 'TokenEnabled':
      return status & ~DISABLED;
    case 'TokenRevoked':
      // Nothing takes this back (rule 6).
      return status | REVOKED;
  }
}

const wordsOfHex = (text: string, at: number): [number, number, number, number] => [
  wordOfHex(text, at),
  wordOfHex(text, at + 8),
  wordOfHex(text, at + 16),
  wordOfHex(text, at + 24),
];

/**
 * As UTF-16 a digest is 16 characters, of which half are read; as hexadecimal, four times as many. Node takes
 * every encoding of text here, its types only those in which text means something.
 */
const UTF_16 = 'utf16le' as BinaryToTextEncoding;

const TEXTS_AT_ONCE = 64 * 1024;

function frozen(pool: StringPool): FrozenTexts {
  // Only ever added to, so its size is the moment.
  const { size, copyBytes } = pool;
  const scratch = new Uint8Array(Math.min(TEXTS_AT_ONCE, copyBytes));
  let number = 0;
  return {
    bytes: copyBytes,
    next: () => {
      const { bytes, next } = pool.copy(number, size, scratch);
      number = next;
      return bytes === 0 ? null : scratch.subarray(0, bytes);
    },
  };
}

function restoreTexts(pool: StringPool, bytes: Uint8Array): number {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at < buffer.length) {
    const end = at + 1 + (buffer[at] ?? 0);
    if (end > buffer.length) break;
    const expected = pool.size;
    if (pool.intern(buffer.toString('latin1', at + 1, end)) !== expected) {
      throw new NoSuchTable('a text is there twice');
    }
    at = end;
  }
  return at;
}
