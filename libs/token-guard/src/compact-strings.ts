import { OpenIndex } from './compact-index.js';
import type { IndexedKeys } from './compact-index.js';

const CHUNK_SHIFT = 16;
const CHUNK_BYTES = 2 ** CHUNK_SHIFT;
const FIRST_CHUNK_BYTES = 1024;
const FIRST_OFFSETS = 64;
const OFFSETS_GROWTH = 1.25;
/** A text's length is one byte. */
const MAX_LENGTH = 255;

/**
 * Texts, each once, as numbers from 0 on: bytes in chunks, and no string objects. Made for ids:
 * Latin-1, at most 255 characters. Only ever added to.
 */
export class StringPool implements IndexedKeys {
  /** Each text is its length and its bytes; none lies across two chunks. */
  readonly #chunks: Buffer[] = [];
  #end = 0;
  #offsets = new Uint32Array(FIRST_OFFSETS);
  #size = 0;
  readonly #index = new OpenIndex(this);
  #wanted = '';
  #bytes = 0;
  #copyBytes = 0;

  get size(): number {
    return this.#size;
  }

  /** How many bytes {@link copy} gives for all. */
  get copyBytes(): number {
    return this.#copyBytes;
  }

  get bytes(): number {
    return this.#bytes + this.#offsets.byteLength + this.#index.bytes;
  }

  /** @returns the text's number; -1 for a text that can't be held. */
  intern(text: string): number {
    const hash = hashOfText(text);
    this.#wanted = text;
    const found = this.#index.find(hash);
    if (found !== -1 || !canBeHeld(text)) return found;
    this.#index.reserve(hash);
    const offset = this.#reserve(1 + text.length);
    const chunk = this.#chunks[offset >>> CHUNK_SHIFT];
    const at = offset % CHUNK_BYTES;
    if (!chunk) throw new Error('the chunk was made just now');
    chunk[at] = text.length;
    chunk.write(text, at + 1, 'latin1');
    this.#end = offset + 1 + text.length;
    this.#copyBytes += 1 + text.length;
    const number = this.#size++;
    this.#offsets[number] = offset;
    this.#index.insert(hash, number);
    return number;
  }

  get(number: number): string {
    const offset = this.#offsets[number] ?? 0;
    const chunk = this.#chunks[offset >>> CHUNK_SHIFT];
    if (number >= this.#size || !chunk) throw new RangeError(`there is no text ${number}`);
    const at = (offset % CHUNK_BYTES) + 1;
    return chunk.toString('latin1', at, at + (chunk[at - 1] ?? 0));
  }

  /**
   * The texts from a number on, as they are kept (length, bytes), as many as fit into `into`.
   * @returns how many bytes and which number comes next.
   */
  copy(from: number, end: number, into: Uint8Array): { bytes: number; next: number } {
    let bytes = 0;
    let next = from;
    for (; next < end; next++) {
      const offset = this.#offsets[next] ?? 0;
      const at = offset % CHUNK_BYTES;
      const chunk = this.#chunks[offset >>> CHUNK_SHIFT];
      const length = 1 + (chunk?.[at] ?? 0);
      if (!chunk || bytes + length > into.length) break;
      into.set(chunk.subarray(at, at + length), bytes);
      bytes += length;
    }
    return { bytes, next };
  }

  isWanted(number: number): boolean {
    const offset = this.#offsets[number] ?? 0;
    const chunk = this.#chunks[offset >>> CHUNK_SHIFT];
    const at = offset % CHUNK_BYTES;
    const wanted = this.#wanted;
    if (chunk?.[at] !== wanted.length) return false;
    for (let i = 0; i < wanted.length; i++) {
      if (chunk[at + 1 + i] !== wanted.charCodeAt(i)) return false;
    }
    return true;
  }

  hashOf(number: number): number {
    return hashOfText(this.get(number));
  }

  /** @returns where so many bytes can be written; nothing counts as written before `#end` is moved. */
  #reserve(length: number): number {
    if (this.#size === this.#offsets.length) {
      const grown = new Uint32Array(Math.ceil(this.#offsets.length * OFFSETS_GROWTH));
      grown.set(this.#offsets);
      this.#offsets = grown;
    }
    const fits = (this.#end % CHUNK_BYTES) + length <= CHUNK_BYTES && this.#end > 0;
    const index = fits ? this.#end >>> CHUNK_SHIFT : this.#chunks.length;
    const offset = fits ? this.#end : index * CHUNK_BYTES;
    if (offset + length > 2 ** 32) throw new RangeError('the texts take more than 4 GiB');
    const chunk = this.#chunks[index];
    const needed = (offset % CHUNK_BYTES) + length;
    if (!chunk || chunk.length < needed) {
      // Only the first is small and doubles: a small table must not cost a whole chunk.
      let capacity = index === 0 ? Math.max(FIRST_CHUNK_BYTES, chunk?.length ?? 0) : CHUNK_BYTES;
      while (capacity < needed) capacity *= 2;
      const grown = Buffer.alloc(capacity);
      if (chunk) grown.set(chunk);
      this.#chunks[index] = grown;
      this.#bytes += capacity - (chunk?.length ?? 0);
    }
    return offset;
  }
}

function canBeHeld(text: string): boolean {
  if (text.length > MAX_LENGTH) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0xff) return false;
  return true;
}

/** FNV-1a with a finish that spreads; 32 bits, signed. */
function hashOfText(text: string): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
