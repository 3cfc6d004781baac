import { endianness } from 'node:os';
import { MAX_NUMBERS, OpenIndex } from './compact-index.js';
import type { IndexedKeys } from './compact-index.js';

/**
 * One row a token, 64 bytes: as much as a processor fetches at once, so a look-up costs one fetch for
 * the index and one for the row. By 32-bit words:
 *
 * | words | |
 * |---|---|
 * | 0–3 | the first 128 bits of the secret's SHA-256: among 10 million tokens, two that are alike by chance, or a guess that hits one, are still 1 in 2^80 and more |
 * | 4–7 | token id |
 * | 8–9 | the first 64 bits of the user name's HMAC: who comes to be compared holds the full secret, and passes with it alone by Bearer |
 * | 10 | the first 32 bits of the newest version's event id; the position tells the rest |
 * | 11 | owner: number of a text |
 * | 12 | version, and three bits of status |
 * | 13–15 | position of the newest version and time of expiry, 48 bits each |
 */
export const ROW_WORDS = 16;
export const ROW_BYTES = ROW_WORDS * 4;
export const DIGEST = 0;
export const TOKEN_ID = 4;
export const USER_NAME = 8;
export const EVENT_ID = 10;
export const OWNER = 11;
export const VERSION = 12;
const POSITION_LOW = 13;
const EXPIRY_LOW = 14;
const HIGH = 15;

/** In the word {@link VERSION}, below the version. */
export const DISABLED = 1;
export const REVOKED = 2;
export const PARKED = 4;
export const STATUS_BITS = 3;
const STATUS = 2 ** STATUS_BITS - 1;
export const MAX_VERSION = 2 ** (32 - STATUS_BITS) - 1;
export const MAX_POSITION = 2 ** 48 - 1;
const NEVER = 2 ** 48 - 1;

const CHUNK_SHIFT = 12;
/** 256 KiB a chunk. */
export const CHUNK_ROWS = 2 ** CHUNK_SHIFT;
const IN_CHUNK = CHUNK_ROWS - 1;
const FIRST_CHUNK_ROWS = 64;

/** Where a row begins among the words of its chunk. */
export const wordsAt = (row: number): number => (row & IN_CHUNK) * ROW_WORDS;

/** The rows of a moment, chunk by chunk, while the table goes on changing. To be released when done. */
export interface FrozenRows {
  readonly count: number;
  /** The next at most {@link CHUNK_ROWS} rows; valid until the next call. null after the last. */
  next(): Uint8Array | null;
  release(): void;
}

const NO_ROWS = new Int32Array(0);

/** Rows in chunks that never move (but the first, which begins small and doubles): growing copies nothing. */
export class CompactRows {
  readonly #words: Int32Array[] = [];
  readonly #bytes: Buffer[] = [];
  #count = 0;
  /** While rows are being saved: by chunk, those that changed since, as they were. */
  #before: Map<number, Map<number, Int32Array>> | null = null;
  #frozenFrom = 0;
  #frozenCount = 0;

