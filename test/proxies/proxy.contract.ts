import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { until } from '../contracts/until.js';
import { basic, bearer } from '../scenarios/caller.js';
import { ask } from './ask.js';
import type { Ask, Told } from './ask.js';
import { startNamelessGateway, startRealGateway, startStaleGateway } from './gateways.js';
import type { Gateway, RealGateway } from './gateways.js';
import { startProxy } from './proxy-process.js';
import type { Proxy, ProxyKind } from './proxy-process.js';
import { startUpstream } from './upstream.js';
import type { Reached, Upstream } from './upstream.js';

export interface ProxyUnderTest extends ProxyKind {
  /** Whether it takes away every `X-Token-*`, also names that no gateway sends. Else the five known ones. */
  readonly removesByPrefix?: boolean;
  /** What it says of a gateway that is hung or dead; 503 where left out. */
  readonly fault?: { readonly hung: number; readonly dead: number };
  /** It tells on what the client wrote into X-Forwarded-For, and then the client's address. */
  readonly addsToForwardedFor?: boolean;
  /** What it writes where the gateway said nothing. Without it, nothing. */
  readonly placeholder?: RegExp;
}

type Headers = [string, string][];

const X_TOKEN = ['X-Token-Id', 'X-Token-User', 'X-Token-Account', 'X-Token-Version', 'X-Token-Age'];

/** The headers that frameworks might take for the gateway's: CGI and WSGI read `_` as `-`. */
const saysWho = ({ headers }: Reached): Headers =>
  headers.filter(([name]) => /^x[-_]token/.test(name)).map(([name, value]) => [name, value]);

/**
 * What every proxy must do with the configuration of its example, in front of a real gateway and an API that
 * tells what reached it. A process of the proxy each for a gateway that is fresh, stale, and nameless.
 */
