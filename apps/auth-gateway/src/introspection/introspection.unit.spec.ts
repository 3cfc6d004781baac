import { createHash } from 'node:crypto';
import { createServer, request as httpRequest } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SignJWT, exportJWK, generateKeyPair } from 'jose';
import type { CryptoKey, JWK } from 'jose';
import * as oauth from 'oauth4webapi';
import { createTokenVerifier } from '@token-status/platform';
import type { App } from '@token-status/platform';
import type { TokenGuard } from '@token-status/token-guard';
import { Configuration } from '../configuration/configuration.js';
import { configurationOf } from '../configuration/gateway-configuration.js';
import { LogOfTheTest, MAX_STALENESS_MS, givenGateway, token } from '../given-gateway.spec.js';
import type { GivenToken } from '../given-gateway.spec.js';
import { until } from '../../../../test/contracts/until.js';

const AUDIENCE = 'urn:token-status:api';
/** All that form-encoding changes. */
const ODD_SECRET = 'a+b c%d:é&=';
const clients = { billing: 'billing-secret', odd: ODD_SECRET };

const document = (of: Readonly<Record<string, string>>): object => ({
  introspection: {
    clients: Object.entries(of).map(([id, secret]) => ({
      id,
      secretSha256: createHash('sha256').update(secret).digest('hex'),
    })),
  },
});

/** An OpenID issuer, as far as its keys go. */
class Issuer {
  readonly server: Server;
  url = '';
  away = false;
  #keys: JWK[] = [];
  #signing!: CryptoKey;

  constructor() {
    this.server = createServer((request, response) => {
      if (this.away) response.statusCode = 500;
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify(
          request.url === '/jwks'
            ? { keys: this.#keys }
            : { issuer: this.url, jwks_uri: `${this.url}/jwks` },
        ),
      );
    });
  }

