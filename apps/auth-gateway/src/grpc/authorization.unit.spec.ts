import { connect as connectHttp2 } from 'node:http2';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createLogger } from '@token-status/platform';
import type { CheckInput, Decision, Freshness } from '@token-status/token-guard';
import type { CheckResult } from '../check.js';
import { GrpcClient } from './given-client.spec.js';
import { GrpcServer } from './grpc-server.js';

const PASS: Decision = {
  outcome: 'pass',
  finding: 'active',
  token: { tokenId: 'tok_1', userId: 'u-alice', accountId: 'acme', version: 7, expiresAt: null },
  ageMs: 41.5,
};

let asked: CheckInput[];
let decide: () => Decision;
let verified: CheckResult[];
let allowedStale: string[];
let lines: string[];
let server: GrpcServer;
let client: GrpcClient;

beforeEach(async () => {
  [asked, verified, allowedStale, lines] = [[], [], [], []];
  decide = () => PASS;
  server = new GrpcServer(
    { host: '127.0.0.1', port: 0 },
    {
      guard: {
        check: (input) => {
          asked.push(input);
          return decide();
        },
        freshness: (): Freshness => ({ state: 'fresh', ageMs: 0 }),
        on() {
          return this as never;
        },
      },
      observer: {
        checked: (result, seconds) => {
          expect(seconds).toBeGreaterThanOrEqual(0);
          verified.push(result);
        },
        allowedStale: (route) => allowedStale.push(route),
      },
      onStale: (route) => (route === 'reports' ? 'allow-known' : 'deny'),
      logger: createLogger({
        name: 'auth-gateway',
        level: 'trace',
        destination: { write: (line: string) => lines.push(line) },
      }),
      shuttingDown: new AbortController().signal,
    },
  );
  client = new GrpcClient(await server.listen());
});
afterEach(async () => {
  client.close();
  await server.close();
});

const refused = (grpc: number, http: string): object => ({
  answer: { status: { code: grpc }, denied_response: { status: { code: http } } },
});

describe('Check', () => {
  it('lets a valid credential pass: OK, whom it is, and what to take away', async () => {
    const told = await client.checkHeaders({
      ':path': '/v1/things',
      authorization: 'Bearer x',
      'x-token-id': 'forged',
      'x-token-scope': 'forged',
    });
    const set = (key: string, value: string): object => ({
      header: { key, value },
      append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
    });
    expect(told).toEqual({
      answer: {
        status: { code: 0 },
        ok_response: {
          headers: [
            set('x-token-id', 'tok_1'),
            set('x-token-user', 'u-alice'),
            set('x-token-account', 'acme'),
            set('x-token-version', '7'),
            set('x-token-age', '42'),
          ],
          headers_to_remove: ['authorization', 'x-token-scope'],
        },
      },
    });
    expect(asked).toEqual([
      { authorization: ['Bearer x'], minPosition: 0, onStale: 'deny', address: undefined },
    ]);
    expect(verified).toEqual(['active']);
  });

  it.each<[Exclude<Decision, { outcome: 'pass' }>, number, string]>([
    [{ outcome: 'challenge', finding: 'none' }, 16, 'Unauthorized'],
    [{ outcome: 'stranger', finding: 'unknown' }, 16, 'Unauthorized'],
    [{ outcome: 'disabled', finding: 'disabled' }, 16, 'Unauthorized'],
    [{ outcome: 'unavailable', finding: 'stale' }, 14, 'ServiceUnavailable'],
    [{ outcome: 'limited', finding: 'unknown', retryAfterSecs: 4 }, 8, 'TooManyRequests'],
  ])('refuses %j with %d and %s, as an answer', async (decision, grpc, http) => {
    decide = () => decision;
    const told = await client.checkHeaders({});
    expect(told).toMatchObject(refused(grpc, http));
    const headers = JSON.stringify(told);
    expect(headers).toContain(grpc === 16 ? '"www-authenticate"' : '"retry-after"');
    expect(headers).toContain('"no-store"');
    expect(headers).not.toContain('x-token-');
    expect(verified).toEqual([decision.outcome === 'limited' ? 'limited' : decision.finding]);
  });

  it('asks with the address that Envoy’s connection comes from', async () => {
    const source = { address: { socket_address: { address: '2001:db8::1', port_value: 1 } } };
    await client.checkHeaders({ 'x-forwarded-for': '198.51.100.7' }, { source });
    expect(asked).toMatchObject([{ address: '2001:db8::1' }]);
  });

  it('hands on every Authorization that came', async () => {
    const headers = ['Bearer a', 'Bearer b'].map((value) => ({
      key: 'authorization',
      raw_value: Buffer.from(value),
    }));
    await client.check({ attributes: { request: { http: { header_map: { headers } } } } });
    await client.checkHeaders({ authorization: 'Bearer a,Bearer b' });
    expect(asked.map(({ authorization }) => authorization)).toEqual([
      ['Bearer a', 'Bearer b'],
      ['Bearer a,Bearer b'],
    ]);
  });

  it('goes by the route that Envoy’s configuration names, and no header does', async () => {
    decide = () => ({ ...PASS, finding: 'active-stale' });
    for (const route of ['reports', 'other']) {
      await client.checkHeaders({ route: 'reports' }, { context_extensions: { route } });
    }
    await client.checkHeaders({ 'context-extensions': 'reports' });
    expect(asked.map(({ onStale }) => onStale)).toEqual(['allow-known', 'deny', 'deny']);
    expect(allowedStale).toEqual(['reports', 'other', '']);
    expect(verified).toEqual(['active-stale', 'active-stale', 'active-stale']);
  });

  it.each([
    ['0', 0],
    ['9007199254740991', 9007199254740991],
  ])('X-Min-Position %s asks for position %d', async (header, minPosition) => {
    await client.checkHeaders({ 'x-min-position': header });
    expect(asked).toMatchObject([{ minPosition }]);
  });

  it.each(['', '-1', '1.5', '1e3', '0x10', 'soon', '9007199254740993', '1,2', ' 1'])(
    'X-Min-Position %j is malformed: INVALID_ARGUMENT, before anything is looked up',
    async (header) => {
      const told = await client.checkHeaders({
        'x-min-position': header,
        authorization: 'Bearer x',
      });
      expect(told).toMatchObject(refused(3, 'BadRequest'));
      expect({ asked, verified }).toEqual({ asked: [], verified: ['malformed-position'] });
    },
  );

  it('refuses two positions, even where they are apart and the same', async () => {
    const entry = { key: 'x-min-position', raw_value: Buffer.from('1') };
    const http = { header_map: { headers: [entry, entry] } };
    expect(await client.check({ attributes: { request: { http } } })).toMatchObject(
      refused(3, 'BadRequest'),
    );
    expect(asked).toEqual([]);
  });
});

