import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  randomBytes,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { UnreadableSeal } from './personal-data.js';

/** A user's key, opened: its id, which each sealed text names, and the two keys derived from it. */
export interface UserKey {
  readonly id: string;
  readonly encrypt: KeyObject;
  readonly nonce: KeyObject;
}

export const USER_KEY_BYTES = 32;

const VERSION = 'v1';
const CIPHER = 'aes-256-gcm';
const KEY_ID = /^[A-Za-z0-9_-]{11}$/;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** 64 random bits: an id only has to differ among one user's keys. */
export const newKeyId = (): string => randomBytes(8).toString('base64url');

/**
 * One secret, two keys: HKDF-SHA-256 (RFC 5869) with what each is for. AES-GCM and HMAC never share one.
 *
 * @param secret 32 bytes, uniformly random.
 */
export function userKey(id: string, secret: Uint8Array): UserKey {
  return { id, encrypt: derive(secret, 'encrypt'), nonce: derive(secret, 'nonce') };
}

function derive(secret: Uint8Array, use: string): KeyObject {
  const info = `token-status personal-data ${VERSION} ${use}`;
  return createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', info, 32)));
}

/** What can be sealed: 1 to 1,000 characters (code points) and at most 3,000 bytes of UTF-8. */
export const MAX_TEXT_CHARACTERS = 1000;
/** So that a sealed text keeps to 4,096 characters, which is what an event may hold. */
export const MAX_TEXT_BYTES = 3000;

/** Whether a text, once in NFC, is one that {@link seal} takes: its length is right and it is Unicode. */
export function isSealable(text: string): boolean {
  const normal = text.normalize('NFC');
  return (
    normal.length >= 1 &&
    normal.length <= 2 * MAX_TEXT_CHARACTERS &&
    // A lone surrogate has no UTF-8, and would come back as another character.
    normal.isWellFormed() &&
    Array.from(normal).length <= MAX_TEXT_CHARACTERS &&
    Buffer.byteLength(normal, 'utf8') <= MAX_TEXT_BYTES
  );
}

/**
 * AES-256-GCM with a synthetic nonce: the first 96 bits of HMAC-SHA-256 over the text, so the same
 * text always gives the same sealed text, and different ones share a nonce with a chance of 2⁻⁹⁶ a pair.
 *
 * @returns `v1.<key id>.<base64url of nonce, ciphertext, tag>`
 * @throws RangeError where the text is not {@link isSealable}; the text is not in the message.
 */
export function seal(key: UserKey, userId: string, text: string): string {
  if (!isSealable(text)) {
    throw new RangeError(
      `a text to seal has 1 to ${MAX_TEXT_CHARACTERS} characters, at most ${MAX_TEXT_BYTES} bytes, and no lone surrogate`,
    );
  }
  const plain = Buffer.from(text.normalize('NFC'), 'utf8');
  const nonce = createHmac('sha256', key.nonce).update(plain).digest().subarray(0, NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key.encrypt, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(associated(key.id, userId));
  const body = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  return `${VERSION}.${key.id}.${body.toString('base64url')}`;
}

/** The key that a sealed text names. @throws UnreadableSeal where it has not the form of one. */
export function keyIdOf(sealed: string): string {
  return parse(sealed).keyId;
}

/** @throws UnreadableSeal where the text was changed, or was not sealed with this key for this user. */
export function open(key: UserKey, userId: string, sealed: string): string {
  const { keyId, body } = parse(sealed);
  if (keyId !== key.id) throw new UnreadableSeal('the text was sealed with another key');
  const decipher = createDecipheriv(CIPHER, key.encrypt, body.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(associated(keyId, userId));
  decipher.setAuthTag(body.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([
      decipher.update(body.subarray(NONCE_BYTES, -TAG_BYTES)),
      decipher.final(),
    ]).toString('utf8');
  } catch {
    throw new UnreadableSeal('the sealed text was changed, or is another user’s');
  }
}

function parse(sealed: string): { readonly keyId: string; readonly body: Buffer } {
  const [version, keyId = '', encoded = '', ...rest] = sealed.split('.');
  const body = Buffer.from(encoded, 'base64url');
  if (
    version !== VERSION ||
    !KEY_ID.test(keyId) ||
    rest.length > 0 ||
    body.length <= NONCE_BYTES + TAG_BYTES ||
    // Base64 has several spellings of the same bytes; only one of them was written by us.
    body.toString('base64url') !== encoded
  ) {
    throw new UnreadableSeal('this is no sealed text');
  }
  return { keyId, body };
}

/** A key id has a fixed length, so no two pairs read alike. */
const associated = (keyId: string, userId: string): Buffer =>
  Buffer.from(`${VERSION}.${keyId}.${userId}`, 'utf8');
