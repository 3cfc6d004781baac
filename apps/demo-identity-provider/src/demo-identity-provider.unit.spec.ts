import { createHash } from 'node:crypto';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTokenVerifier, loadSettings, startMetrics } from '@token-status/platform';
import type { TokenVerifier } from '@token-status/platform';
import { createDemoIdentityProvider, NotInProduction } from './demo-identity-provider.js';
import type { DemoIdentityProvider } from './demo-identity-provider.js';
import { demoIdentityProviderSettings, notInProduction } from './settings.js';

let provider: DemoIdentityProvider;
let verifier: TokenVerifier;
const faults: unknown[] = [];
const metrics = startMetrics({ service: 'demo-identity-provider', version: 'test' });

beforeAll(async () => {
  provider = await createDemoIdentityProvider({
    port: 0,
    consoleUrl: 'http://localhost:3999',
    onFault: (error) => faults.push(error),
    metrics,
  });
  verifier = verifierOf(provider);
});
afterAll(async () => {
  await provider.close();
  await metrics.shutdown();
  expect(faults).toEqual([]);
});

const verifierOf = ({ issuer, apiAudience }: DemoIdentityProvider): TokenVerifier =>
  createTokenVerifier({ issuer, audience: apiAudience });

interface TokenAnswer {
  status: number;
  access_token: string;
  id_token?: string;
  expires_in?: number;
  token_type?: string;
  scope?: string;
  error?: string;
}

