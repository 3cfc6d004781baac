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
const CHECKED_LENGTH = PREFIX.length + RANDOM_LENGTH;
const LENGTH = CHECKED_LENGTH + CHECKSUM_LENGTH;
/** Codes of ASCII characters. */
const CODES = 128;
/** By code; -1 for what is no digit. */
const DIGIT_VALUES = Int8Array.from({ length: CODES }, (_, code) =>
  DIGITS.indexOf(String.fromCharCode(code)),
);
/**
 * CRC-32 is linear: each character at each place changes it by a word of its own, whatever the others
 * are. So no step waits for the one before it, as in the usual loop, which takes twice as long. By place
 * and code; 0 for what can't stand there.
 */
const CRC_OF_ZEROS = crc32('\0'.repeat(CHECKED_LENGTH));
const CRC_CHANGES = Int32Array.from({ length: CHECKED_LENGTH * CODES }, (_, at) => {
  const place = Math.floor(at / CODES);
  const character = String.fromCharCode(at % CODES);
  const allowed = PREFIX[place] ?? DIGITS;
  if (!allowed.includes(character)) return 0;
  return crc32('\0'.repeat(place) + character.padEnd(CHECKED_LENGTH - place, '\0')) ^ CRC_OF_ZEROS;
});

export function newSecret(): string {
  let secret = PREFIX;
  for (let i = 0; i < RANDOM_LENGTH; i++) secret += DIGITS.charAt(randomInt(DIGITS.length));
  return secret + checksum(secret);
}

/**
 * Whether the form and the checksum are right; says nothing about whether such a token exists. One pass
 * and no other string: every request that a gateway answers comes through here.
 *
 * @param from where in the text the secret begins; it must reach to the end.
 */
export function isWellFormedSecret(text: string, from = 0): boolean {
  if (text.length - from !== LENGTH) return false;
  let crc = CRC_OF_ZEROS;
  let codes = 0;
  for (let place = 0; place < CHECKED_LENGTH; place++) {
    const code = text.charCodeAt(from + place);
    codes |= code;
    const change = CRC_CHANGES[place * CODES + (code % CODES)] ?? 0;
    if (change === 0) return false;
    crc ^= change;
  }
  if (codes >= CODES) return false;
  let told = 0;
  for (let place = CHECKED_LENGTH; place < LENGTH; place++) {
    const value = DIGIT_VALUES[text.charCodeAt(from + place)] ?? -1;
    if (value < 0) return false;
    told = told * DIGITS.length + value;
  }
  return told === crc >>> 0;
}

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
