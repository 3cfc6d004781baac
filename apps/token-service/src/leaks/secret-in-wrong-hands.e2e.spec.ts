import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { httpAnswer } from '@token-status/token-guard';
import { eventually } from '../../../../test/contracts/until.js';
import { Caller } from '../../../../test/scenarios/caller.js';
import { freePort } from '../../../../test/servers/index.js';
import { AppProcess } from '../../../../test/stack/app-process.js';

const scanner = generateKeyPairSync('ec', { namedCurve: 'P-256' });

describe('a secret in the wrong hands, everything in one process on SQLite', () => {
  let dataDir: string;
  let standalone: AppProcess;
  let gateway: string;
  let api: string;
  let alice: Caller;

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'token-status-leaks-'));
    const keysFile = join(dataDir, 'scanners-keys.json');
    const key = scanner.publicKey.export({ type: 'spki', format: 'pem' });
    const public_keys = [{ key_identifier: 'scanner-1', key, is_current: true }];
    await writeFile(keysFile, JSON.stringify({ public_keys }));
    const [apiPort, gatewayPort, issuerPort] = [
      await freePort(),
      await freePort(),
      await freePort(),
    ];
    api = `http://127.0.0.1:${apiPort}`;
    gateway = `http://127.0.0.1:${gatewayPort}`;
    standalone = new AppProcess({
      app: 'standalone',
      url: api,
      env: {
        DATA_DIR: join(dataDir, 'data'),
        API_PORT: String(apiPort),
        GATEWAY_PORT: String(gatewayPort),
        ISSUER_PORT: String(issuerPort),
        LEAK_REPORT_KEYS_FILE: keysFile,
      },
    });
    await standalone.start();
    alice = await Caller.user(`http://localhost:${issuerPort}`, api, 'alice@example.com');
  }, 60_000);

  afterAll(async () => {
    await standalone.stop();
    await rm(dataDir, { recursive: true, force: true });
  }, 30_000);

  const post = (path: string, headers: Readonly<Record<string, string>>, body?: string) =>
    fetch(`${api}${path}`, {
      method: 'POST',
      headers: {
        ...headers,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.timeout(15_000),
    });
  const verify = (secret: string) =>
    fetch(`${gateway}/verify`, {
      headers: { authorization: `Bearer ${secret}` },
      signal: AbortSignal.timeout(15_000),
    });
  const refusesAsDisabled = (secret: string): Promise<void> =>
    eventually(async () => {
      const answer = await verify(secret);
      const told = httpAnswer({ outcome: 'disabled', finding: 'disabled' });
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([
        told.status,
        told.headers['www-authenticate'],
      ]);
    });

  it('is refused by the gateway once its holder disabled it, and can not be used to enable it', async () => {
    const { body: token } = await alice.add('u-alice', 'Found');
    const secret = token.secret ?? '';
    await eventually(async () => expect((await verify(secret)).status).toBe(200));
    const authorization = `Bearer ${secret}`;
    const disabled = await post('/v1/tokens/self/disable', { authorization });
    expect([disabled.status, await disabled.json()]).toEqual([
      200,
      { id: token.id, status: 'disabled', version: 2 },
    ]);
    await refusesAsDisabled(secret);
    const enabled = await post(`/v1/tokens/${token.id}/enable`, { authorization });
    expect(enabled.status).toBe(401);
    expect((await alice.call('POST', `/v1/tokens/${token.id}/enable`)).status).toBe(200);
  });

  it('is refused by the gateway once a scanner reported it, and its owner can not enable it', async () => {
    const { body: token } = await alice.add('u-alice', 'Leaked');
    const secret = token.secret ?? '';
    const report = JSON.stringify([
      { token: secret, type: 'token_status', url: 'https://example.com/', source: 'content' },
    ]);
    const signature = sign('sha256', Buffer.from(report), scanner.privateKey).toString('base64');
    const headers = {
      'github-public-key-identifier': 'scanner-1',
      'github-public-key-signature': signature,
    };
    expect((await post('/v1/leaks', headers, `${report}\n`)).status).toBe(403);
    const answer = await post('/v1/leaks', headers, report);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject([{ label: 'true_positive' }]);
    await refusesAsDisabled(secret);
    expect((await alice.call('POST', `/v1/tokens/${token.id}/enable`)).status).toBe(403);
  });
});
