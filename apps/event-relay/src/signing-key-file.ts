import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { UnusableKey, parseSigningKey } from '@token-status/contracts';
import type { SigningKey } from '@token-status/contracts';
import type { Setting, SettingOptions } from '@token-status/platform';

export interface SigningKeyFile {
  readonly key: SigningKey;
  /** Somebody else on this machine may read it, and so sign as the relay does. */
  readonly othersMayRead: boolean;
}

/** Far more than one key takes. */
const MAX_BYTES = 64 * 1024;
const OTHERS_READ = 0o004;

/** A setting that names a file with a private key (JWK); read, once, when the settings are. */
export const signingKeyFile = ({
  description,
  example,
}: Pick<SettingOptions<string>, 'description' | 'example'>): Setting<
  SigningKeyFile | undefined
> => ({
  description,
  form: 'a file with one private key as a JWK: Ed25519, or HS256',
  parse: readSigningKeyFile,
  default: undefined,
  developmentDefault: undefined,
  optional: true,
  example,
  // The path is none; but a key that somebody put here itself must not be shown as what is wrong.
  secret: true,
});

/** @throws Error that says what is wrong, and nothing of what the file holds. */
export function readSigningKeyFile(path: string): SigningKeyFile {
  const { text, mode } = read(path);
  const jwk = jsonOf(text);
  if (jwk === undefined) throw new Error('names a file that is not JSON');
  try {
    return { key: parseSigningKey(jwk), othersMayRead: (mode & OTHERS_READ) !== 0 };
  } catch (cause) {
    if (!(cause instanceof UnusableKey)) throw cause;
    throw new Error(`names a file with a key that can't be used: ${cause.message}`, { cause });
  }
}

function read(path: string): { readonly text: string; readonly mode: number } {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const { size, mode } = fstatSync(file);
    if (size <= MAX_BYTES) return { text: readFileSync(file, 'utf8'), mode };
  } catch (cause) {
    // Its message would repeat the path, and that may be a key that somebody put here by mistake.
    const { code = 'unknown fault' } = cause as NodeJS.ErrnoException;
    throw new Error(`names a file that can't be read: ${code}`, { cause });
  } finally {
    if (file !== undefined) closeSync(file);
  }
  throw new Error('names a file that is too large for a key');
}

/** undefined for what is not JSON: the parser's message would repeat some of it. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
