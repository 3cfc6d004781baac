import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, request as ask } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '../servers/index.js';
import { repository } from '../servers/repository.js';
import { AppProcess } from '../stack/app-process.js';

/**
 * What somebody else does with the client: takes the tarball into an empty project, compiles a program
 * against its types, and runs it against the API, on a line that breaks.
 */

const run = promisify(execFile);
const tsc = join(repository, 'node_modules/typescript/bin/tsc');

let folder: string;
let project: string;
let standalone: AppProcess;
let issuer: string;
let proxy: Server;
let proxied: string;
/** How the line behaves to a request, told by its method and path. */
let breaks: (request: IncomingMessage) => boolean = () => false;
let broken = 0;

/** Passes all on; where it `breaks`, the answer is thrown away and the connection reset after the API has answered. */
function startProxy(to: number): Promise<Server> {
  const server = createServer((incoming, outgoing) => {
    const onward = ask(
      {
        port: to,
        method: incoming.method,
        path: incoming.url,
        headers: incoming.headers,
        agent: false,
      },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('end', () => {
          if (breaks(incoming)) {
            broken += 1;
            outgoing.socket?.resetAndDestroy();
            return;
          }
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers).end(Buffer.concat(parts));
        });
      },
    );
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

async function program(userId: string): Promise<Record<string, unknown>> {
  const { PATH = '' } = process.env;
  const { stdout } = await run(process.execPath, ['built/main.mjs'], {
    cwd: project,
    env: { PATH, API: proxied, ISSUER: issuer, USER_ID: userId },
    timeout: 60_000,
  });
  return JSON.parse(stdout) as Record<string, unknown>;
}

const WALK = {
  found: 3,
  newestFirst: true,
  versions: [2, 2, 3],
  status: 'disabled',
  problems: {
    stale: '412 version-mismatch',
    wrong: '400 invalid-request /name',
    unknown: '404 token-unknown',
    revoked: '409 token-revoked',
  },
  all: { changed: 2, unchanged: 0, refused: 0 },
  events: ['TokenAdded', 'TokenDisabled', 'TokenEnabled', 'TokenDisabled'],
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'client-package-'));
  project = join(folder, 'project');
  const script = join(repository, 'tools/pack-room.mjs');
  const packed = await run(
    process.execPath,
    [script, 'client', '--pack-destination', join(folder, 'packed')],
    { timeout: 60_000 },
  );
  await cp(join(import.meta.dirname, 'client'), project, { recursive: true });
  await writeFile(join(project, 'package.json'), '{ "private": true, "type": "module" }\n');
  const types = join(repository, 'node_modules/@types/node/package.json');
  const { version } = JSON.parse(await readFile(types, 'utf8')) as { version: string };
  await run(
    'npm',
    [
      ...['install', '--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts'],
      ...[packed.stdout.trim(), `@types/node@${version}`],
    ],
    { cwd: project, timeout: 120_000 },
  );
  const [api, gateway, provider] = [await freePort(), await freePort(), await freePort()];
  issuer = `http://localhost:${provider}`;
  standalone = new AppProcess({
    app: 'standalone',
    url: `http://127.0.0.1:${api}`,
    env: {
      DATA_DIR: join(folder, 'data'),
      API_PORT: String(api),
      GATEWAY_PORT: String(gateway),
      ISSUER_PORT: String(provider),
    },
  });
  await standalone.start();
  proxy = await startProxy(api);
  proxied = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}, 240_000);

afterAll(async () => {
  proxy.close();
  proxy.closeAllConnections();
  await standalone.stop();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

describe('the client, as a package', () => {
  it('has types that hold, strictly, in a project that has nothing else of ours', async () => {
    const said = await run(process.execPath, [tsc], { cwd: project, timeout: 120_000 }).then(
      ({ stdout }) => stdout,
      (fault: unknown) => `${(fault as { stdout?: string }).stdout ?? ''}${String(fault)}`,
    );
    expect(said).toBe('');
    expect(await readdir(join(project, 'node_modules/@token-status'))).toEqual(['client']);
  }, 120_000);

  it('does the work of an internal service', async () => {
    breaks = () => false;
    expect(await program('u-steady')).toEqual(WALK);
  }, 60_000);

  it('does each thing once, with the same answers, where every first answer is lost after it was recorded', async () => {
    broken = 0;
    const seen = new Set<unknown>();
    breaks = ({ headers }) => {
      const key = headers['idempotency-key'];
      if (key === undefined || seen.has(key)) return false;
      seen.add(key);
      return true;
    };
    expect(await program('u-unsteady')).toEqual(WALK);
    // Every command of the walk, those that are refused included.
    expect(broken).toBe(11);
  }, 60_000);
});
