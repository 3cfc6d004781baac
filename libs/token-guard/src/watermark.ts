/** Positions in one chunk of the bitmap: 1 KiB, so that one stray position far ahead costs no more. */
const CHUNK = 8192;
const WORD = 32;
const INDEX_BYTES = 8;
const SAVED_CHUNK_BYTES = INDEX_BYTES + CHUNK / 8;

/**
 * The highest position p such that every position 1…p was seen (`precise.md` 9).
 *
 * Partitions are read in any order, so in a replay almost every position may come before its
 * predecessor: what lies ahead is kept as bits, an eighth of a byte a position, and let go once passed.
 */
export class Watermark {
  #value = 0;
  readonly #ahead = new Map<number, Uint32Array>();

  get value(): number {
    return this.#value;
  }

  /** What lies ahead, for {@link Watermark.restored}: for each chunk its index (a double) and its bits. */
  ahead(): Buffer {
    const bytes = Buffer.alloc(this.#ahead.size * SAVED_CHUNK_BYTES);
    let at = 0;
    for (const [index, bits] of this.#ahead) {
      at = bytes.writeDoubleLE(index, at);
      for (const word of bits) at = bytes.writeUInt32LE(word, at);
    }
    return bytes;
  }

  /** @throws RangeError for bytes that {@link Watermark.ahead} did not write. */
  static restored(value: number, ahead: Buffer): Watermark {
    const watermark = new Watermark();
    watermark.#value = value;
    for (let at = 0; at < ahead.length; at += SAVED_CHUNK_BYTES) {
      const words = at + INDEX_BYTES;
      const bits = Uint32Array.from({ length: CHUNK / WORD }, (_, i) =>
        ahead.readUInt32LE(words + 4 * i),
      );
      watermark.#ahead.set(ahead.readDoubleLE(at), bits);
    }
    return watermark;
  }

  /** @param position 1 or higher; one that was seen before changes nothing. */
  see(position: number): void {
    if (position <= this.#value) return;
    if (position === this.#value + 1) {
      this.#value = position;
      this.#letGo(position);
      if (this.#ahead.size > 0) this.#advance();
      return;
    }
    const index = Math.floor((position - 1) / CHUNK);
    let bits = this.#ahead.get(index);
    if (!bits) this.#ahead.set(index, (bits = new Uint32Array(CHUNK / WORD)));
    const bit = (position - 1) % CHUNK;
    bits[bit >>> 5] = (bits[bit >>> 5] ?? 0) | (1 << (bit & 31));
  }

  #advance(): void {
    for (;;) {
      const bits = this.#ahead.get(Math.floor(this.#value / CHUNK));
      const bit = this.#value % CHUNK;
      if (!bits || (((bits[bit >>> 5] ?? 0) >>> (bit & 31)) & 1) === 0) return;
      this.#value++;
      this.#letGo(this.#value);
    }
  }

  /** Drops a chunk when its last position has been passed. */
  #letGo(position: number): void {
    if (position % CHUNK === 0) this.#ahead.delete(position / CHUNK - 1);
  }
}
