import { createHmac, hash, randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';

/**
 * The form of a secret (decision 10): `tst_`, 30 random characters of base 62 (178 bits), and the
 * CRC-32 of all that before it as 6 characters of base 62 — so scanners can find one, and a malformed
 * one is refused without a look-up. The hint is the first 6 random characters.
 */
const PREFIX = 'tst_';
const RANDOM_LENGTH = 30;
const CHECKSUM_LENGTH = 6;
const HINT_LENGTH = 6;
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const FORM = new RegExp(`^${PREFIX}[0-9A-Za-z]{${RANDOM_LENGTH + CHECKSUM_LENGTH}}$`);

export function newSecret(): string {
  let secret = PREFIX;
  for (let i = 0; i < RANDOM_LENGTH; i++) secret += DIGITS.charAt(randomInt(DIGITS.length));
  return secret + checksum(secret);
}

/** Whether the form and the checksum are right; says nothing about whether such a token exists. */
export const isWellFormedSecret = (text: string): boolean =>
  FORM.test(text) && text.slice(-CHECKSUM_LENGTH) === checksum(text.slice(0, -CHECKSUM_LENGTH));

/** SHA-256 of the whole secret, hex: the only thing that is kept of it. */
export const secretDigest = (secret: string): string => hash('sha256', secret, 'hex');

export const hintOf = (secret: string): string =>
  secret.slice(PREFIX.length, PREFIX.length + HINT_LENGTH);

/**
 * HMAC-SHA-256 of a user name under the token's own secret, hex (`precise.md` 23): fixed at creation,
 * when the secret is known, and checked by whoever is shown both again. No key is shared, and who reads
 * the log can't try names. Names are compared as Unicode NFC.
 */
export const userNameDigest = (secret: string, userName: string): string =>
  createHmac('sha256', secret).update(userName.normalize('NFC'), 'utf8').digest('hex');

function checksum(text: string): string {
  let value = crc32(text);
  let digits = '';
  for (let i = 0; i < CHECKSUM_LENGTH; i++) {
    digits = DIGITS.charAt(value % DIGITS.length) + digits;
    value = Math.floor(value / DIGITS.length);
  }
  return digits;
}
