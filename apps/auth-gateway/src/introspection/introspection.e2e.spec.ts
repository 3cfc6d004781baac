import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Caller, verifies } from '../../../../test/scenarios/caller.js';
import type { TokenJson } from '../../../../test/scenarios/caller.js';
import { freePort } from '../../../../test/servers/index.js';
import { AppProcess } from '../../../../test/stack/app-process.js';

const run = promisify(execFile);

describe('introspection in the standalone process', () => {
  let folder: string;
  let standalone: AppProcess;
  let gateway: string;
  let issuer: string;
  let alice: Caller;
  let token: TokenJson;
  const lines: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'token-status-introspection-'));
    const [api, port, issuerPort] = [await freePort(), await freePort(), await freePort()];
    gateway = `http://127.0.0.1:${port}`;
    issuer = `http://localhost:${issuerPort}`;
    standalone = new AppProcess({
      app: 'standalone',
      url: `http://127.0.0.1:${api}`,
      env: {
        DATA_DIR: folder,
        API_PORT: String(api),
        GATEWAY_PORT: String(port),
        ISSUER_PORT: String(issuerPort),
        LOG_LEVEL: 'trace',
      },
      onLine: (line) => lines.push(line),
    });
    await standalone.start();
    alice = await Caller.user(issuer, standalone.url, 'alice@example.com');
    token = (await alice.add('u-alice', 'Introspected')).body;
    await verifies(gateway, token.secret ?? '', 200);
  });
  afterAll(async () => {
    await standalone.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const curl = async (...args: string[]): Promise<unknown> => {
    const command = ['-s', ...args, '-d', `token=${token.secret}`, `${gateway}/introspect`];
    return JSON.parse((await run('curl', command)).stdout);
  };

  it('answers the demo client by curl, and follows the token', async () => {
    const demo = ['-u', 'demo-gateway-client:demo-gateway-secret'];
    expect(await curl(...demo)).toEqual({
      active: true,
      token_type: 'Bearer',
      sub: 'u-alice',
      jti: token.id,
      account_id: 'acme',
      token_version: 1,
    });
    expect(await curl('-u', 'demo-gateway-client:demo')).toEqual({ error: 'invalid_client' });
    const { body } = await alice.disable(token.id);
    await verifies(gateway, token.secret ?? '', 401);
    expect(await curl(...demo, '-H', `X-Min-Position: ${body.position}`)).toEqual({
      active: false,
    });
    await alice.enable(token.id);
    await verifies(gateway, token.secret ?? '', 200);
  });

  it('answers who has a JWT of the identity provider’s with the scope, and no one else', async () => {
    const jwtOf = async (client: string, secret: string): Promise<string> => {
      const answer = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${client}:${secret}`)}` },
        body: new URLSearchParams({ grant_type: 'client_credentials' }),
      });
      return ((await answer.json()) as { access_token: string }).access_token;
    };
    const gatewayClient = await jwtOf('demo-gateway-client', 'demo-gateway-secret');
    expect(await curl('-H', `Authorization: Bearer ${gatewayClient}`)).toMatchObject({
      active: true,
    });
    const service = await jwtOf('demo-service', 'demo-service-secret');
    expect(await curl('-H', `Authorization: Bearer ${service}`)).toEqual({
      error: 'insufficient_scope',
    });
  });

  it('writes neither tokens nor secrets of clients', () => {
    const written = lines.join('\n');
    expect(written).toContain('/introspect');
    expect(written).not.toContain(token.secret);
    expect(written).not.toContain('demo-gateway-secret');
    expect(written).not.toContain(btoa('demo-gateway-client:demo-gateway-secret'));
  });
});
