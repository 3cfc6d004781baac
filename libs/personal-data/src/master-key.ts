import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  randomBytes,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/** Wraps users' keys, so that the key database alone opens nothing. */
export interface MasterKey {
  /** Stored with every wrapped key, so that the master key can be changed one user at a time. */
  readonly id: string;
  readonly wrap: KeyObject;
}

/** The key database holds a key that another master key wrapped, or one that was changed. */
export class WrongMasterKey extends Error {
  override readonly name = 'WrongMasterKey';
}

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** @param bytes 32, uniformly random. */
export function masterKey(bytes: Uint8Array): MasterKey {
  if (bytes.length !== 32) throw new RangeError('the master key has 32 bytes');
  const derive = (use: string, length: number): Buffer =>
    Buffer.from(hkdfSync('sha256', bytes, '', `token-status master-key v1 ${use}`, length));
  return { id: derive('id', 6).toString('hex'), wrap: createSecretKey(derive('wrap', 32)) };
}

/** AES-256-GCM with a random 96-bit nonce, bound to whose key it is: rows can't be exchanged. */
export function wrap(
  master: MasterKey,
  userId: string,
  keyId: string,
  secret: Uint8Array,
): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, master.wrap, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(`${keyId}.${userId}`, 'utf8'));
  return Buffer.concat([nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
}

/** @throws WrongMasterKey */
export function unwrap(
  master: MasterKey,
  userId: string,
  keyId: string,
  wrapped: Uint8Array,
): Uint8Array {
  try {
    const decipher = createDecipheriv(CIPHER, master.wrap, wrapped.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(Buffer.from(`${keyId}.${userId}`, 'utf8'));
    decipher.setAuthTag(wrapped.subarray(-TAG_BYTES));
    return Buffer.concat([
      decipher.update(wrapped.subarray(NONCE_BYTES, -TAG_BYTES)),
      decipher.final(),
    ]);
  } catch {
    throw new WrongMasterKey('a stored key does not open with this master key');
  }
}
