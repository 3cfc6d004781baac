import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import type { CryptoKey, JWK, JWTPayload } from 'jose';
import { Problem } from '../problem/problem.js';
import type { Caller } from './caller.js';
import { createTokenVerifier } from './token-verifier.js';
import type { TokenVerifier, TokenVerifierOptions } from './token-verifier.js';

const AUDIENCE = 'urn:token-status:api';
const user = {
  sub: 'u-alice',
  account_id: 'acme',
  preferred_username: 'alice@example.com',
  privileges: ['API Access', 'Something Else'],
  client_id: 'demo-cli',
};

/** An issuer on a port of its own, whose behaviour the tests change. */
class Issuer {
  readonly server: Server;
  keys: JWK[] = [];
  answer: 'well' | 'refuse' | 'never' | 'garbage' | 'foreign' = 'well';
  readonly asked: string[] = [];
  url = '';

  constructor() {
    this.server = createServer((request, response) => {
      const path = request.url ?? '';
      this.asked.push(path);
      if (this.answer === 'never') return;
      if (this.answer === 'refuse') response.statusCode = 500;
      response.setHeader('content-type', 'application/json');
      if (this.answer === 'garbage') response.end('{"keys":');
      else if (path === '/jwks') response.end(JSON.stringify({ keys: this.keys }));
      else {
        const issuer = this.answer === 'foreign' ? 'http://other.example' : this.url;
        response.end(JSON.stringify({ issuer, jwks_uri: `${this.url}/jwks` }));
      }
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

const issuer = new Issuer();
let signing: { publicKey: CryptoKey; privateKey: CryptoKey };
let other: { publicKey: CryptoKey; privateKey: CryptoKey };

beforeAll(async () => {
  await issuer.start();
  signing = await generateKeyPair('ES256', { extractable: true });
  other = await generateKeyPair('ES256', { extractable: true });
  issuer.keys = [{ ...(await exportJWK(signing.publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' }];
});
afterEach(() => {
  issuer.answer = 'well';
});
afterAll(() => issuer.stop());

const verifierWith = (options: Partial<TokenVerifierOptions> = {}): TokenVerifier =>
  createTokenVerifier({ issuer: issuer.url, audience: AUDIENCE, timeoutMs: 20_000, ...options });

interface Signing {
  /** Undefined leaves a claim out. */
  claims?: Record<string, unknown>;
  header?: { alg?: string; kid?: string; typ?: string | undefined };
  key?: CryptoKey | Uint8Array;
}

function sign({
  claims = {},
  header = {},
  key = signing.privateKey,
}: Signing = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({
    iss: issuer.url,
    aud: AUDIENCE,
    iat: now,
    exp: now + 60,
    ...user,
    ...claims,
  })
    .setProtectedHeader({ alg: 'ES256', kid: 'k1', typ: 'at+jwt', ...header } as { alg: string })
    .sign(key);
}

async function problemOf(work: Promise<unknown>): Promise<Problem> {
  const thrown: unknown = await work.then(
    () => null,
    (error: unknown) => error,
  );
  if (!(thrown instanceof Problem)) throw new Error(`no problem: ${String(thrown)}`);
  return thrown;
}

describe('an access token', () => {
  it('of a user gives the caller, with the privileges that we know', async () => {
    const caller = await verifierWith().verify(await sign());
    expect(caller).toEqual({
      id: 'u-alice',
      kind: 'user',
      accountId: 'acme',
      userName: 'alice@example.com',
      privileges: new Set(['API Access'] as const),
      scopes: new Set(),
    });
  });

  it.each([
    ['whose client is its subject', { sub: 'demo-service', client_id: 'demo-service' }],
    [
      'that names no account',
      { sub: 'demo-service', account_id: undefined, privileges: undefined },
    ],
  ])('%s is a service: it has scopes, and no privileges', async (_, claims) => {
    const scope = 'tokens:read tokens:write';
    const caller = await verifierWith().verify(await sign({ claims: { ...claims, scope } }));
    expect(caller).toEqual({
      id: 'demo-service',
      kind: 'service',
      accountId: null,
      userName: null,
      privileges: new Set(),
      scopes: new Set(['tokens:read', 'tokens:write']),
    });
  });

  it('is accepted within the tolerance for clocks', async () => {
    const exp = Math.floor(Date.now() / 1000) - 20;
    const token = await sign({ claims: { exp } });
    await expect(verifierWith({ clockToleranceSeconds: 60 }).verify(token)).resolves.toBeDefined();
    expect((await problemOf(verifierWith().verify(token))).code).toBe('unauthenticated');
  });

  const now = (): number => Math.floor(Date.now() / 1000);
  const refused: Record<string, () => string | Promise<string>> = {
    'with algorithm none': () =>
      new UnsecuredJWT(user)
        .setIssuer(issuer.url)
        .setAudience(AUDIENCE)
        .setExpirationTime('1m')
        .encode(),
    'of another issuer': () => sign({ claims: { iss: 'http://other.example' } }),
    'for another audience': () => sign({ claims: { aud: 'urn:other' } }),
    'that has expired': () => sign({ claims: { exp: now() - 30 } }),
    'that is not valid yet': () => sign({ claims: { nbf: now() + 30 } }),
    'that never expires': () => sign({ claims: { exp: undefined } }),
    'without a subject': () => sign({ claims: { sub: undefined } }),
    'signed with another key': () => sign({ key: other.privateKey }),
    'signed with a key that the issuer lacks': () =>
      sign({ key: other.privateKey, header: { kid: 'k2' } }),
    'whose public key was used as an HS256 secret': async () => {
      const secret = await exportSPKI(signing.publicKey);
      const [, payload = ''] = (await sign()).split('.');
      const header = Buffer.from('{"alg":"HS256","kid":"k1","typ":"at+jwt"}').toString('base64url');
      const signature = createHmac('sha256', secret).update(`${header}.${payload}`);
      return `${header}.${payload}.${signature.digest('base64url')}`;
    },
    'that was changed after signing': async () => {
      const [header = '', payload = '', signature = ''] = (await sign()).split('.');
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as JWTPayload;
      const changed = Buffer.from(JSON.stringify({ ...claims, sub: 'u-admin' }));
      return `${header}.${changed.toString('base64url')}.${signature}`;
    },
    'of another type': () => sign({ header: { typ: 'logout+jwt' } }),
    'of no type': () => sign({ header: { typ: undefined } }),
    'whose privileges are no list': () => sign({ claims: { privileges: 'API Access' } }),
    'whose privileges are no texts': () => sign({ claims: { privileges: [1] } }),
    'of a user whose account was left out': () => sign({ claims: { account_id: undefined } }),
    'whose account is no text': () => sign({ claims: { account_id: 7 } }),
    'whose scope is a list': () => sign({ claims: { scope: ['tokens:read'] } }),
    'whose subject has a line break': () => sign({ claims: { sub: 'a\r\nb' } }),
    'whose subject is endless': () => sign({ claims: { sub: 'a'.repeat(257) } }),
    'that is endless': () => sign({ claims: { x: 'a'.repeat(8192) } }),
    'that is nothing like one': () => 'tst_abcdef',
  };
  it.each(Object.keys(refused))('%s is refused, always with the same answer', async (name) => {
    const token = await refused[name]!();
    const problem = await problemOf(verifierWith().authenticate(`Bearer ${token}`));
    expect(problem).toMatchObject({
      code: 'unauthenticated',
      status: 401,
      detail: undefined,
      headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
    });
  });

  it('is needed: without one, the challenge names no error', async () => {
    const problem = await problemOf(verifierWith().authenticate(undefined));
    expect(problem.status).toBe(401);
    expect(problem.headers).toEqual({ 'www-authenticate': 'Bearer' });
  });

  it('comes in the Authorization header, scheme in any case', async () => {
    const token = await sign();
    await expect(verifierWith().authenticate(`bEARER ${token}`)).resolves.toBeDefined();
    for (const header of [token, `Basic ${token}`, `Bearer ${token} x`, 'Bearer', 'Bearer ']) {
      expect((await problemOf(verifierWith().authenticate(header))).status).toBe(401);
    }
  });
});

describe('an issuer', () => {
  it('is asked for its keys once', async () => {
    const verifier = verifierWith();
    const token = await sign();
    issuer.asked.length = 0;
    await Promise.all([verifier.verify(token), verifier.verify(token)]);
    await verifier.verify(token);
    expect(issuer.asked).toEqual(['/.well-known/openid-configuration', '/jwks']);
    expect(verifier.ready).toBe(true);
  });

  it.each(['refuse', 'never', 'garbage', 'foreign'] as const)(
    'that answers "%s" before any key is there makes 503, not 401',
    async (answer) => {
      issuer.answer = answer;
      const verifier = verifierWith(answer === 'never' ? { timeoutMs: 200 } : {});
      expect(await problemOf(verifier.verify(await sign()))).toMatchObject({
        code: 'issuer-unavailable',
        status: 503,
        headers: { 'retry-after': '2' },
      });
      expect((await problemOf(verifier.load())).status).toBe(503);
      expect(verifier.ready).toBe(false);
    },
  );

  it.each(['{"keys":', '{"keys":7}', '[]'])(
    'whose keys are %s makes 503 and is not ready',
    async (garbage) => {
      const server = createServer((_, response) => response.end(garbage));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const jwksUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      const verifier = verifierWith({ jwksUri });
      const problem = await problemOf(verifier.verify(await sign()));
      server.closeAllConnections();
      server.close();
      expect(problem.status).toBe(503);
      expect(verifier.ready).toBe(false);
    },
  );

  it('that comes back is asked again after the pause, and not before', async () => {
    issuer.answer = 'refuse';
    const verifier = verifierWith({ retryAfterMs: 2000 });
    const token = await sign();
    issuer.asked.length = 0;
    expect((await problemOf(verifier.verify(token))).status).toBe(503);
    expect((await problemOf(verifier.verify(token))).status).toBe(503);
    expect(issuer.asked).toHaveLength(1);
    issuer.answer = 'well';
    const deadline = Date.now() + 30_000;
    let caller: Caller | null = null;
    while (caller === null && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      caller = await verifier.verify(token).catch(() => null);
    }
    expect(caller?.id).toBe('u-alice');
  });

  it('that goes away after its keys were fetched goes unnoticed, for a while', async () => {
    const verifier = verifierWith({ refreshAfterMs: 0, retryAfterMs: 0 });
    await verifier.load();
    issuer.answer = 'never';
    await expect(verifier.verify(await sign())).resolves.toMatchObject({ id: 'u-alice' });
  });

  it('that stays away longer than keys are good for makes 503', async () => {
    const verifier = verifierWith({ refreshAfterMs: 0, usableForMs: 0 });
    await verifier.load();
    issuer.answer = 'refuse';
    expect((await problemOf(verifier.verify(await sign()))).status).toBe(503);
  });

  it('that has a new key is asked again, but not for every unknown one', async () => {
    const verifier = verifierWith({ coolDownMs: 60_000 });
    const eager = verifierWith({ coolDownMs: 0 });
    await Promise.all([verifier.load(), eager.load()]);
    const before = issuer.keys;
    const token = await sign({ key: other.privateKey, header: { kid: 'k2' } });
    try {
      issuer.keys = [...before, { ...(await exportJWK(other.publicKey)), kid: 'k2', alg: 'ES256' }];
      await expect(eager.verify(token)).resolves.toMatchObject({ id: 'u-alice' });
      expect((await problemOf(verifier.verify(token))).status).toBe(401);
    } finally {
      issuer.keys = before;
    }
  });
});
