import { describe, expect, it } from '@jest/globals';
import { murmur2, partitionOfKey } from './partition-of-key.js';

describe('the partition of a key', () => {
  // From UtilsTest.testMurmur2 of Apache Kafka's Java client.
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ])("hashes %s as Kafka's Java client does", (key, hash) => {
    expect(murmur2(Buffer.from(key))).toBe(hash);
  });

  // Golden: written once, never to be changed. A change here moves tokens to other partitions, and
  // with that loses the order of their events.
  it.each([
    ['tok_01J9Z3K4M5N6P7Q8R9S0T1V2W3', 12, 11],
    ['tok_01J9Z3K4M5N6P7Q8R9S0T1V2W4', 12, 4],
    ['9f1c2d3e-4b5a-4678-9abc-def012345678', 12, 7],
    ['', 12, 9],
    ['é', 12, 3],
    ['token-1', 6, 3],
    ['token-2', 6, 4],
    ['token-3', 6, 3],
    ['token-1', 1, 0],
  ])('puts %j among %i partitions into %i, for ever', (key, partitions, partition) => {
    expect(partitionOfKey(key, partitions)).toBe(partition);
  });

  it('does not depend on where in memory the key lies', () => {
    const odd = Buffer.concat([Buffer.from('x'), Buffer.from('a-little-bit-long-string')]);
    expect(murmur2(odd.subarray(1))).toBe(-985981536);
  });
});
