import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/**
 * The keys by which records are signed and verified, as JWKs (RFC 7517): an Ed25519 key pair
 * (RFC 8037), of which only the relay has the private part, or a secret for HMAC-SHA-256, by which
 * everybody who can verify can sign, too.
 */
export type SignatureAlgorithm = 'Ed25519' | 'HS256';

export interface SigningKey {
  /** The JWK's `kid`. */
  readonly keyid: string;
  readonly algorithm: SignatureAlgorithm;
  /** Private, or secret. */
  readonly key: KeyObject;
}

export interface VerificationKey {
  readonly keyid: string;
  readonly algorithm: SignatureAlgorithm;
  /** Public, or secret. */
  readonly key: KeyObject;
  /** Hex; another one for another key, id or algorithm. Gives nothing of a secret away. */
  readonly fingerprint: string;
}

/** What was given is no such key; the message says why and repeats nothing of it but a valid `kid`. */
export class UnusableKey extends Error {
  override readonly name = 'UnusableKey';
}

export const MAX_VERIFICATION_KEYS = 64;
/** RFC 7518, 3.2: a key for HS256 has at least as many bytes as its hash. */
const MIN_SECRET_BYTES = 32;
const MAX_SECRET_BYTES = 1024;
const ED25519_BYTES = 32;
const KID = /^[A-Za-z0-9._:-]{1,128}$/;

type Jwk = Readonly<Record<string, unknown>>;

/**
 * @param jwk `{kty: 'OKP', crv: 'Ed25519', x, d, kid}` or `{kty: 'oct', alg: 'HS256', k, kid}`.
 * @throws UnusableKey
 */
export function parseSigningKey(jwk: unknown): SigningKey {
  const { keyid, algorithm, members } = begin(jwk, 'sign');
  if (algorithm === 'HS256') return { keyid, algorithm, key: secretOf(members) };
  if (members.d === undefined) {
    throw new UnusableKey('it is a public key (it has no d): signing needs the private one');
  }
  const d = bytesOf(members, 'd', ED25519_BYTES).toString('base64url');
  const x = bytesOf(members, 'x', ED25519_BYTES).toString('base64url');
  const key = imported(() =>
    createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', x, d }, format: 'jwk' }),
  );
  // Else it would sign what nobody can verify by the public part that is handed out with it.
  if (createPublicKey(key).export({ format: 'jwk' }).x !== x) {
    throw new UnusableKey('its x is not the public part of its d');
  }
  return { keyid, algorithm, key };
}

/**
 * @param jwks a JWK set, `{keys: [...]}`, of Ed25519 public keys and HS256 secrets; 1 to 64, each with
 *   a `kid` of its own: a record names its key by that alone, and the key says which algorithm it is for.
 * @throws UnusableKey naming the first that is wrong by its place.
 */
export function parseVerificationKeys(jwks: unknown): readonly VerificationKey[] {
  const list: unknown = isObject(jwks) ? jwks.keys : undefined;
  if (!Array.isArray(list)) throw new UnusableKey('it is no JWK set: {"keys": […]}');
  if (list.length === 0) throw new UnusableKey('keys is empty');
  if (list.length > MAX_VERIFICATION_KEYS) {
    throw new UnusableKey(`keys has more than ${MAX_VERIFICATION_KEYS} entries`);
  }
  const keys = list.map((jwk: unknown, at) => {
    try {
      return parseVerificationKey(jwk);
    } catch (fault) {
      if (!(fault instanceof UnusableKey)) throw fault;
      throw new UnusableKey(`keys[${at}]: ${fault.message}`);
    }
  });
  keys.forEach(({ keyid }, at) => {
    const first = keys.findIndex((other) => other.keyid === keyid);
    if (first !== at) {
      throw new UnusableKey(`keys[${at}]: its kid, ${keyid}, is that of keys[${first}]`);
    }
  });
  return keys;
}

