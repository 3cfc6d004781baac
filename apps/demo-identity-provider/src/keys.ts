import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { JsonWebKey } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface ProviderKeys {
  /** Signs tokens; ES256. */
  readonly signing: JsonWebKey & {
    readonly kid: string;
    readonly use: 'sig';
    readonly alg: 'ES256';
  };
  /** Signs the sign-in page's cookies. */
  readonly cookies: string;
}

function generateKeys(): ProviderKeys {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    signing: {
      ...privateKey.export({ format: 'jwk' }),
      kid: randomBytes(8).toString('hex'),
      use: 'sig',
      alg: 'ES256',
    },
    cookies: randomBytes(32).toString('hex'),
  };
}

/**
 * New keys; or, with a file, the ones in it, so that tokens outlive a restart. The file is made, readable
 * by its owner only, where there is none.
 */
export async function providerKeys(file: string | undefined): Promise<ProviderKeys> {
  if (file === undefined) return generateKeys();
  const keys = generateKeys();
  await mkdir(dirname(file), { recursive: true });
  try {
    await writeFile(file, JSON.stringify(keys), { mode: 0o600, flag: 'wx' });
    return keys;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return parseKeys(await readFile(file, 'utf8'), file);
}

function parseKeys(text: string, file: string): ProviderKeys {
  let keys: Partial<ProviderKeys> | null = null;
  try {
    keys = JSON.parse(text) as Partial<ProviderKeys> | null;
  } catch {
    // A parser's message would repeat what it read.
  }
  if (keys?.signing?.kid === undefined || typeof keys.cookies !== 'string') {
    throw new Error(
      `${file} holds no keys of the demo identity provider: remove it to get new ones`,
    );
  }
  return keys as ProviderKeys;
}