describe('what is no question', () => {
  it.each<[string, object]>([
    ['an empty message', Buffer.alloc(0)],
    ['a plain connection', { attributes: { source: { principal: 'x' } } }],
  ])('%s, is refused: about no HTTP request anybody passes', async (_, question) => {
    expect(await client.check(question)).toMatchObject(refused(3, 'BadRequest'));
    expect(asked).toEqual([]);
  });

  it('is INVALID_ARGUMENT where it is no message at all, and the server goes on', async () => {
    // Wire type 7 does not exist; a length that reaches beyond the end; a tag that breaks off.
    for (const bytes of [[0x0f], [0x0a, 0x7f, 0x00], [0x80], [0x0a, 0x02, 0x22, 0x7f]]) {
      expect(await client.check(Buffer.from(bytes))).toEqual({ error: 3 });
    }
    for (let n = 0; n < 200; n++) {
      const told = await client.check(randomBytes(1 + (n % 60)));
      // Chance may make a message: one about nothing.
      if ('error' in told) expect(told).toEqual({ error: 3 });
      else expect(told).toMatchObject(refused(3, 'BadRequest'));
    }
    expect(asked).toEqual([]);
    expect(await client.checkHeaders({})).toHaveProperty('answer.ok_response');
    expect(lines.filter((line) => !line.includes('listening'))).toEqual([]);
  });

  it('is refused by its size, but not for all the headers that Envoy lets through', async () => {
    const path = 'x'.repeat(60 * 1024);
    const http = { path, headers: { ':path': path, authorization: 'Bearer x' } };
    expect(await client.check({ attributes: { request: { http } } })).toHaveProperty(
      'answer.ok_response',
    );
    expect(await client.checkHeaders({ body: 'x'.repeat(300 * 1024) })).toEqual({ error: 8 });
    expect(await client.check(Buffer.alloc(8_000_000))).toEqual({ error: 8 });
    expect(asked).toHaveLength(1);
    expect(await client.checkHeaders({})).toHaveProperty('answer.ok_response');
  });
});

it('a fault of ours closes, is logged, and ends nothing', async () => {
  decide = () => {
    throw new Error('broken');
  };
  expect(await client.checkHeaders({ authorization: 'Bearer tst_secret' })).toEqual({ error: 13 });
  expect(lines.filter((line) => line.includes('broken'))).toHaveLength(1);
  expect(lines.join('')).not.toContain('tst_secret');
  decide = () => PASS;
  expect(await client.checkHeaders({})).toHaveProperty('answer.ok_response');
});

it('a call past its deadline is answered with that', async () => {
  expect(await client.check({}, { deadline: Date.now() - 1 })).toEqual({ error: 4 });
});

it('a call that breaks off in the middle of its message ends when its deadline does', async () => {
  const session = connectHttp2(`http://${server.address}`);
  try {
    const trailers = await new Promise<Record<string, unknown>>((resolve, reject) => {
      const stream = session.request({
        ':method': 'POST',
        ':path': '/envoy.service.auth.v3.Authorization/Check',
        'content-type': 'application/grpc',
        te: 'trailers',
        'grpc-timeout': '200m',
      });
      stream.on('response', (headers) => headers['grpc-status'] && resolve(headers));
      stream.on('trailers', resolve);
      stream.on('error', reject);
      // A frame of 100 bytes is announced, and three come.
      stream.write(Buffer.from([0, 0, 0, 0, 100, 1, 2, 3]));
    });
    expect(trailers['grpc-status']).toBe('4');
    expect(asked).toEqual([]);
  } finally {
    session.destroy();
  }
});

it('no line is written for a check', async () => {
  lines.length = 0;
  for (const decision of [PASS, { outcome: 'stranger', finding: 'unknown' } as const]) {
    decide = () => decision;
    await client.checkHeaders({ authorization: 'Bearer x' });
  }
  expect(lines).toEqual([]);
});
