import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Caller } from '../scenarios/caller.js';
import { fetchOnce } from '../servers/fetch-once.js';
import { freePort } from '../servers/index.js';
import { AppProcess } from '../stack/app-process.js';

/** Requests made up from the API's own document, by somebody else's program, against the API as it runs. */

const run = promisify(execFile);
const here = import.meta.dirname;

const SEED = 20_300_101;
const SECONDS = 45;

/** Fetched from the Python registry into the servers' cache on first use, in pinned versions. */
async function fetchSchemathesis(): Promise<string> {
  const requirements = join(here, 'requirements.txt');
  const [, version = ''] = /^schemathesis==(.+)$/m.exec(await readFile(requirements, 'utf8')) ?? [];
  return fetchOnce({
    title: `Schemathesis ${version} (68 MB)`,
    folder: `schemathesis-${version}`,
    async fetchInto(folder) {
      const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
      pip.push('--no-deps', '--target', folder, '--requirement', requirements);
      await run('python3', pip, { timeout: 5 * 60_000 });
    },
  });
}

let program: string;
let folder: string;
let standalone: AppProcess;
let service: Caller;
const lines: string[] = [];

beforeAll(async () => {
  program = await fetchSchemathesis();
  folder = await mkdtemp(join(tmpdir(), 'schemathesis-'));
  const [api, gateway, issuer] = [await freePort(), await freePort(), await freePort()];
  standalone = new AppProcess({
    app: 'standalone',
    url: `http://127.0.0.1:${api}`,
    env: {
      DATA_DIR: join(folder, 'data'),
      API_PORT: String(api),
      GATEWAY_PORT: String(gateway),
      ISSUER_PORT: String(issuer),
    },
    onLine: (line) => lines.push(line),
  });
  await standalone.start();
  service = await Caller.service(`http://localhost:${issuer}`, standalone.url);
}, 400_000);

afterAll(async () => {
  await standalone.stop();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

it('finds no answer of the API that its document does not have, and no fault', async () => {
  const { PATH = '', HOME = '' } = process.env;
  const said = await run(
    'python3',
    [
      ...[
        join(program, 'bin/schemathesis'),
        '--config-file',
        join(here, 'schemathesis.toml'),
        'run',
      ],
      `${standalone.url}/v1/openapi.json`,
      ...['--header', `Authorization: ${service.authorization}`],
      ...['--seed', String(SEED), '--max-examples', '25', '--max-time', String(SECONDS)],
      ...['--phases', 'examples,coverage,fuzzing', '--request-timeout', '10'],
      ...['--no-shrink', '--continue-on-failure', '--no-color', '--warnings', 'off'],
      // Of what it found before, it would ask that first: each run is to be the same.
      ...['--generation-database', 'none'],
    ],
    {
      cwd: folder,
      env: { PATH, HOME, PYTHONPATH: program, PYTHONDONTWRITEBYTECODE: '1' },
      timeout: 180_000,
      maxBuffer: 64 * 1024 * 1024,
    },
  ).then(
    ({ stdout }) => ({ ended: 'well', stdout }),
    (fault: unknown) => {
      const { stdout = '', stderr = '' } = fault as { stdout?: string; stderr?: string };
      return { ended: `${stdout}\n${stderr}`, stdout };
    },
  );
  expect(said.ended).toBe('well');
  const [, cases = '0'] = /(\d+) generated/.exec(said.stdout) ?? [];
  expect(Number(cases)).toBeGreaterThan(500);
  expect((await fetch(`${standalone.url}/readyz`)).status).toBe(200);
  expect(lines.filter((line) => line.includes('answered 500'))).toEqual([]);
}, 240_000);
