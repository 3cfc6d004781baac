import { METHODS, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createApp, createLogger, startMetrics } from '@token-status/platform';
import type { App } from '@token-status/platform';
import type {
  CheckInput,
  Decision,
  Freshness,
  GuardState,
  TokenGuard,
} from '@token-status/token-guard';
import { AuthGatewayModule } from './auth-gateway.module.js';
import { Configuration } from './configuration/configuration.js';

const PASS: Decision = {
  outcome: 'pass',
  finding: 'active',
  token: { tokenId: 'tok_1', userId: 'u-alice', accountId: 'acme', version: 7, expiresAt: null },
  ageMs: 41.5,
};

/** Decides as it is told; what it decides from is the guard's own specs' business. */
class GuardAsTold implements TokenGuard {
  readonly asked: CheckInput[] = [];
  decision: Decision = PASS;
  now: Freshness = { state: 'fresh', ageMs: 41.5 };
  closed = 0;

  ready = (): Promise<void> => Promise.resolve();
  freshness = (): Freshness => this.now;
  on = (): this => this;
  configure = (): void => undefined;
  recheck = (): Decision => this.decision;
  clocks = { monotonic: () => performance.now(), wall: () => Date.now() };
  check(input: CheckInput): Decision {
    this.asked.push(input);
    return this.decision;
  }
  state(): GuardState {
    return {
      gatewayId: 'gw-1',
      state: this.now.state,
      why: this.now.state === 'fresh' ? null : this.now.why,
      ageMs: this.now.ageMs,
      epoch: 'e'.repeat(32),
      watermark: 12,
      headPosition: 13,
      clockOffset: { leastMs: -1, mostMs: 1 },
      tokens: { active: 3, disabled: 2, revoked: 1, parked: 1 },
      parkedTokens: [{ tokenId: 'tok_9', why: 'version 3 came after 1' }],
      events: { applied: 12, repeated: 1, parked: 1, rejected: 0, unverified: 0 },
      verificationKeyIds: null,
      offsets: new Map([[0, 12n]]),
      alarms: 1,
      rebuilds: 0,
      snapshot: null,
    };
  }
  close(): Promise<void> {
    this.closed++;
    return Promise.resolve();
  }
}

let guard: GuardAsTold;
let app: App;
let url: string;
let port: number;
const lines: string[] = [];