export function proxyContract(kind: ProxyUnderTest): void {
  jest.setTimeout(120_000);

  let upstream: Upstream;
  let gateway: RealGateway;
  let fresh: Proxy;
  let stale: Proxy;
  let nameless: Proxy;
  const opened: (() => Promise<unknown>)[] = [];

  const closedAfter = async <T>(thing: Promise<T>, close: (it: T) => Promise<unknown>) => {
    const it = await thing;
    opened.push(() => close(it));
    return it;
  };
  const proxyOf = ({ port, grpcPort }: Gateway): Promise<Proxy> => {
    const gateway = kind.over === 'grpc' ? grpcPort : port;
    return closedAfter(startProxy(kind, { gateway, upstream: upstream.port }), (it) => it.stop());
  };

  beforeAll(async () => {
    upstream = await closedAfter(startUpstream(), (it) => it.close());
    // The cheapest first: a program that is missing is told of at once.
    nameless = await proxyOf(await closedAfter(startNamelessGateway(), (it) => it.stop()));
    gateway = await closedAfter(startRealGateway(), (it) => it.stop());
    fresh = await proxyOf(gateway);
    stale = await proxyOf(await closedAfter(startStaleGateway(), (it) => it.stop()));
  }, 420_000);

  afterAll(async () => {
    for (let close = opened.pop(); close; close = opened.pop()) await close();
  });

  const asks = (more: Ask, authorization?: string): Promise<Told> =>
    ask(fresh.port, {
      ...more,
      headers: [
        ...(authorization === undefined ? [] : [['Authorization', authorization] as const]),
        ...(more.headers ?? []),
      ],
    });
  const active = (): string => bearer(gateway.active.secret);

  /** @returns the request as the API got it */
  function passes(told: Told, body = 'the API'): Reached {
    expect({ status: told.status, body: told.body }).toEqual({ status: 200, body });
    const reached = upstream.reachedBy(told.ask);
    if (!reached) throw new Error('the client got an answer of the API, which no request reached');
    return reached;
  }

  /** Refused, and not by the API. */
  function refused(told: Told, status: number): void {
    expect({ status: told.status, reached: upstream.reachedBy(told.ask) }).toEqual({
      status,
      reached: undefined,
    });
  }

  /** What the gateway itself tells the caller. */
  async function challengeOf(authorization?: string): Promise<string | null> {
    const { status, headers } = await fetch(`${gateway.url}/verify`, {
      headers: authorization === undefined ? {} : { authorization },
    });
    expect(status).toBe(401);
    return headers.get('www-authenticate');
  }

  const whoItIs = [
    ['x-token-account', 'acme'],
    ['x-token-age', expect.stringMatching(/^\d+$/)],
    ['x-token-id', expect.stringMatching(/^./)],
    ['x-token-user', 'u-alice'],
    ['x-token-version', '1'],
  ];
  /** Each of the gateway's words once, and no other word. */
  function saysOnlyTheGateway(reached: Reached): void {
    const said = saysWho(reached).sort(([a], [b]) => a.localeCompare(b));
    expect(said).toEqual(whoItIs);
    expect(said).toContainEqual(['x-token-id', gateway.active.id]);
  }

  describe('a valid token', () => {
    it.each(['Bearer', 'Basic'])('passes by %s, and the API sees whose it is', async (scheme) => {
      const { secret } = gateway.active;
      const by = scheme === 'Basic' ? basic('alice@example.com', secret) : bearer(secret);
      const reached = passes(await asks({ path: '/v1/things?page=2&page=3' }, by));
      expect(reached).toMatchObject({ method: 'GET', url: '/v1/things?page=2&page=3' });
      saysOnlyTheGateway(reached);
    });

    it('stays at the proxy: the API never sees the secret', async () => {
      const reached = passes(await asks({}, active()));
      expect(JSON.stringify(reached.headers)).not.toContain(gateway.active.secret);
    });

    it('passes with HEAD, which has no body', async () => {
      const told = await asks({ method: 'HEAD' }, active());
      const reached = passes(told, '');
      expect(reached.method).toBe('HEAD');
      saysOnlyTheGateway(reached);
    });

    it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])(
      'passes with %s and its body unchanged',
      async (method) => {
        const body = Buffer.from('{"authorization": "nobody"}');
        const reached = passes(await asks({ method, body }, active()));
        expect(reached).toMatchObject({ method, body: summed(body) });
        saysOnlyTheGateway(reached);
      },
    );

    it.each([
      ['of a known length', false],
      ['in chunks', true],
    ])('passes with a body of 300 KB %s, which the gateway never sees', async (_, chunked) => {
      // More than the gateway would take.
      const body = randomBytes(300_000);
      const reached = passes(await asks({ method: 'POST', body, chunked }, active()));
      expect(reached.body).toEqual(summed(body));
      saysOnlyTheGateway(reached);
    });

    it.each([
      '/?authorization=Bearer%20nonsense&token=x',
      '/verify',
      '/v1/a%20b/%C3%A4?x=%25zz&y',
      `/v1/things?q=${'long'.repeat(500)}`,
    ])('passes whatever address it is used for: %s', async (path) => {
      const reached = passes(await asks({ path }, active()));
      expect(reached.url).toBe(path);
    });
  });

  describe('what a client forges', () => {
    // Twice, in other spellings, with and without a value.
    const forged: Headers = [...X_TOKEN, ...X_TOKEN.map((name) => name.toLowerCase())].flatMap(
      (name): Headers => [
        [name, 'forged'],
        [name.toUpperCase(), 'forged'],
        [name.replaceAll('-', '_'), 'forged'],
        [name.replaceAll('-', '_').toUpperCase(), 'forged'],
        [name.replace(/(.*)-/, '$1_'), 'forged'],
        [name.replace('-', '_'), 'forged'],
      ],
    );
    const anyOther: Headers =
      kind.removesByPrefix === false
        ? []
        : [
            ['X-Token-Scope', 'forged'],
            ['x-token-Name', ''],
          ];

    it('is replaced by what the gateway says', async () => {
      saysOnlyTheGateway(passes(await asks({ headers: forged }, active())));
    });

    it('is taken away where the gateway says nothing', async () => {
      const reached = passes(await ask(nameless.port, { headers: [...forged, ...anyOther] }));
      const left = saysWho(reached).filter(([, value]) => !kind.placeholder?.test(value));
      expect(left).toEqual([]);
    });

    if (kind.removesByPrefix !== false) {
      it('is taken away under any other name that begins so', async () => {
        saysOnlyTheGateway(passes(await asks({ headers: anyOther }, active())));
      });
    }

    it('takes nothing of the gateway’s away by naming it in Connection', async () => {
      for (const listed of ['close, X-Token-Id, X-Token-User', 'close, x-token-version']) {
        const told = await asks({ headers: [['Connection', listed]] }, active());
        // Refusing such a request is as good.
        if (told.status === 400) refused(told, 400);
        else saysOnlyTheGateway(passes(told));
      }
    });

    it('passes nobody in whom the gateway sees no credential', async () => {
      refused(await asks({ headers: forged }), 401);
      refused(await asks({ headers: [['Connection', 'close, Authorization']] }), 401);
    });
  });

  describe('is refused with the gateway’s own challenge', () => {
    it.each<[string, () => string | undefined]>([
      ['no credential', () => undefined],
      ['a disabled token', () => bearer(gateway.disabled.secret)],
      ['a disabled token by Basic', () => basic('alice@example.com', gateway.disabled.secret)],
      ['an unknown token', () => bearer(gateway.unknown.secret)],
      [
        'a valid token with another’s name',
        () => basic('carol@example.com', gateway.active.secret),
      ],
      ['nonsense', () => 'nonsense'],
      ['an empty credential', () => ''],
    ])('%s, by any method', async (_, credential) => {
      const authorization = credential();
      const challenge = await challengeOf(authorization);
      expect(challenge).toContain('Basic realm=');
      const body = randomBytes(1000);
      for (const request of [{}, { method: 'HEAD' }, { method: 'POST', body }]) {
        const told = await asks(request, authorization);
        refused(told, 401);
        expect(told.headers['www-authenticate']).toBe(challenge);
      }
    });

    it('and who holds a disabled token is told so', async () => {
      const told = await asks({}, bearer(gateway.disabled.secret));
      expect(told.headers['www-authenticate']).toContain('The token is disabled');
    });

    it('a valid token that is anywhere but in Authorization', async () => {
      const { secret } = gateway.active;
      const elsewhere: Ask = {
        method: 'POST',
        path: `/verify?access_token=${secret}&Authorization=Bearer%20${secret}`,
        headers: [
          ['Cookie', `Authorization=Bearer ${secret}`],
          ['X-Authorization', bearer(secret)],
          ['Proxy-Authorization', bearer(secret)],
        ],
        body: Buffer.from(`access_token=${secret}`),
      };
      refused(await asks(elsewhere), 401);
      refused(await asks(elsewhere, bearer(gateway.disabled.secret)), 401);
    });

    it('who brings a valid token and another one, in either order', async () => {
      const two = [active(), bearer(gateway.disabled.secret)];
      for (const [first, second] of [two, two.toReversed()] as [string, string][]) {
        const told = await asks({ headers: [['authorization', second]] }, first);
        // The proxy may refuse such a request by itself.
        refused(told, told.status === 400 ? 400 : 401);
      }
    });
  });

  it('follows a token: disabled it is refused, enabled again it passes', async () => {
    const { id, secret = '' } = (await gateway.alice.add('u-alice', 'Followed')).body;
    const becomes = (status: number): Promise<void> =>
      until(async () => (await asks({}, bearer(secret))).status === status, 30_000);
    await becomes(200);
    await gateway.alice.disable(id);
    await becomes(401);
    await gateway.alice.enable(id);
    await becomes(200);
  });

  it.each([401, 403, 500, 503])('hands on the API’s own %i as it is', async (status) => {
    const told = await asks({ headers: [['X-Answer-With', String(status)]] }, active());
    expect(told).toMatchObject({ status, body: 'the API' });
    expect(told.headers['www-authenticate']).toBe(status === 401 ? 'API' : undefined);
    expect(told.headers['retry-after']).toBeUndefined();
  });

  describe('a gateway that does not know', () => {
    it('is 503 for everybody while it is stale', async () => {
      const credentials = [active(), bearer(gateway.disabled.secret), 'nonsense', undefined];
      for (const authorization of credentials) {
        for (const method of ['GET', 'HEAD', 'POST']) {
          const headers: Headers = authorization ? [['Authorization', authorization]] : [];
          refused(await ask(stale.port, { method, headers }), 503);
        }
      }
    });

    it('is 503 where it has not read as far as X-Min-Position', async () => {
      const from = (position: string): Headers => [['X-Min-Position', position]];
      refused(await asks({ headers: from('9000000000000000') }, active()), 503);
      passes(await asks({ headers: from('1') }, active()));
    });

    it('lets nobody pass with an X-Min-Position that it can’t read', async () => {
      const told = await asks({ headers: [['X-Min-Position', 'soon']] }, active());
      expect(told.status).toBeGreaterThanOrEqual(400);
      expect(upstream.reachedBy(told.ask)).toBeUndefined();
    });
  });

  describe('a gateway that fails', () => {
    const everybodyAsks = (): Promise<Told[]> =>
      Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          asks(
            { method: n % 3 === 0 ? 'HEAD' : n % 3 === 1 ? 'POST' : 'GET' },
            [active(), bearer(gateway.disabled.secret), undefined][n % 4],
          ),
        ),
      );
    const passesAgain = (): Promise<void> =>
      until(async () => (await asks({}, active())).status === 200, 60_000);

    it('closes while it is hung, answers in bounded time, and opens again', async () => {
      gateway.process.pause();
      try {
        // Twice: over connections that the proxy held, and over new ones.
        for (const told of await everybodyAsks()) refused(told, kind.fault?.hung ?? 503);
        for (const told of await everybodyAsks()) refused(told, kind.fault?.hung ?? 503);
      } finally {
        gateway.process.resume();
      }
      await passesAgain();
      refused(await asks({}, bearer(gateway.disabled.secret)), 401);
    });

    it('closes while it is dead, and opens again', async () => {
      await gateway.process.kill9();
      for (const told of await everybodyAsks()) refused(told, kind.fault?.dead ?? 503);
      await gateway.process.start();
      await passesAgain();
      refused(await asks({}, bearer(gateway.disabled.secret)), 401);
    });
  });

  describe('a flood of wrong credentials', () => {
    const flooding = (n: number): Promise<Told> => {
      // Each as if for another: the proxy knows better.
      const forged: Headers = kind.addsToForwardedFor ? [] : [['X-Forwarded-For', `192.0.2.${n}`]];
      return asks({ headers: forged }, `Bearer wrong-${n}`);
    };

    it('is too many requests at last, for who floods', async () => {
      let told = await flooding(0);
      for (let n = 1; n < 250 && told.status === 401; n++) told = await flooding(n);
      refused(told, 429);
      expect(Number(told.headers['retry-after'])).toBeGreaterThanOrEqual(1);
      expect(told.headers['www-authenticate']).toBeUndefined();
    });

    it('turns against nobody who holds a token, from the same address', async () => {
      refused(await flooding(250), 429);
      saysOnlyTheGateway(passes(await asks({}, active())));
      const told = await asks({}, bearer(gateway.disabled.secret));
      refused(told, 401);
      expect(told.headers['www-authenticate']).toContain('The token is disabled');
      refused(await asks({}), 401);
    });
  });
}

const summed = (body: Buffer): Reached['body'] => ({
  bytes: body.length,
  sha256: createHash('sha256').update(body).digest('hex'),
});
