import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Watermark } from './watermark.js';

describe('the watermark', () => {
  it('is 0 before anything was seen, and stays there while position 1 is missing', () => {
    const watermark = new Watermark();
    expect(watermark.value).toBe(0);
    watermark.see(2);
    watermark.see(3);
    expect(watermark.value).toBe(0);
    watermark.see(1);
    expect(watermark.value).toBe(3);
  });

  it('is the highest position with none missing below it, in whatever order and however often they come', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 200 }), (positions) => {
        const watermark = new Watermark();
        const seen = new Set<number>();
        for (const position of positions) {
          watermark.see(position);
          seen.add(position);
          let expected = 0;
          while (seen.has(expected + 1)) expected++;
          expect(watermark.value).toBe(expected);
        }
      }),
    );
  });

  it('closes a gap across many chunks when one partition is read wholly before the other', () => {
    const watermark = new Watermark();
    const last = 100_000;
    for (let position = 2; position <= last; position += 2) watermark.see(position);
    expect(watermark.value).toBe(0);
    for (let position = 1; position <= last; position += 2) watermark.see(position);
    expect(watermark.value).toBe(last);
    watermark.see(last + 1);
    expect(watermark.value).toBe(last + 1);
  });

  it('is not moved by one position far ahead, beyond 32 bits', () => {
    const watermark = new Watermark();
    watermark.see(2 ** 40);
    watermark.see(1);
    watermark.see(2);
    expect(watermark.value).toBe(2);
  });
});
