import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { freePort } from '../servers/index.js';
import { makeServerFolder } from '../servers/server-folder.js';
import { runServer } from '../servers/server-process.js';
import type { RunningServer } from '../servers/server-process.js';

const EXAMPLES = resolve(import.meta.dirname, '../../apps/auth-gateway/examples');

/** Where the three parts are in this test. */
export interface Ports {
  readonly proxy: number;
  readonly gateway: number;
  readonly upstream: number;
}

/** Where they are in the examples. */
const IN_EXAMPLES: Ports = { proxy: 8080, gateway: 3001, upstream: 8081 };
const GRPC_IN_EXAMPLES = 3003;

export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
}

/** How a proxy runs the files of its example. */
export interface ProxyKind {
  readonly name: 'nginx' | 'haproxy' | 'caddy' | 'envoy';
  /** The files of the example; the first one holds the ports. */
  readonly files: readonly [string, ...string[]];
  /** How it asks the gateway; HTTP where left out. */
  readonly over?: 'grpc';
  /** Literal texts that must differ between processes on one machine, besides ports. */
  readonly unique?: readonly string[];
  /** Writes into the folder, beside the example, what surrounds it; the program stays in the foreground. */
  launch(folder: string): Launch | Promise<Launch>;
}

export interface Proxy {
  readonly port: number;
  stop(): Promise<void>;
}

/** A proxy's process with the very files of the example; only ports are others. */
export async function startProxy(
  kind: ProxyKind,
  behind: Pick<Ports, 'gateway' | 'upstream'>,
): Promise<Proxy> {
  const ports: Ports = { ...behind, proxy: await freePort() };
  const folder = makeServerFolder(kind.name);
  let launch: Launch;
  try {
    for (const file of kind.files) {
      const text = readFileSync(join(EXAMPLES, kind.name, file), 'utf8');
      writeFileSync(join(folder.path, file), withPorts(text, ports, kind, file));
    }
    launch = await kind.launch(folder.path);
  } catch (error) {
    await folder.remove();
    throw error;
  }
  const server: RunningServer = await runServer({
    name: kind.name,
    ...launch,
    folder,
    answers: () => listens(ports.proxy),
  });
  return { port: ports.proxy, stop: () => server.stop() };
}

function withPorts(text: string, ports: Ports, kind: ProxyKind, file: string): string {
  let filled = text;
  const isFirst = file === kind.files[0];
  const inExample =
    kind.over === 'grpc' ? { ...IN_EXAMPLES, gateway: GRPC_IN_EXAMPLES } : IN_EXAMPLES;
  for (const part of ['proxy', 'gateway', 'upstream'] as const) {
    const example = new RegExp(`:${inExample[part]}\\b|port_value: ${inExample[part]}\\b`, 'g');
    const found = filled.match(example)?.length ?? 0;
    // A second place would be one that a person who changes a port forgets.
    if (isFirst && found !== 1) {
      throw new Error(`${kind.name}/${file} names the ${part}'s port ${found} times, not once`);
    }
    filled = filled.replace(example, (match) => match.replace(/\d+/, String(ports[part])));
  }
  for (const literal of kind.unique ?? []) {
    filled = filled.replaceAll(literal, `${literal}-${ports.proxy}`);
  }
  return filled;
}

const listens = (port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
  });
