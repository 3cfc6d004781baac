import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import {
  MAX_VERIFICATION_KEYS,
  UnusableKey,
  parseSigningKey,
  parseVerificationKeys,
  verificationKeyOf,
} from './signature-keys.js';

const pair = (): { readonly x: string; readonly d: string } => {
  const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  return { x: String(jwk.x), d: String(jwk.d) };
};
const { x, d } = pair();
const k = randomBytes(32).toString('base64url');
const privateJwk = { kty: 'OKP', crv: 'Ed25519', x, d, kid: 'relay-1' };
const publicJwk = { kty: 'OKP', crv: 'Ed25519', x, kid: 'relay-1' };
const secretJwk = { kty: 'oct', alg: 'HS256', k, kid: 'relay-2' };

const messageOf = (work: () => unknown): string => {
  try {
    work();
  } catch (fault) {
    if (fault instanceof UnusableKey) return fault.message;
    throw fault;
  }
  return 'it was taken';
};

/** None of a key's bytes, in whatever form. */
const expectNothingOf = (message: string, ...texts: readonly string[]): void => {
  for (const text of texts) expect(message).not.toContain(text.slice(0, 12));
};

describe('a signing key', () => {
  it('is an Ed25519 private key or a secret for HS256, with all that a JWK may say beyond that', () => {
    expect(parseSigningKey({ ...privateJwk, alg: 'EdDSA', use: 'sig' })).toMatchObject({
      keyid: 'relay-1',
      algorithm: 'Ed25519',
    });
    expect(parseSigningKey({ ...secretJwk, key_ops: ['sign', 'verify'] })).toMatchObject({
      keyid: 'relay-2',
      algorithm: 'HS256',
    });
  });

  it.each([
    ['no object', 'a text', 'it is no JWK, a JSON object'],
    ['a list', [privateJwk], 'it is no JWK, a JSON object'],
    ['null', null, 'it is no JWK, a JSON object'],
    ['without an id', { ...privateJwk, kid: undefined }, 'it needs a kid'],
    ['with an id that no header can have', { ...privateJwk, kid: 'a\nb' }, 'it needs a kid'],
    ['of another kind', { ...privateJwk, kty: 'RSA' }, 'its kty is neither "OKP" (Ed25519) nor'],
    ['of another curve', { ...privateJwk, crv: 'X25519' }, 'its crv is not "Ed25519"'],
    ['for another algorithm', { ...privateJwk, alg: 'HS256' }, 'its alg is neither "EdDSA" nor'],
    ['a secret for nothing said', { ...secretJwk, alg: undefined }, 'its alg is not "HS256"'],
    ['a secret for longer hashes', { ...secretJwk, alg: 'HS512' }, 'its alg is not "HS256"'],
    ['for encryption', { ...privateJwk, use: 'enc' }, 'its use is not "sig"'],
    [
      'for verifying only',
      { ...secretJwk, key_ops: ['verify'] },
      'its key_ops do not include "sign"',
    ],
    ['public', publicJwk, 'it is a public key (it has no d)'],
    ['without its public part', { ...privateJwk, x: undefined }, 'its x is missing'],
    ["with another's public part", { ...privateJwk, x: pair().x }, 'its x is not the public part'],
    ['too short', { ...privateJwk, d: d.slice(0, 40) }, 'its d has not 32 bytes'],
    ['mistyped', { ...privateJwk, d: `${d.slice(0, 42)}!` }, 'its d is not base64url'],
    ['a number', { ...privateJwk, d: 7 }, 'its d is missing'],
    ['a short secret', { ...secretJwk, k: k.slice(0, 40) }, 'its k has not 32 to 1024 bytes'],
    ['an endless secret', { ...secretJwk, k: 'A'.repeat(1368) }, 'its k has not 32 to 1024 bytes'],
    ['a secret in plain base64', { ...secretJwk, k: `${k}=` }, 'its k is not base64url'],
  ])(
    'is refused where it is %s, and the message says why and nothing of the key',
    (_, jwk, why) => {
      const message = messageOf(() => parseSigningKey(jwk));
      expect(message).toContain(why);
      expectNothingOf(message, x, d, k);
    },
  );
});

describe('a set of verification keys', () => {
  it('has public keys and secrets, each with an id of its own', () => {
    expect(parseVerificationKeys({ keys: [publicJwk, secretJwk] })).toMatchObject([
      { keyid: 'relay-1', algorithm: 'Ed25519' },
      { keyid: 'relay-2', algorithm: 'HS256' },
    ]);
  });

  it.each([
    ['no set', publicJwk, 'it is no JWK set: {"keys": […]}'],
    ['a list', [publicJwk], 'it is no JWK set: {"keys": […]}'],
    ['of no keys', { keys: [] }, 'keys is empty'],
    ['of too many', { keys: Array(MAX_VERIFICATION_KEYS + 1).fill(publicJwk) }, 'more than 64'],
    [
      'with two of one id',
      { keys: [publicJwk, { ...secretJwk, kid: 'relay-1' }] },
      'keys[1]: its kid, relay-1, is that of keys[0]',
    ],
    ['with one that is none', { keys: [secretJwk, 7] }, 'keys[1]: it is no JWK'],
    [
      'with a private key',
      { keys: [secretJwk, privateJwk] },
      'keys[1]: it is a private key (it has d)',
    ],
    [
      'with one for signing only',
      { keys: [{ ...publicJwk, key_ops: ['sign'] }] },
      'keys[0]: its key_ops do not include "verify"',
    ],
  ])(
    'is refused where it is %s, and the message says why and nothing of the keys',
    (_, jwks, why) => {
      const message = messageOf(() => parseVerificationKeys(jwks));
      expect(message).toContain(why);
      expectNothingOf(message, x, d, k);
    },
  );

  it('tells one key from another by a fingerprint that gives nothing of a secret away', () => {
    const fingerprint = (jwk: object): string =>
      parseVerificationKeys({ keys: [jwk] })[0]!.fingerprint;
    const all = [
      fingerprint(publicJwk),
      fingerprint({ ...publicJwk, kid: 'other' }),
      fingerprint({ ...publicJwk, x: pair().x }),
      fingerprint(secretJwk),
      fingerprint({ ...secretJwk, kid: 'relay-1' }),
      fingerprint({ ...secretJwk, k: randomBytes(32).toString('base64url') }),
    ];
    expect(new Set(all).size).toBe(all.length);
    expect(fingerprint({ ...publicJwk, alg: 'EdDSA' })).toBe(fingerprint(publicJwk));
    expect(all).not.toContain(createHash('sha256').update(k, 'base64url').digest('hex'));
  });

  it('is what the signing key says that verifies it', () => {
    for (const [signing, verifying] of [
      [privateJwk, publicJwk],
      [secretJwk, secretJwk],
    ] as const) {
      const [key] = parseVerificationKeys({ keys: [verifying] });
      expect(verificationKeyOf(parseSigningKey(signing)).fingerprint).toBe(key?.fingerprint);
    }
  });

  it('shows no key to whoever prints or logs it', () => {
    const keys = [...parseVerificationKeys({ keys: [secretJwk] }), parseSigningKey(secretJwk)];
    expectNothingOf(JSON.stringify(keys), k);
  });
});
