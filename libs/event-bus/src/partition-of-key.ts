/**
 * The partition of a key: murmur2 of its UTF-8 bytes, sign bit cleared, modulo the number of
 * partitions. It is what Kafka's own Java producer does, so that other clients put a token's records
 * where we do; and it is ours, not a library's default, because it must never change: a topic of
 * events is kept for ever, and its order holds only within a partition.
 */
export const partitionOfKey = (key: string, partitions: number): number =>
  (murmur2(Buffer.from(key)) & 0x7fffffff) % partitions;

/** MurmurHash2, 32 bits, with the seed that Kafka's `Utils.murmur2` has; the result is signed. */
export function murmur2(data: Uint8Array): number {
  const M = 0x5bd1e995;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const whole = data.length & ~3;
  let h = 0x9747b28c ^ data.length;
  for (let at = 0; at < whole; at += 4) {
    let k = Math.imul(view.getInt32(at, true), M);
    k = Math.imul(k ^ (k >>> 24), M);
    h = Math.imul(h, M) ^ k;
  }
  const rest = data.length - whole;
  if (rest > 0) {
    for (let i = rest - 1; i >= 0; i--) h ^= view.getUint8(whole + i) << (8 * i);
    h = Math.imul(h, M);
  }
  h = Math.imul(h ^ (h >>> 13), M);
  return h ^ (h >>> 15);
}