/** What verifies what the key signs. */
export function verificationKeyOf({ keyid, algorithm, key }: SigningKey): VerificationKey {
  return verificationKey(keyid, algorithm, algorithm === 'HS256' ? key : createPublicKey(key));
}

function parseVerificationKey(jwk: unknown): VerificationKey {
  const { keyid, algorithm, members } = begin(jwk, 'verify');
  if (algorithm === 'HS256') return verificationKey(keyid, algorithm, secretOf(members));
  if (members.d !== undefined) {
    throw new UnusableKey(
      'it is a private key (it has d), and verifying needs the public part alone',
    );
  }
  const x = bytesOf(members, 'x', ED25519_BYTES).toString('base64url');
  const key = imported(() =>
    createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }),
  );
  return verificationKey(keyid, algorithm, key);
}

function verificationKey(
  keyid: string,
  algorithm: SignatureAlgorithm,
  key: KeyObject,
): VerificationKey {
  const what = `token-status verification key\n${algorithm}\n${keyid}\n`;
  const fingerprint =
    algorithm === 'HS256'
      ? createHmac('sha256', key).update(what).digest('hex')
      : createHash('sha256')
          .update(what + String(key.export({ format: 'jwk' }).x))
          .digest('hex');
  return { keyid, algorithm, key, fingerprint };
}

/** What all keys have, before what each kind has. */
function begin(
  jwk: unknown,
  operation: 'sign' | 'verify',
): { keyid: string; algorithm: SignatureAlgorithm; members: Jwk } {
  if (!isObject(jwk)) throw new UnusableKey('it is no JWK, a JSON object');
  const { kty, crv, alg, kid, use, key_ops: operations } = jwk;
  if (typeof kid !== 'string' || !KID.test(kid)) {
    throw new UnusableKey('it needs a kid: 1 to 128 letters, digits, ".", "_", ":" and "-"');
  }
  if (kty !== 'OKP' && kty !== 'oct') {
    throw new UnusableKey('its kty is neither "OKP" (Ed25519) nor "oct" (HS256)');
  }
  if (kty === 'OKP' && crv !== 'Ed25519') throw new UnusableKey('its crv is not "Ed25519"');
  if (kty === 'OKP' && alg !== undefined && alg !== 'EdDSA' && alg !== 'Ed25519') {
    throw new UnusableKey('its alg is neither "EdDSA" nor "Ed25519"');
  }
  if (kty === 'oct' && alg !== 'HS256') throw new UnusableKey('its alg is not "HS256"');
  if (use !== undefined && use !== 'sig') throw new UnusableKey('its use is not "sig"');
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes(operation))) {
    throw new UnusableKey(`its key_ops do not include "${operation}"`);
  }
  return { keyid: kid, algorithm: kty === 'OKP' ? 'Ed25519' : 'HS256', members: jwk };
}

function secretOf(members: Jwk): KeyObject {
  const bytes = bytesOf(members, 'k');
  if (bytes.length < MIN_SECRET_BYTES || bytes.length > MAX_SECRET_BYTES) {
    throw new UnusableKey(`its k has not ${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES} bytes`);
  }
  return createSecretKey(bytes);
}

function bytesOf(members: Jwk, name: 'x' | 'd' | 'k', length?: number): Buffer {
  const text = members[name];
  if (typeof text !== 'string') throw new UnusableKey(`its ${name} is missing`);
  const bytes = Buffer.from(text, 'base64url');
  // Node reads over what is not base64url; a mistyped key must not pass as another one.
  if (bytes.toString('base64url') !== text) throw new UnusableKey(`its ${name} is not base64url`);
  if (length !== undefined && bytes.length !== length) {
    throw new UnusableKey(`its ${name} has not ${length} bytes`);
  }
  return bytes;
}

function imported(read: () => KeyObject): KeyObject {
  try {
    return read();
  } catch {
    // Not the cause's message: nobody knows what it repeats.
    throw new UnusableKey('it is no Ed25519 key');
  }
}

const isObject = (value: unknown): value is Jwk =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
