import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { UnreadableSeal } from './personal-data.js';
import { isSealable, keyIdOf, newKeyId, open, seal, userKey } from './user-key.js';

const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).filter(isSealable);
const key = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((secret) => userKey(newKeyId(), secret));
const userId = fc.string({ minLength: 1, maxLength: 30 });

describe('a text sealed with a user’s key', () => {
  it('opens as the text in NFC, and names its key', () => {
    fc.assert(
      fc.property(key, userId, text, (k, user, t) => {
        const sealed = seal(k, user, t);
        expect(open(k, user, sealed)).toBe(t.normalize('NFC'));
        expect(keyIdOf(sealed)).toBe(k.id);
      }),
    );
  });

  it('is alike if and only if the texts are alike in NFC', () => {
    fc.assert(
      fc.property(key, userId, text, text, (k, user, a, b) => {
        expect(seal(k, user, a)).toBe(seal(k, user, a.normalize('NFD')));
        expect(seal(k, user, a) === seal(k, user, b)).toBe(
          a.normalize('NFC') === b.normalize('NFC'),
        );
      }),
    );
  });

  it('fits into an event: printable ASCII, at most 4,096 characters', () => {
    fc.assert(
      fc.property(key, userId, text, fc.integer({ min: 1, max: 1000 }), (k, user, t, times) => {
        const long = t.repeat(times);
        fc.pre(isSealable(long));
        expect(seal(k, user, long)).toMatch(/^[\x21-\x7e]{1,4096}$/);
      }),
    );
    expect(
      seal(userKey(newKeyId(), new Uint8Array(32)), 'u', '語'.repeat(1000)).length,
    ).toBeLessThan(4096);
  });

  it('opens with no other key, for no other user, and not once a character was changed', () => {
    fc.assert(
      fc.property(key, key, userId, userId, text, fc.nat(), (k, other, user, stranger, t, at) => {
        fc.pre(user !== stranger);
        const sealed = seal(k, user, t);
        const i = at % sealed.length;
        const changed = sealed.slice(0, i) + (sealed[i] === 'x' ? 'y' : 'x') + sealed.slice(i + 1);
        expect(() => open(k, stranger, sealed)).toThrow(UnreadableSeal);
        expect(() => open(other, user, sealed)).toThrow(UnreadableSeal);
        expect(() => open({ ...other, id: k.id }, user, sealed)).toThrow(UnreadableSeal);
        expect(() => open(k, user, changed)).toThrow(UnreadableSeal);
      }),
    );
  });

  it('is refused, and nothing else happens, where it is any other text', () => {
    const k = userKey(newKeyId(), new Uint8Array(32));
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (junk) => {
        expect(() => open(k, 'u', junk)).toThrow(UnreadableSeal);
        expect(() => open(k, 'u', `v1.${k.id}.${junk}`)).toThrow(UnreadableSeal);
      }),
    );
  });

  it('never changes its form: what was sealed once opens for ever', () => {
    const k = userKey(
      'AAECAwQFBgc',
      Uint8Array.from({ length: 32 }, (_, i) => i),
    );
    const sealed = seal(k, 'u-alice', 'Laptop');
    expect(sealed).toBe('v1.AAECAwQFBgc.0e8I-AyV5qPH4mLwH0l4YeIepDBwRlsU5XsOTMJ91VSQxA');
    expect(open(k, 'u-alice', sealed)).toBe('Laptop');
  });
});
