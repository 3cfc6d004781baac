import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readFile, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

/** Where the standalone process keeps everything. */
export interface DataFolder {
  readonly path: string;
  readonly log: string;
  readonly readModel: string;
  /** Apart from the log, so that a copy of the log holds no key (`precise.md` 23). */
  readonly personalData: string;
  readonly issuerKeys: string;
  readonly fingerprintKey: Uint8Array;
  readonly personalDataKey: Uint8Array;
}

const KEY_BYTES = 32;

/**
 * Makes the folder, its files and keys at the first start; readable by its owner only, in a folder that
 * was there before, too.
 */
export async function openDataFolder(path: string): Promise<DataFolder> {
  const folder = resolve(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return {
    path: folder,
    log: await database(join(folder, 'log.sqlite')),
    readModel: await database(join(folder, 'read-model.sqlite')),
    personalData: await database(join(folder, 'personal-data.sqlite')),
    issuerKeys: join(folder, 'issuer-keys.json'),
    fingerprintKey: await key(join(folder, 'fingerprint.key')),
    personalDataKey: await key(join(folder, 'personal-data.key')),
  };
}

/** An empty file is an empty database; SQLite gives its side files the mode of the file itself. */
async function database(file: string): Promise<string> {
  const handle = await open(file, 'a', 0o600);
  try {
    await handle.chmod(0o600);
  } finally {
    await handle.close();
  }
  return file;
}

/** @throws Error where the file holds no key: making another would make what it sealed unreadable. */
async function key(file: string): Promise<Uint8Array> {
  try {
    const text = (await readFile(file, 'utf8')).trim();
    if (!/^[0-9a-f]{64}$/.test(text)) {
      throw new Error(`${file} holds no key of ${KEY_BYTES} bytes in hexadecimal`);
    }
    return Buffer.from(text, 'hex');
  } catch (fault) {
    if (!(fault instanceof Error && 'code' in fault && fault.code === 'ENOENT')) throw fault;
  }
  const made = randomBytes(KEY_BYTES);
  // Aside and renamed: a crash leaves a whole key or none.
  await writeFile(`${file}.new`, made.toString('hex'), { mode: 0o600 });
  await chmod(`${file}.new`, 0o600);
  await rename(`${file}.new`, file);
  return made;
}
