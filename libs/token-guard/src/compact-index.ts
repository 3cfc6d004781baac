/** What an {@link OpenIndex} needs of the things that it holds by number. */
export interface IndexedKeys {
  /** Whether the thing has the key that is being looked for; the caller has said which before. */
  isWanted(number: number): boolean;
  /** The 32 bits (signed) that the thing was put in under; asked again whenever a shard grows. */
  hashOf(number: number): number;
}

/** Each grows on its own, so that no growth moves more than one part in 256. */
const SHARDS = 256;
const SHARD_SHIFT = 24;
const FIRST_CAPACITY = 8;
const MAX_LOAD = 0.8;
/** A smaller step than doubling: the load stays between 0.53 and 0.8, which is 5 to 7.5 bytes a thing. */
const GROWTH = 1.5;
const NUMBER_BITS = 26;
const NUMBER_MASK = 2 ** NUMBER_BITS - 1;
/** How many things there can be: a slot holds the number + 1, and 0 is an empty slot. */
export const MAX_NUMBERS = NUMBER_MASK;

/**
 * Open addressing with linear probing: from a key's hash to a number, 4 bytes a slot and no objects.
 * Six bits of each slot are of the hash (a tag), so that a probe passes over others' keys without
 * touching the memory where they are, which at millions of keys is what takes the time.
 *
 * Growth stops the world, for one shard: the new slots are filled and then put in the old ones'
 * place. Nothing is ever taken out.
 */
export class OpenIndex {
  readonly #keys: IndexedKeys;
  readonly #shards: Int32Array[];
  readonly #used = new Uint32Array(SHARDS);
  #slots = 0;

  constructor(keys: IndexedKeys) {
    this.#keys = keys;
    this.#shards = Array.from({ length: SHARDS }, () => NO_SLOTS);
  }

  get bytes(): number {
    return this.#slots * Int32Array.BYTES_PER_ELEMENT + this.#used.byteLength;
  }

  /** @returns the number of the thing that is wanted, or -1. */
  find(hash: number): number {
    const slots = this.#shards[hash >>> SHARD_SHIFT] ?? NO_SLOTS;
    const { length } = slots;
    const tag = tagOf(hash);
    for (let slot = homeOf(hash, length); length > 0; slot = slot + 1 === length ? 0 : slot + 1) {
      const held = slots[slot] ?? 0;
      if (held === 0) return -1;
      if (held >>> NUMBER_BITS === tag) {
        const number = (held & NUMBER_MASK) - 1;
        if (this.#keys.isWanted(number)) return number;
      }
    }
    return -1;
  }

  /** So many will come, into an empty index: makes room once, and not time and again. */
  expect(count: number): void {
    // Shards differ a little; one that is fuller than all but a few grows once more.
    const perShard = count / SHARDS + 3 * Math.sqrt(count / SHARDS);
    const capacity = Math.ceil(perShard / MAX_LOAD);
    if (capacity <= FIRST_CAPACITY) return;
    for (let shard = 0; shard < SHARDS; shard++) this.#grow(shard, capacity);
  }

  /** Makes room for one more, so that the next {@link insert} of this hash can't fail. */
  reserve(hash: number): void {
    const shard = hash >>> SHARD_SHIFT;
    const { length } = this.#shards[shard] ?? NO_SLOTS;
    if ((this.#used[shard] ?? 0) + 1 <= length * MAX_LOAD) return;
    this.#grow(shard, Math.max(FIRST_CAPACITY, Math.ceil(length * GROWTH)));
  }

  #grow(shard: number, capacity: number): void {
    const old = this.#shards[shard] ?? NO_SLOTS;
    const grown = new Int32Array(capacity);
    for (const held of old) {
      if (held !== 0) put(grown, this.#keys.hashOf((held & NUMBER_MASK) - 1), held);
    }
    this.#shards[shard] = grown;
    this.#slots += grown.length - old.length;
  }

  /** For a key that is not there yet, after {@link reserve}. */
  insert(hash: number, number: number): void {
    const shard = hash >>> SHARD_SHIFT;
    put(this.#shards[shard] ?? NO_SLOTS, hash, ((tagOf(hash) << NUMBER_BITS) | (number + 1)) >>> 0);
    this.#used[shard] = (this.#used[shard] ?? 0) + 1;
  }
}

const NO_SLOTS = new Int32Array(0);

function put(slots: Int32Array, hash: number, held: number): void {
  let slot = homeOf(hash, slots.length);
  while (slots[slot] !== 0) slot = slot + 1 === slots.length ? 0 : slot + 1;
  slots[slot] = held;
}

/** The hash's bits below the shard's, scaled to the capacity: it need not be a power of two. */
const homeOf = (hash: number, capacity: number): number =>
  Math.floor((((hash << (32 - SHARD_SHIFT)) >>> 0) * capacity) / 2 ** 32);

/** Of all bits of the hash, since the keys that meet in a probe have the upper ones in common. */
const tagOf = (hash: number): number => Math.imul(hash, 0x9e3779b1) >>> NUMBER_BITS;
