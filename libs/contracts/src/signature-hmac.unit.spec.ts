import { createHmac, createSecretKey } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { HmacOfTexts } from './signature-hmac.js';

describe('HMAC-SHA-256 of one text after another', () => {
  it("is Node's own, of any texts, in any order, under keys shorter and longer than a block", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 200 }),
        fc.array(
          fc.oneof(fc.string({ unit: 'binary' }), fc.string({ minLength: 2000, maxLength: 5000 })),
          { maxLength: 5 },
        ),
        (bytes, texts) => {
          const key = createSecretKey(bytes);
          const hmac = new HmacOfTexts(key);
          for (const text of texts) {
            const right = createHmac('sha256', key).update(text).digest('base64url');
            expect(hmac.of(text)).toBe(right);
            expect(hmac.is(text, right)).toBe(true);
          }
        },
      ),
    );
  });

  it('is what RFC 4231 says (its test case 6: a key longer than a block)', () => {
    const hmac = new HmacOfTexts(createSecretKey(Buffer.alloc(131, 0xaa)));
    expect(
      Buffer.from(
        hmac.of('Test Using Larger Than Block-Size Key - Hash Key First'),
        'base64url',
      ).toString('hex'),
    ).toBe('60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54');
  });

  it('is nothing else than that, in its one form', () => {
    const hmac = new HmacOfTexts(createSecretKey(Buffer.alloc(32, 1)));
    const right = hmac.of('a text');
    expect(hmac.is('a text', right)).toBe(true);
    expect(hmac.is('another', right)).toBe(false);
    for (const wrong of [
      '',
      `${right}=`,
      right.slice(1),
      `${right.slice(0, 42)}\u0161`,
      right.toUpperCase(),
    ]) {
      expect(hmac.is('a text', wrong)).toBe(false);
    }
  });
});