  constructor() {
    // A token id is written by words and read by bytes.
    if (endianness() !== 'LE') throw new Error('the compact table needs a little-endian machine');
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#words.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** Makes room for one more row, so that the next {@link append} can't fail. */
  reserve(): void {
    if (this.#count >= MAX_NUMBERS) {
      throw new RangeError(`the table holds ${MAX_NUMBERS} tokens, and no more fit`);
    }
    const index = this.#count >>> CHUNK_SHIFT;
    const chunk = this.#words[index];
    if (chunk && (this.#count & IN_CHUNK) < chunk.length / ROW_WORDS) return;
    const doubled = Math.max(FIRST_CHUNK_ROWS, (this.#count & IN_CHUNK) * 2);
    const rows = index > 0 ? CHUNK_ROWS : Math.min(CHUNK_ROWS, doubled);
    const memory = new ArrayBuffer(rows * ROW_BYTES);
    const words = new Int32Array(memory);
    if (chunk) words.set(chunk);
    this.#words[index] = words;
    this.#bytes[index] = Buffer.from(memory);
  }

  /** After {@link reserve}. @returns the new row's number; all its words are 0. */
  append(): number {
    return this.#count++;
  }

  /** Takes rows that were saved, as bytes; at most {@link CHUNK_ROWS}, and whole chunks but the last time. */
  appendSaved(bytes: Uint8Array): void {
    const index = this.#count >>> CHUNK_SHIFT;
    const memory = new ArrayBuffer(bytes.length);
    new Uint8Array(memory).set(bytes);
    this.#words[index] = new Int32Array(memory);
    this.#bytes[index] = Buffer.from(memory);
    this.#count += bytes.length / ROW_BYTES;
    if (index > 0 && bytes.length < CHUNK_ROWS * ROW_BYTES) this.#fillLastChunk(index);
  }

  word(row: number, word: number): number {
    return this.#words[row >>> CHUNK_SHIFT]?.[(row & IN_CHUNK) * ROW_WORDS + word] ?? 0;
  }

  set(row: number, word: number, value: number): void {
    this.#keepBefore(row);
    const chunk = this.#words[row >>> CHUNK_SHIFT];
    if (chunk) chunk[(row & IN_CHUNK) * ROW_WORDS + word] = value;
  }

  /** The words among which the row's are, from {@link wordsAt} on. Not to be kept, nor (but for a new row) written. */
  wordsOf(row: number): Int32Array {
    return this.#words[row >>> CHUNK_SHIFT] ?? NO_ROWS;
  }

  /** So many words as hexadecimal digits, in the order in which `wordOfHex` read them. */
  hex(row: number, from: number, words: number): string {
    const at = (row & IN_CHUNK) * ROW_BYTES + from * 4;
    return this.#bytes[row >>> CHUNK_SHIFT]?.toString('hex', at, at + words * 4) ?? '';
  }

  version(row: number): number {
    return this.word(row, VERSION) >>> STATUS_BITS;
  }

  status(row: number): number {
    return this.word(row, VERSION) & STATUS;
  }

  setVersionAndStatus(row: number, version: number, status: number): void {
    this.set(row, VERSION, (version << STATUS_BITS) | status);
  }

  position(row: number): number {
    return (this.word(row, HIGH) & 0xffff) * 2 ** 32 + (this.word(row, POSITION_LOW) >>> 0);
  }

  setPosition(row: number, position: number): void {
    const high = this.word(row, HIGH) & 0xffff0000;
    this.set(row, HIGH, high | Math.floor(position / 2 ** 32));
    this.set(row, POSITION_LOW, position | 0);
  }

  /** Milliseconds since the Unix epoch; null = never. */
  expiresAt(row: number): number | null {
    const at = (this.word(row, HIGH) >>> 16) * 2 ** 32 + (this.word(row, EXPIRY_LOW) >>> 0);
    return at === NEVER ? null : at;
  }

  setExpiresAt(row: number, expiresAt: number | null): void {
    // A time before 1970 is as much in the past as 1970; the last that can be written is in the year 9999.
    const at = expiresAt === null ? NEVER : Math.max(0, expiresAt);
    const high = this.word(row, HIGH) & 0xffff;
    this.set(row, HIGH, high | (Math.floor(at / 2 ** 32) << 16));
    this.set(row, EXPIRY_LOW, at | 0);
  }

  /**
   * The rows as they are now, to be read in turns. Rows that change before their turn are kept as they
   * were, 64 bytes each: that is what saving costs in memory, not a second table. One at a time.
   */
  freeze(): FrozenRows {
    if (this.#before) throw new Error('the rows are being saved already');
    const before = (this.#before = new Map<number, Map<number, Int32Array>>());
    const count = (this.#frozenCount = this.#count);
    this.#frozenFrom = 0;
    const scratch = new Int32Array(Math.min(count, CHUNK_ROWS) * ROW_WORDS);
    return {
      count,
      next: () => {
        const from = this.#frozenFrom;
        if (from >= count) return null;
        const rows = Math.min(CHUNK_ROWS, count - from);
        const index = from >>> CHUNK_SHIFT;
        const chunk = this.#words[index];
        if (!chunk) return null;
        scratch.set(chunk.subarray(0, rows * ROW_WORDS));
        for (const [row, words] of before.get(index) ?? []) {
          scratch.set(words, (row - from) * ROW_WORDS);
        }
        before.delete(index);
        this.#frozenFrom = from + rows;
        return new Uint8Array(scratch.buffer, 0, rows * ROW_BYTES);
      },
      release: () => {
        if (this.#before === before) this.#before = null;
      },
    };
  }

  #keepBefore(row: number): void {
    if (!this.#before || row < this.#frozenFrom || row >= this.#frozenCount) return;
    const index = row >>> CHUNK_SHIFT;
    let ofChunk = this.#before.get(index);
    if (!ofChunk) this.#before.set(index, (ofChunk = new Map<number, Int32Array>()));
    if (ofChunk.has(row)) return;
    const at = (row & IN_CHUNK) * ROW_WORDS;
    const words = this.#words[index]?.slice(at, at + ROW_WORDS);
    if (words) ofChunk.set(row, words);
  }

  #fillLastChunk(index: number): void {
    const words = new Int32Array(CHUNK_ROWS * ROW_WORDS);
    words.set(this.#words[index] ?? []);
    this.#words[index] = words;
    this.#bytes[index] = Buffer.from(words.buffer);
  }
}

/** An index of the rows by four words of theirs. */
export class RowIndex implements IndexedKeys {
  readonly #rows: CompactRows;
  readonly #from: number;
  readonly #index = new OpenIndex(this);
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 0;

  /** @param from the first of the four words. */
  constructor(rows: CompactRows, from: number) {
    this.#rows = rows;
    this.#from = from;
  }

  get bytes(): number {
    return this.#index.bytes;
  }

  /** @returns the row with these words, or -1. */
  find(a: number, b: number, c: number, d: number): number {
    this.#a = a;
    this.#b = b;
    this.#c = c;
    this.#d = d;
    return this.#index.find(hashOfWords(a, b, c, d));
  }

  /** So many rows will come: makes room once. */
  expect(count: number): void {
    this.#index.expect(count);
  }

  /** Makes room for one more, so that {@link insert} can't fail. */
  reserve(a: number, b: number, c: number, d: number): void {
    this.#index.reserve(hashOfWords(a, b, c, d));
  }

  insert(row: number): void {
    this.#index.insert(this.hashOf(row), row);
  }

  /** @returns false where a row with the same words is there already, and then nothing is done. */
  insertOnce(row: number): boolean {
    const words = this.#rows.wordsOf(row);
    const at = wordsAt(row) + this.#from;
    this.#a = words[at] ?? 0;
    this.#b = words[at + 1] ?? 0;
    this.#c = words[at + 2] ?? 0;
    this.#d = words[at + 3] ?? 0;
    const hash = hashOfWords(this.#a, this.#b, this.#c, this.#d);
    if (this.#index.find(hash) !== -1) return false;
    this.#index.reserve(hash);
    this.#index.insert(hash, row);
    return true;
  }

  /** In no less time where the first words differ. */
  isWanted(row: number): boolean {
    const words = this.#rows.wordsOf(row);
    const at = wordsAt(row) + this.#from;
    const differences =
      ((words[at] ?? 0) ^ this.#a) |
      ((words[at + 1] ?? 0) ^ this.#b) |
      ((words[at + 2] ?? 0) ^ this.#c) |
      ((words[at + 3] ?? 0) ^ this.#d);
    return differences === 0;
  }

  hashOf(row: number): number {
    const words = this.#rows.wordsOf(row);
    const at = wordsAt(row) + this.#from;
    return hashOfWords(words[at] ?? 0, words[at + 1] ?? 0, words[at + 2] ?? 0, words[at + 3] ?? 0);
  }
}

function hashOfWords(a: number, b: number, c: number, d: number): number {
  let hash = Math.imul(a, 0x85ebca6b) ^ Math.imul(b, 0xc2b2ae35);
  hash ^= Math.imul(c, 0x27d4eb2f) ^ Math.imul(d, 0x165667b1);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