beforeEach(async () => {
  guard = new GuardAsTold();
  lines.length = 0;
  const logger = createLogger({
    name: 'auth-gateway',
    level: 'trace',
    destination: { write: (line: string) => lines.push(line) },
  });
  const metrics = startMetrics({ service: 'auth-gateway', version: '0' });
  app = await createApp(
    AuthGatewayModule.register({
      guard: () => guard,
      logger,
      metrics,
      trustedProxies: ['loopback'],
      configuration: Configuration.of({ routes: { reports: { onStale: 'allow-known' } } }),
    }),
    { logger, metrics, callers: 'none' },
  );
  ({ url, port } = await app.listen({ port: 0 }));
});
afterEach(() => app.close());

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** Not `fetch`: that forbids some methods, headers and addresses. */
function ask(
  path: string,
  options: { method?: string; headers?: Record<string, string | string[]>; body?: string } = {},
) {
  return new Promise<Answer>((resolve, reject) => {
    const { method = 'GET', headers = {}, body } = options;
    const request = httpRequest({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** What the server writes back on a connection, until it closes it or falls silent after an answer. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let got = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => (got += chunk));
    socket.on('close', () => resolve(got));
    socket.on('error', reject);
  });
}

describe('/verify', () => {
  it('answers 200, whom it is, and nothing in the body', async () => {
    const { status, headers, body } = await ask('/verify', {
      headers: { authorization: 'Bearer x' },
    });
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'x-token-id': 'tok_1',
      'x-token-user': 'u-alice',
      'x-token-account': 'acme',
      'x-token-version': '7',
      'x-token-age': '42',
      'cache-control': 'no-store',
      'content-length': '0',
    });
    expect(body).toBe('');
    expect(guard.asked).toMatchObject([
      { authorization: 'Bearer x', minPosition: 0, onStale: 'deny' },
    ]);
  });

  it.each<[Exclude<Decision, { outcome: 'pass' }>, number]>([
    [{ outcome: 'disabled', finding: 'disabled' }, 401],
    [{ outcome: 'stranger', finding: 'unknown' }, 401],
    [{ outcome: 'challenge', finding: 'none' }, 401],
    [{ outcome: 'unavailable', finding: 'stale' }, 503],
    [{ outcome: 'limited', finding: 'unknown', retryAfterSecs: 1 }, 429],
  ])('answers %j with %d, no token headers and nothing in the body', async (decision, status) => {
    guard.decision = decision;
    const answer = await ask('/verify');
    expect(answer).toMatchObject({ status, body: '' });
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('x-'))).toEqual([]);
    if (status === 401) expect(answer.headers['www-authenticate']).toMatch(/^Bearer .*, Basic /);
    else expect(answer.headers['retry-after']).toBe('1');
  });

  it('says with a refusal, too, how old its knowledge is', async () => {
    guard.decision = { outcome: 'unavailable', finding: 'stale', ageMs: 6000.2 };
    const { status, headers } = await ask('/verify');
    expect({ status, age: headers['x-token-age'] }).toEqual({ status: 503, age: '6001' });
  });

  it.each(METHODS.filter((method) => method !== 'CONNECT'))('answers %s', async (method) => {
    for (const path of ['/verify', '/verify/v1/things']) {
      const { status, headers } = await ask(path, { method });
      expect(status).toBe(200);
      expect(headers['x-token-id']).toBe('tok_1');
    }
  });

  it.each([
    '/verify/',
    '/verify?redirect=https://example.com/%zz',
    '/verify/%zz/%',
    '/verify/../status',
    '/verify//double//',
    `/verify/${'x'.repeat(4000)}`,
    '/verify/a;b?c=%00#d',
  ])('does not mind what is behind it: %s', async (path) => {
    expect((await ask(path)).status).toBe(200);
    expect(guard.asked).toHaveLength(1);
  });

  it.each(['/verifyx', '/Verify', '/', '/x/verify'])('is nowhere else: %s', async (path) => {
    expect((await ask(path)).status).toBe(404);
    expect(guard.asked).toEqual([]);
  });

  it('asks with the caller’s address, as trusted proxies tell it', async () => {
    await ask('/verify', { headers: { 'x-forwarded-for': '203.0.113.9, 198.51.100.7' } });
    await ask('/verify');
    const addresses = guard.asked.map(({ address }) =>
      typeof address === 'function' ? address() : address,
    );
    expect(addresses).toEqual(['198.51.100.7', '127.0.0.1']);
  });

  describe('a route', () => {
    it.each([
      ['/routes/reports/verify', 'allow-known'],
      ['/routes/reports/verify/', 'allow-known'],
      ['/routes/reports/verify?x', 'allow-known'],
      ['/routes/reports/verify/routes/other/verify', 'allow-known'],
      ['/routes/other/verify/routes/reports/verify', 'deny'],
      ['/verify/routes/reports/verify', 'deny'],
      ['/verify?/routes/reports/verify', 'deny'],
      ['/routes/nobody-configured-it/verify', 'deny'],
    ])('is named in front, where no caller can write: %s → %s', async (path, onStale) => {
      expect((await ask(path)).status).toBe(200);
      expect(guard.asked).toMatchObject([{ onStale }]);
    });

    it.each([
      '/routes/reports',
      '/routes/reports/verifyx',
      '/routes//verify',
      '/routes/re%70orts/verify',
      '/routes/a/b/verify',
      `/routes/${'x'.repeat(65)}/verify`,
    ])('is nothing else: %s', async (path) => {
      expect((await ask(path)).status).toBe(404);
      expect(guard.asked).toEqual([]);
    });

    it('that lets somebody pass by an old view is counted, by its name', async () => {
      guard.decision = { ...PASS, finding: 'active-stale', ageMs: 60_000.2 };
      const { status, headers } = await ask('/routes/reports/verify');
      expect({ status, age: headers['x-token-age'] }).toEqual({ status: 200, age: '60001' });
      const metrics = await (await fetch(`${url}/metrics`)).text();
      expect(metrics).toContain('gateway_allowed_stale_total{route="reports"} 1');
      expect(metrics).toContain('gateway_verify_total{result="active-stale"} 1');
    });
  });

  it('hands on every Authorization header that came', async () => {
    await ask('/verify', { headers: { authorization: ['Bearer a', 'Bearer b'] } });
    await ask('/verify', { headers: { AUTHORIZATION: 'Bearer c' } });
    await ask('/verify', { headers: { 'proxy-authorization': 'Bearer d' } });
    expect(guard.asked.map(({ authorization }) => authorization)).toEqual([
      ['Bearer a', 'Bearer b'],
      'Bearer c',
      undefined,
    ]);
  });

  describe('X-Min-Position', () => {
    it.each([
      ['0', 0],
      ['17', 17],
      ['9007199254740991', 9007199254740991],
    ])('%s asks for position %d', async (header, minPosition) => {
      await ask('/verify', { headers: { 'x-min-position': header } });
      expect(guard.asked).toMatchObject([{ authorization: undefined, minPosition }]);
    });

    it.each(['', '-1', '1.5', '1e3', '0x10', 'x', '9007199254740993', '1, 2', ['1', '2']])(
      'malformed as %j is 400, before anything is looked up',
      async (header) => {
        const { status, headers, body } = await ask('/verify', {
          headers: { 'x-min-position': header, authorization: 'Bearer x' },
        });
        expect({ status, body }).toEqual({ status: 400, body: '' });
        expect(headers['cache-control']).toBe('no-store');
        expect(guard.asked).toEqual([]);
      },
    );
  });

  describe('a body', () => {
    it.each([
      ['JSON', { 'content-type': 'application/json' }, '{"a":1}'],
      ['broken JSON', { 'content-type': 'application/json' }, '{'],
      ['nothing, called JSON', { 'content-type': 'application/json', 'content-length': '0' }, ''],
      ['of an unknown type', { 'content-type': 'application/x-unknown' }, 'abc'],
      ['of a type that is none', { 'content-type': ';;;' }, 'abc'],
      ['without a type', {}, 'abc'],
      ['in chunks', { 'transfer-encoding': 'chunked' }, 'abc'],
    ])('is ignored: %s', async (_, headers, body) => {
      expect((await ask('/verify/x', { method: 'POST', headers, body })).status).toBe(200);
      expect((await ask('/verify/x', { method: 'GET', headers, body })).status).toBe(200);
    });

    it('that is announced too large is not waited for', async () => {
      const answer = await raw(
        'POST /verify HTTP/1.1\r\nhost: x\r\ncontent-length: 10000000\r\n\r\nabc',
      );
      expect(answer).toMatch(/^HTTP\/1.1 200 OK/);
      expect(answer.toLowerCase()).toContain('connection: close');
    });

    it('in chunks that never end closes the connection', async () => {
      const chunk = `${(8192).toString(16)}\r\n${'x'.repeat(8192)}\r\n`;
      const answer = await raw(
        `POST /verify HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n${chunk.repeat(9)}`,
      ).catch(() => 'reset');
      expect(answer).toMatch(/^(HTTP\/1.1 200 OK|reset)/);
    });

    it('leaves the connection fit for the next request', async () => {
      const answers = await raw(
        'POST /verify HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc' +
          'GET /verify HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
      );
      expect(answers.match(/HTTP\/1.1 200 OK/g)).toHaveLength(2);
      expect(guard.asked).toHaveLength(2);
    });
  });

  it('writes no line for a request, and never a credential or an address', async () => {
    lines.length = 0;
    const secret = `tst_${'A'.repeat(36)}`;
    for (const decision of [PASS, { outcome: 'stranger', finding: 'unknown' } as const]) {
      guard.decision = decision;
      await ask(`/verify/${secret}?key=${secret}`, {
        headers: { authorization: `Bearer ${secret}` },
      });
    }
    expect(lines).toEqual([]);
  });
});

