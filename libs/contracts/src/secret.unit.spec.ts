import { createHash, createHmac } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { hintOf, isWellFormedSecret, newSecret, secretDigest, userNameDigest } from './secret.js';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const secret = fc.constant(null).map(newSecret);
const place = fc.nat({ max: 39 });

/** Made once and written here: what scanners out there were told must stay so. */
const KNOWN = 'tst_0123456789ABCDEFGHIJKLMNOPQRST';

describe('a secret', () => {
  it('has the form that scanners look for: tst_, 30 random characters, 6 of checksum', () => {
    for (let i = 0; i < 200; i++) {
      const one = newSecret();
      expect(one).toMatch(/^tst_[0-9A-Za-z]{36}$/);
      expect(isWellFormedSecret(one)).toBe(true);
    }
  });

  it('is another one each time, and uses every character at every place', () => {
    const many = Array.from({ length: 2000 }, newSecret);
    expect(new Set(many).size).toBe(many.length);
    for (let i = 4; i < 34; i++) {
      const used = new Set(many.map((one) => one.charAt(i)));
      expect([...used].sort().join('')).toBe(ALPHABET);
    }
  });

  it('has over 170 random bits', () => {
    expect(30 * Math.log2(ALPHABET.length)).toBeGreaterThan(170);
  });

  it('ends in the CRC-32 of what comes before, in base 62', () => {
    const digitsOf = (text: string): string => {
      let value = crc32(text);
      let digits = '';
      for (let i = 0; i < 6; i++) {
        digits = ALPHABET.charAt(value % 62) + digits;
        value = Math.floor(value / 62);
      }
      return digits;
    };
    fc.assert(
      fc.property(secret, (one) => {
        expect(one.slice(-6)).toBe(digitsOf(one.slice(0, -6)));
      }),
    );
    const digits = digitsOf(KNOWN);
    expect(isWellFormedSecret(KNOWN + digits)).toBe(true);
    expect(KNOWN + digits).toBe('tst_0123456789ABCDEFGHIJKLMNOPQRST2IeD7B');
  });

  it('is malformed after any change of a single character', () => {
    fc.assert(
      fc.property(
        secret,
        place,
        fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
        (one, i, other) => {
          fc.pre(other !== one.charAt(i));
          expect(isWellFormedSecret(one.slice(0, i) + other + one.slice(i + 1))).toBe(false);
        },
      ),
    );
    const one = newSecret();
    for (let i = 0; i < one.length; i++) {
      for (const other of ALPHABET) {
        if (other === one.charAt(i)) continue;
        expect(isWellFormedSecret(one.slice(0, i) + other + one.slice(i + 1))).toBe(false);
      }
    }
  });

  it('is malformed after two neighbours changed places, a character was lost or one came in', () => {
    fc.assert(
      fc.property(secret, place, fc.constantFrom(...ALPHABET.split(/(?:)/)), (one, i, extra) => {
        const [a, b] = [one.charAt(i), one.charAt(i + 1)];
        if (b !== '' && a !== b) {
          expect(isWellFormedSecret(one.slice(0, i) + b + a + one.slice(i + 2))).toBe(false);
        }
        expect(isWellFormedSecret(one.slice(0, i) + one.slice(i + 1))).toBe(false);
        expect(isWellFormedSecret(one.slice(0, i) + extra + one.slice(i))).toBe(false);
      }),
    );
  });

  it.each(['', 'tst_', ' ', 'tst_' + '0'.repeat(36), 'x'.repeat(100_000), 'tst_\u0000'])(
    'is not %j',
    (text) => {
      expect(isWellFormedSecret(text)).toBe(false);
    },
  );

  it('is malformed with anything around it', () => {
    const one = newSecret();
    for (const text of [` ${one}`, `${one} `, `${one}\n`, `\n${one}`, `${one}${one}`]) {
      expect(isWellFormedSecret(text)).toBe(false);
    }
  });
});

describe('what is kept of a secret', () => {
  it('is its SHA-256', () => {
    fc.assert(
      fc.property(secret, (one) => {
        expect(secretDigest(one)).toBe(createHash('sha256').update(one).digest('hex'));
      }),
    );
    expect(secretDigest('abc')).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
  });

  it('and as a hint the first 6 of its random characters', () => {
    expect(hintOf(`${KNOWN}000000`)).toBe('012345');
  });
});

describe('the digest of a user name', () => {
  const secret = newSecret();

  it("is its HMAC-SHA-256 under the token's secret", () => {
    expect(userNameDigest(secret, 'alice@example.com')).toBe(
      createHmac('sha256', secret).update('alice@example.com').digest('hex'),
    );
  });

  it('is the same for the two ways of writing an umlaut, and no other name has it', () => {
    expect(userNameDigest(secret, 'J\u00fcrgen')).toBe(userNameDigest(secret, 'Ju\u0308rgen'));
    for (const other of ['jürgen', 'Jurgen', 'Jürgen ', '']) {
      expect(userNameDigest(secret, other)).not.toBe(userNameDigest(secret, 'Jürgen'));
    }
  });

  it('is another under another secret', () => {
    expect(userNameDigest(newSecret(), 'alice')).not.toBe(userNameDigest(secret, 'alice'));
  });
});