async function token(
  form: Record<string, string>,
  basic?: string,
  at = provider,
): Promise<TokenAnswer> {
  const response = await fetch(`${at.issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams(form),
    ...(basic === undefined
      ? {}
      : { headers: { authorization: `Basic ${Buffer.from(basic).toString('base64')}` } }),
  });
  return { status: response.status, ...((await response.json()) as Omit<TokenAnswer, 'status'>) };
}

const userToken = (username: string, password = 'demo', at = provider): Promise<TokenAnswer> =>
  token(
    { grant_type: 'urn:token-status:demo', client_id: 'demo-cli', username, password },
    undefined,
    at,
  );

const serviceToken = (form: Record<string, string> = {}): Promise<TokenAnswer> =>
  token({ grant_type: 'client_credentials', ...form }, 'demo-service:demo-service-secret');

describe('the demo identity provider', () => {
  it('is found by discovery, and shows public keys only', async () => {
    const discovery = await fetch(`${provider.issuer}/.well-known/openid-configuration`);
    const document = (await discovery.json()) as Record<string, unknown>;
    expect(document).toMatchObject({
      issuer: provider.issuer,
      token_endpoint: `${provider.issuer}/token`,
      response_types_supported: ['code'],
      code_challenge_methods_supported: ['S256'],
    });
    const { keys } = (await (await fetch(String(document.jwks_uri))).json()) as {
      keys: Record<string, unknown>[];
    };
    expect(keys).toHaveLength(1);
    expect(keys[0]).toMatchObject({ kty: 'EC', alg: 'ES256' });
    expect(keys[0]).not.toHaveProperty('d');
  });

  it('is alive and ready', async () => {
    for (const path of ['/livez', '/readyz']) {
      expect((await fetch(provider.issuer + path)).status).toBe(200);
    }
  });

  it('counts what it answered, for Prometheus', async () => {
    await serviceToken();
    const answer = await fetch(`${provider.issuer}/metrics`);
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(await answer.text()).toMatch(
      /^http_server_request_duration_seconds_count\{method="POST",status="200"\} [1-9]/m,
    );
  });

  it('gives a service its token, with the scopes it asks for, else all of its own', async () => {
    const some = await serviceToken({ scope: 'tokens:read audit:read' });
    expect(some).toMatchObject({ status: 200, expires_in: 3600, token_type: 'Bearer' });
    expect(await verifier.verify(some.access_token)).toEqual({
      id: 'demo-service',
      kind: 'service',
      accountId: null,
      userName: null,
      privileges: new Set(),
      scopes: new Set(['tokens:read', 'audit:read']),
    });
    const all = await serviceToken();
    const scopes = ['tokens:read', 'tokens:write', 'tokens:security', 'audit:read'];
    expect(all.scope?.split(' ')).toEqual(scopes);
    expect((await verifier.verify(all.access_token)).scopes).toEqual(new Set(scopes));
  });

  it('refuses a service with a wrong secret, a scope or an audience that is not its own', async () => {
    const wrong = await token({ grant_type: 'client_credentials' }, 'demo-service:wrong');
    expect(wrong).toMatchObject({ status: 401, error: 'invalid_client' });
    expect(await serviceToken({ scope: 'introspect' })).toMatchObject({
      status: 400,
      error: 'invalid_scope',
    });
    expect(await serviceToken({ resource: 'urn:other' })).toMatchObject({
      status: 400,
      error: 'invalid_target',
    });
  });

  it('gives the gateway client a token to introspect with', async () => {
    const answer = await token(
      { grant_type: 'client_credentials' },
      'demo-gateway-client:demo-gateway-secret',
    );
    expect((await verifier.verify(answer.access_token)).scopes).toEqual(new Set(['introspect']));
  });

  it.each([
    ['alice@example.com', 'u-alice', 'acme', ['API Access']],
    ['carol@example.com', 'u-carol', 'acme', ['API Access']],
    ['admin@example.com', 'u-admin', 'acme', ['API Access', 'Account Administration']],
    ['bob@example.com', 'u-bob', 'acme', []],
    ['mallory@example.com', 'u-mallory', 'globex', ['API Access', 'Account Administration']],
  ])('gives %s a token by the demo grant', async (userName, id, accountId, privileges) => {
    const answer = await userToken(userName);
    expect(answer).toMatchObject({ status: 200, token_type: 'Bearer' });
    expect(answer.expires_in).toBeGreaterThan(3590);
    expect(await verifier.verify(answer.access_token)).toEqual({
      id,
      kind: 'user',
      accountId,
      userName,
      privileges: new Set(privileges),
      scopes: new Set(),
    });
  });

  it('refuses a wrong password, an unknown user, and another client', async () => {
    expect(await userToken('alice@example.com', 'wrong')).toMatchObject({
      status: 400,
      error: 'invalid_grant',
    });
    expect(await userToken('nobody@example.com')).toMatchObject({ error: 'invalid_grant' });
    const form = {
      grant_type: 'urn:token-status:demo',
      username: 'alice@example.com',
      password: 'demo',
    };
    expect((await token(form, 'demo-service:demo-service-secret')).status).toBe(400);
    expect(await token({ ...form, client_id: 'demo-console' })).toMatchObject({ status: 400 });
  });
});

/** A browser, as far as signing in needs one: it keeps cookies and follows nothing by itself. */
class Browser {
  private readonly cookies = new Map<string, string>();

  async go(address: string, form?: Record<string, string>): Promise<Response> {
    const response = await fetch(new URL(address, provider.issuer), {
      redirect: 'manual',
      headers: { cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) }),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      this.cookies.set(name, value);
    }
    return response;
  }
}

describe('signing in on the page', () => {
  const verifierText = 'v'.repeat(43);
  const challenge = createHash('sha256').update(verifierText).digest('base64url');
  const redirectUri = 'http://localhost:3999/callback';
  const start = (extra: Record<string, string> = {}): string =>
    `/auth?${new URLSearchParams({
      client_id: 'demo-console',
      response_type: 'code',
      redirect_uri: redirectUri,
      scope: 'openid profile',
      state: 's-1',
      code_challenge: challenge,
      code_challenge_method: 'S256',
      ...extra,
    }).toString()}`;
  const toPage = async (browser: Browser): Promise<string> => {
    const response = await browser.go(start());
    expect(response.status).toBe(303);
    return response.headers.get('location') ?? '';
  };

  it('shows a page without scripts that may send its form here and back to the console only', async () => {
    const browser = new Browser();
    const page = await browser.go(await toPage(browser));
    expect(page.status).toBe(200);
    expect(page.headers.get('content-security-policy')).toBe(
      "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self' http://localhost:3999",
    );
    const html = await page.text();
    expect(html).toContain('name="password"');
    expect(html).not.toContain('<script');
  });

  it('gives the console a code, and for it that user’s tokens', async () => {
    const browser = new Browser();
    const page = await toPage(browser);
    const wrong = await browser.go(page, { username: 'alice@example.com', password: 'wrong' });
    expect(wrong.status).toBe(401);
    let response = await browser.go(page, { username: 'alice@example.com', password: 'demo' });
    for (
      let i = 0;
      i < 3 && !(response.headers.get('location') ?? '').startsWith(redirectUri);
      i++
    ) {
      response = await browser.go(response.headers.get('location') ?? '');
    }
    const back = new URL(response.headers.get('location') ?? '');
    expect(back.origin + back.pathname).toBe(redirectUri);
    expect(back.searchParams.get('state')).toBe('s-1');
    const exchange = {
      grant_type: 'authorization_code',
      client_id: 'demo-console',
      redirect_uri: redirectUri,
      code: back.searchParams.get('code') ?? '',
    };
    const answer = await token({ ...exchange, code_verifier: verifierText });
    expect(answer.status).toBe(200);
    expect(answer.id_token).toEqual(expect.any(String));
    expect(await verifier.verify(answer.access_token)).toMatchObject({
      id: 'u-alice',
      kind: 'user',
    });
    expect((await token({ ...exchange, code_verifier: verifierText })).error).toBe('invalid_grant');
  });

  it('needs PKCE, a redirect address that is known, and a sign-in that was begun', async () => {
    const browser = new Browser();
    const without = await browser.go(start({ code_challenge: '', code_challenge_method: '' }));
    expect(without.headers.get('location')).toContain('error=invalid_request');
    expect((await browser.go(start({ redirect_uri: 'http://evil.example/' }))).status).toBe(400);
    expect((await new Browser().go('/interaction/unknown')).status).toBe(400);
    const page = await toPage(browser);
    expect((await browser.go(page, { username: 'a'.repeat(5000) })).status).toBe(413);
  });
});

describe('keys in a file', () => {
  it('keep tokens valid over a restart, and are readable by their owner only', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'demo-idp-'));
    const keysFile = join(folder, 'data', 'keys.json');
    try {
      const first = await createDemoIdentityProvider({ port: 0, keysFile });
      const { access_token } = await userToken('alice@example.com', 'demo', first);
      await first.close();
      expect((await stat(keysFile)).mode & 0o777).toBe(0o600);

      const second = await createDemoIdentityProvider({ port: first.port, keysFile });
      await expect(verifierOf(second).verify(access_token)).resolves.toMatchObject({
        id: 'u-alice',
      });
      await second.close();

      await writeFile(keysFile, '{"signing":"private"');
      await expect(createDemoIdentityProvider({ port: 0, keysFile })).rejects.toThrow(/remove it/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('in production', () => {
  it('the demo identity provider does not start', async () => {
    await expect(
      createDemoIdentityProvider({ port: 0, env: { NODE_ENV: 'production' } }),
    ).rejects.toThrow(NotInProduction);
    expect(() =>
      loadSettings(demoIdentityProviderSettings, { NODE_ENV: 'production' }, notInProduction),
    ).toThrow(/NODE_ENV is production/);
  });
});