  async start(): Promise<void> {
    const pair = await generateKeyPair('ES256', { extractable: true });
    this.#signing = pair.privateKey;
    this.#keys = [{ ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' }];
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  jwt(scope: string, expiresIn = 60): Promise<string> {
    const exp = Math.floor(Date.now() / 1000) + expiresIn;
    return new SignJWT({ iss: this.url, aud: AUDIENCE, sub: 'auditor', scope, exp })
      .setProtectedHeader({ alg: 'ES256', kid: 'k1', typ: 'at+jwt' })
      .sign(this.#signing);
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

const issuer = new Issuer();
const log = new LogOfTheTest();
const configuration = Configuration.of(document(clients));
const lines: string[] = [];
const tokens = {
  active: token('alice'),
  disabled: token('alice'),
  revoked: token('carol'),
  unknown: token('carol'),
};
let guard: TokenGuard;
let app: App;
let url: string;
let position: number;

beforeAll(async () => {
  await issuer.start();
  await log.start();
  await log.append(tokens.active, 'TokenAdded', 1);
  await log.append(tokens.disabled, 'TokenAdded', 1);
  await log.append(tokens.disabled, 'TokenDisabled', 2);
  await log.append(tokens.revoked, 'TokenAdded', 1);
  position = await log.append(tokens.revoked, 'TokenRevoked', 2);
  const accessTokens = createTokenVerifier({
    issuer: issuer.url,
    audience: AUDIENCE,
    retryAfterMs: 0,
  });
  ({ app, guard } = await givenGateway(log, { configuration, accessTokens }, lines));
  ({ url } = await app.listen({ port: 0 }));
  await guard.ready();
});
afterAll(async () => {
  await app.close();
  await log.close();
  issuer.stop();
});

const basic = (id: string, secret: string): string =>
  `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
const BILLING = basic('billing', clients.billing);

interface Question {
  readonly authorization?: string | string[] | null;
  readonly type?: string | null;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly method?: string;
  readonly path?: string;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** Not `fetch`, which would write one type of its own, and can't send a header twice. */
function post(body: string | Buffer, question: Question = {}): Promise<Answer> {
  const {
    authorization = BILLING,
    type = 'application/x-www-form-urlencoded',
    headers = {},
    method = 'POST',
    path = '/introspect',
  } = question;
  const sent: Record<string, string | string[]> = { ...headers };
  if (authorization !== null) sent.authorization = authorization;
  if (type !== null) sent['content-type'] = type;
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      `${url}${path}`,
      {
        method,
        headers: sent,
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
        );
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

const introspect = (of: GivenToken, question?: Question): Promise<Answer> =>
  post(new URLSearchParams({ token: of.secret }).toString(), question);

const jsonOf = ({ body }: Answer): unknown => JSON.parse(body);

describe('/introspect', () => {
  it('says of a valid token what it is, whose, and how old the answer may be', async () => {
    const answer = await introspect(tokens.active);
    expect(answer.status).toBe(200);
    expect(jsonOf(answer)).toEqual({
      active: true,
      token_type: 'Bearer',
      sub: 'u-alice',
      jti: tokens.active.id,
      account_id: 'acme',
      token_version: 1,
    });
    expect(answer.headers).toMatchObject({
      'content-type': expect.stringMatching(/^application\/json/),
      'cache-control': 'no-store',
      'x-token-age': expect.stringMatching(/^\d+$/),
    });
  });

  it.each(['disabled', 'revoked', 'unknown'] as const)(
    'says of a token that is %s that it is not active, and nothing more',
    async (which) => {
      const { status, headers, body } = await introspect(tokens[which]);
      expect({ status, body }).toEqual({ status: 200, body: '{"active":false}' });
      expect(headers['cache-control']).toBe('no-store');
    },
  );

  it.each(['x', 'Bearer x', '%zz', 'tst_', '✓', ' ', 'x'.repeat(10_000)])(
    'says the same of what is no token: %j',
    async (text) => {
      const { status, body } = await post(`token=${encodeURIComponent(text)}`);
      expect({ status, body }).toEqual({ status: 200, body: '{"active":false}' });
    },
  );

  it('follows a token from its disabling to its enabling', async () => {
    const one = token('alice');
    const becomes = async (active: boolean, position: number): Promise<void> =>
      until(
        async () => {
          const answer = await introspect(one, {
            headers: { 'x-min-position': String(position) },
          });
          return answer.status === 200 && (jsonOf(answer) as { active: boolean }).active === active;
        },
        20_000,
        `active: ${active}`,
      );
    await becomes(true, await log.append(one, 'TokenAdded', 1));
    await becomes(false, await log.append(one, 'TokenDisabled', 2));
    await becomes(true, await log.append(one, 'TokenEnabled', 3));
  });

  it('is understood by a client that is not ours', async () => {
    const HTTPS = 'https://gateway.example';
    const as: oauth.AuthorizationServer = {
      issuer: HTTPS,
      introspection_endpoint: `${HTTPS}/introspect`,
    };
    // It speaks to nobody in plain text; what encrypts stands in front of a gateway.
    const throughTls = {
      [oauth.customFetch]: (to: string, init: object) => fetch(to.replace(HTTPS, url), init),
    };
    for (const [client_id, secret] of Object.entries(clients)) {
      const client: oauth.Client = { client_id };
      const ask = async (of: GivenToken): Promise<oauth.IntrospectionResponse> => {
        const response = await oauth.introspectionRequest(
          as,
          client,
          oauth.ClientSecretBasic(secret),
          of.secret,
          {
            ...throughTls,
            additionalParameters: { token_type_hint: 'access_token' },
          },
        );
        return oauth.processIntrospectionResponse(as, client, response);
      };
      expect(await ask(tokens.active)).toMatchObject({ active: true, sub: 'u-alice' });
      expect(await ask(tokens.disabled)).toEqual({ active: false });
    }
    const wrong = await oauth.introspectionRequest(
      as,
      { client_id: 'billing' },
      oauth.ClientSecretBasic('wrong'),
      tokens.active.secret,
      { ...throughTls },
    );
    const refused = oauth.processIntrospectionResponse(as, { client_id: 'billing' }, wrong);
    await expect(refused).rejects.toMatchObject({
      code: 'OAUTH_WWW_AUTHENTICATE_CHALLENGE',
      status: 401,
      cause: [{ scheme: 'basic' }, { scheme: 'bearer' }],
    });
  });

  describe('is closed', () => {
    it.each<[string, string | null]>([
      ['without a credential', null],
      ['with an unknown client', basic('nobody', clients.billing)],
      ['with another client’s secret', basic('billing', ODD_SECRET)],
      ['with the digest as the secret', basic('billing', '0'.repeat(64))],
      ['without a secret', basic('billing', '')],
      ['without an id', basic('', clients.billing)],
      ['with no colon', `Basic ${Buffer.from('billing').toString('base64')}`],
      ['with an encoding that is none', basic('billing', '%zz')],
      ['with another scheme', 'Digest abc'],
      ['with half a header', 'Basic'],
      ['with the token itself', `Bearer ${tokens.active.secret}`],
      ['with an endless header', `Basic ${'A'.repeat(10_000)}`],
    ])('%s: 401, both challenges, and one error', async (_, authorization) => {
      const answer = await introspect(tokens.active, { authorization });
      expect(answer.status).toBe(401);
      expect(answer.body).toBe('{"error":"invalid_client"}');
      expect(answer.headers['www-authenticate']).toMatch(
        /^Basic realm="introspection", charset="UTF-8", Bearer realm="introspection"(, error="invalid_token")?$/,
      );
      expect(answer.headers['cache-control']).toBe('no-store');
      expect(answer.headers).not.toHaveProperty('x-token-age');
    });

    it('to two credentials at once: 400', async () => {
      const answer = await introspect(tokens.active, { authorization: [BILLING, BILLING] });
      expect(answer).toMatchObject({ status: 400, body: '{"error":"invalid_request"}' });
    });

    it('to who is not named, before what it sent is judged', async () => {
      const answer = await post('nothing', { authorization: null });
      expect(answer.status).toBe(401);
    });

    it('to a client that the configuration does not name any more, from then on', async () => {
      const NEWCOMER = basic('newcomer', 'n');
      const configure = (of: Readonly<Record<string, string>>): void => {
        const reading = configurationOf(document(of));
        if ('faults' in reading) throw new Error('it is wrong');
        configuration.accept(reading.configuration);
      };
      const statusOf = async (authorization: string): Promise<number> =>
        (await introspect(tokens.active, { authorization })).status;
      expect(await statusOf(NEWCOMER)).toBe(401);
      configure({ odd: ODD_SECRET, newcomer: 'n' });
      expect([await statusOf(NEWCOMER), await statusOf(BILLING)]).toEqual([200, 401]);
      configure(clients);
      expect([await statusOf(NEWCOMER), await statusOf(BILLING)]).toEqual([401, 200]);
    });
  });

  describe('by a JWT', () => {
    const bearer = async (scope: string, expiresIn?: number): Promise<string> =>
      `Bearer ${await issuer.jwt(scope, expiresIn)}`;

    it('is 503 while the issuer is away and its keys were never seen', async () => {
      issuer.away = true;
      const answer = await introspect(tokens.active, { authorization: await bearer('introspect') });
      issuer.away = false;
      expect(answer).toMatchObject({
        status: 503,
        headers: { 'retry-after': '2' },
        body: '{"error":"temporarily_unavailable"}',
      });
    });

    it('answers who has the scope, also while the issuer is away later', async () => {
      for (const away of [false, true]) {
        issuer.away = away;
        const authorization = await bearer('audit:read introspect');
        const answer = await introspect(tokens.active, { authorization });
        issuer.away = false;
        expect(jsonOf(answer)).toMatchObject({ active: true });
      }
    });

    it('without the scope is 403, and says which', async () => {
      const answer = await introspect(tokens.active, {
        authorization: await bearer('introspection tokens:read'),
      });
      expect(answer).toMatchObject({
        status: 403,
        body: '{"error":"insufficient_scope"}',
        headers: {
          'www-authenticate':
            'Bearer realm="introspection", error="insufficient_scope", scope="introspect"',
        },
      });
    });

    it('that has expired is 401', async () => {
      const authorization = await bearer('introspect', -60);
      const answer = await introspect(tokens.active, { authorization });
      expect(answer).toMatchObject({ status: 401, body: '{"error":"invalid_client"}' });
      expect(answer.headers['www-authenticate']).toContain('error="invalid_token"');
    });
  });

  describe('a request', () => {
    it.each<[string, string | Buffer, Question]>([
      ['without a token', 'token_type_hint=access_token', {}],
      ['with an empty token', 'token=', {}],
      ['with the token twice', 'token=a&token=b', {}],
      ['with a parameter twice', 'token=a&x=1&x=2', {}],
      ['without a body', '', {}],
      ['that is not UTF-8', Buffer.from([0x74, 0x6f, 0xff]), {}],
      ['in JSON', '{"token":"a"}', { type: 'application/json' }],
      ['in broken JSON', '{', { type: 'application/json' }],
      ['as text', 'token=a', { type: 'text/plain' }],
      ['of no type', 'token=a', { type: null }],
      ['with a wrong position', 'token=a', { headers: { 'x-min-position': 'soon' } }],
      ['with two positions', 'token=a', { headers: { 'x-min-position': ['1', '2'] } }],
      ['with the token in the address', '', { path: '/introspect?token=a' }],
    ])('%s is malformed: 400', async (_, body, question) => {
      const answer = await post(body, question);
      expect(answer).toMatchObject({ status: 400, body: '{"error":"invalid_request"}' });
      expect(answer.headers['cache-control']).toBe('no-store');
    });

    it.each<[string, string]>([
      ['any hint', 'token_type_hint=nonsense'],
      ['what is not known', 'color=blue'],
      ['what has no value', 'token_type_hint='],
    ])('may have %s', async (_, more) => {
      const { secret } = tokens.active;
      for (const body of [`${more}&token=${secret}`, `token=${secret}&${more}`]) {
        const type = 'application/x-www-form-urlencoded; charset=UTF-8';
        expect(jsonOf(await post(body, { type }))).toMatchObject({ active: true });
      }
    });

    it('that the server itself can’t take is answered as anywhere: too large, or of no type', async () => {
      expect((await post(`token=${'a'.repeat(16 * 1024)}`)).status).toBe(413);
      expect((await post('token=a', { type: ';;' })).status).toBe(415);
    });

    it.each(['GET', 'PUT', 'DELETE'])('by %s is 405, and says which is right', async (method) => {
      const answer = await post('', { method, type: null });
      expect(answer.status).toBe(405);
      expect(answer.headers.allow).toBe('POST');
    });
  });

  describe('where it can’t know', () => {
    const UNAVAILABLE = {
      status: 503,
      headers: { 'retry-after': '1', 'cache-control': 'no-store' },
      body: '{"error":"temporarily_unavailable"}',
    };

    it('answers 503 until it has read as far as X-Min-Position', async () => {
      for (const which of ['active', 'unknown'] as const) {
        const at = (n: number): Question => ({ headers: { 'x-min-position': String(n) } });
        expect((await introspect(tokens[which], at(position))).status).toBe(200);
        expect(await introspect(tokens[which], at(1_000_000))).toMatchObject(UNAVAILABLE);
      }
    });

    it('answers 503 of every token while it is stale, whatever a route may allow', async () => {
      log.silence(MAX_STALENESS_MS + 1);
      for (const one of Object.values(tokens)) {
        expect(await introspect(one)).toMatchObject(UNAVAILABLE);
      }
      expect((await introspect(tokens.active, { authorization: null })).status).toBe(401);
      log.beat();
      await until(async () => (await introspect(tokens.active)).status === 200, 20_000, 'fresh');
    });
  });

  it('is counted by what was found', async () => {
    const counted = async (result: string): Promise<number> => {
      const metrics = await (await fetch(`${url}/metrics`)).text();
      const line = new RegExp(`^gateway_introspections_total\\{result="${result}"\\} (\\d+)`, 'm');
      return Number(line.exec(metrics)?.[1] ?? 0);
    };
    const before = await counted('revoked');
    await introspect(tokens.revoked);
    expect(await counted('revoked')).toBe(before + 1);
    expect(await counted('refused-client')).toBeGreaterThan(0);
    expect(await counted('malformed')).toBeGreaterThan(0);
  });

  it('has written who asked into its lines, and never what about, nor by which secret', async () => {
    lines.length = 0;
    const jwt = await issuer.jwt('introspect');
    await introspect(tokens.active);
    await introspect(tokens.active, { authorization: `Bearer ${jwt}` });
    await introspect(tokens.unknown, { path: `/introspect?token=${tokens.unknown.secret}` });
    await until(() => lines.length >= 3, 20_000, 'three lines');
    const written = lines.join('');
    expect(written).toContain('"clientId":"billing"');
    expect(written).toContain('"clientId":"auditor"');
    for (const secret of [
      tokens.active.secret,
      tokens.unknown.secret,
      jwt,
      clients.billing,
      BILLING.slice(6),
    ]) {
      expect(written).not.toContain(secret);
    }
  });
});