describe('for operators', () => {
  it('/livez is 200, whatever the gateway knows', async () => {
    guard.now = { state: 'starting', why: 'no heartbeat has come yet', ageMs: null };
    expect((await fetch(`${url}/livez`)).status).toBe(200);
  });

  it('/readyz is 200 while fresh, and else 503 and why', async () => {
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    guard.now = {
      state: 'stale',
      why: 'the newest proof is older than the bound',
      ageMs: 6000,
      onlyOld: true,
    };
    const response = await fetch(`${url}/readyz`);
    expect(response.status).toBe(503);
    expect(await response.text()).toContain('stale: the newest proof is older than the bound');
  });

  it('/status says what the gateway knows', async () => {
    const response = await fetch(`${url}/status`);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.json()).toEqual({
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      configuration: {
        digest: expect.stringMatching(/^[0-9a-f]{64}$/),
        loadedAt: expect.stringMatching(/^\d{4}-.*Z$/),
        fault: null,
      },
      ...guard.state(),
      offsets: { 0: '12' },
    });
  });

  it('/metrics counts requests by what was found, and shows freshness and tokens', async () => {
    await ask('/verify');
    guard.decision = { outcome: 'stranger', finding: 'revoked' };
    await ask('/verify');
    await ask('/verify');
    await ask('/verify', { headers: { 'x-min-position': 'x' } });
    const metrics = await (await fetch(`${url}/metrics`)).text();
    for (const line of [
      'gateway_verify_total{result="active"} 1',
      'gateway_verify_total{result="revoked"} 2',
      'gateway_verify_total{result="malformed-position"} 1',
      'gateway_verify_duration_seconds_count 4',
      'gateway_fresh 1',
      'gateway_staleness_seconds 0.0415',
      'gateway_watermark 12',
      'gateway_head 13',
      'gateway_tokens{status="active"} 3',
      'gateway_tokens{status="disabled"} 2',
      'gateway_tokens{status="revoked"} 1',
      'gateway_parked_tokens 1',
      'gateway_events_total{outcome="applied"} 12',
      'gateway_rebuilds_total 0',
    ]) {
      expect(metrics).toContain(line);
    }
  });

  it('closes its guard with the app', async () => {
    await app.close();
    expect(guard.closed).toBe(1);
  });
});
