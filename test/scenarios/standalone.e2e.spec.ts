import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '../servers/index.js';
import { AppProcess } from '../stack/app-process.js';
import { Caller, verifies } from './caller.js';
import { mainJob } from './main-job.js';
import type { Addresses } from './main-job.js';

const run = promisify(execFile);

/**
 * A person is slower than the gateway; a script on a loaded machine may not be. So each `/verify` of the
 * walk asks for an answer as new as what the API answered last, and again while that is a 503.
 */
const PATIENT_CURL = `
  curl() {
    case "$*" in
      */verify*) command curl --retry 30 -H "X-Min-Position: $(cat "$POSITION")" "$@" ;;
      *)
        local answer
        answer=$(command curl "$@")
        sed -nE 's/.*"position":([0-9]+).*/\\1/p' <<< "$answer" > "$POSITION"
        printf '%s' "$answer" ;;
    esac
  }`;

describe('everything in one process, on SQLite', () => {
  let dataDir: string;
  let addresses: Addresses;
  let standalone: AppProcess;
  const lines: string[] = [];

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'token-status-standalone-'));
    const [api, gateway, issuer] = [await freePort(), await freePort(), await freePort()];
    addresses = {
      api: `http://127.0.0.1:${api}`,
      gateway: `http://127.0.0.1:${gateway}`,
      issuer: `http://localhost:${issuer}`,
    };
    standalone = new AppProcess({
      app: 'standalone',
      url: addresses.api,
      env: {
        DATA_DIR: dataDir,
        API_PORT: String(api),
        GATEWAY_PORT: String(gateway),
        ISSUER_PORT: String(issuer),
      },
      onLine: (line) => lines.push(line),
    });
    await standalone.start();
  }, 60_000);

  afterAll(async () => {
    await standalone.stop();
    await rm(dataDir, { recursive: true, force: true });
  }, 30_000);

  it('disables a token and the gateway refuses it; enables it and it passes again', async () => {
    await mainJob(addresses);
  }, 60_000);

  it('prints a walk that does the same by copy and paste', async () => {
    const from = lines.findIndex((line) => line.includes('# 1.'));
    const to = lines.findIndex((line) => line.startsWith('Ctrl-C'));
    const walk = [PATIENT_CURL, ...lines.slice(from, to)].join('\n');
    const env = { ...process.env, POSITION: join(dataDir, '..', `${basename(dataDir)}.position`) };
    const { stdout } = await run('bash', ['-c', walk], { env }).finally(() =>
      rm(env.POSITION, { force: true }),
    );
    const statuses = [...stdout.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => status);
    expect(statuses.filter((status) => status !== '503')).toEqual(['200', '401', '200', '401']);
  }, 60_000);

  it('has everything again after kill -9, and stays closed until it is complete', async () => {
    const alice = await Caller.user(addresses.issuer, addresses.api, 'alice@example.com');
    const kept = (await alice.add('u-alice', 'Kept')).body;
    const refused = (await alice.add('u-alice', 'Refused')).body;
    expect((await alice.disable(refused.id)).status).toBe(200);
    await standalone.kill9();
    await standalone.start();
    await verifies(addresses.gateway, kept.secret ?? '', 200);
    await verifies(addresses.gateway, refused.secret ?? '', 401);
    // The issuer's keys are kept too, so Alice is still signed in.
    await alice.readsStatus(refused.id, 'disabled');
    expect((await alice.enable(refused.id)).body).toMatchObject({ status: 'active', version: 3 });
    await verifies(addresses.gateway, refused.secret ?? '', 200);
  }, 60_000);

  it('keeps no secret and no name in its log, and all its files for its owner only', async () => {
    const alice = await Caller.user(addresses.issuer, addresses.api, 'carol@example.com');
    const { secret = '' } = (await alice.add('u-carol', 'Carols-unmistakable-name')).body;
    await verifies(addresses.gateway, secret, 200);
    for (const file of await readdir(dataDir)) {
      const held = await readFile(join(dataDir, file), 'latin1');
      expect({ file, secret: held.includes(secret) }).toEqual({ file, secret: false });
      if (file.startsWith('log.sqlite')) expect(held).not.toContain('Carols-unmistakable-name');
      expect({ file, mode: (await stat(join(dataDir, file))).mode & 0o777 }).toEqual({
        file,
        mode: 0o600,
      });
    }
    expect(lines.join('\n')).not.toContain(secret);
  }, 60_000);

  it('names every setting that is wrong, at once, and ends', async () => {
    const wrong = new AppProcess({
      app: 'standalone',
      url: addresses.api,
      env: { DATA_DIR: dataDir, API_PORT: '70000', GATEWAY_PORT: 'x', LOG_LEVEL: 'loud' },
    });
    await wrong.start('spawned');
    await wrong.ended();
    expect(wrong.output).toContain('API_PORT');
    expect(wrong.output).toContain('GATEWAY_PORT');
    expect(wrong.output).toContain('LOG_LEVEL');
    expect(await wrong.stop()).toBe(78);
  }, 30_000);

  it('ends cleanly when it is told to', async () => {
    expect(await standalone.stop()).toBe(0);
  }, 30_000);
});
