import { connect } from 'node:http2';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { App } from '@token-status/platform';
import type { TokenGuard } from '@token-status/token-guard';
import { GRPC_SERVER } from '../auth-gateway.module.js';
import { Configuration } from '../configuration/configuration.js';
import { GrpcClient } from './given-client.spec.js';
import { LogOfTheTest, MAX_STALENESS_MS, givenGateway, token } from '../given-gateway.spec.js';
import type { GrpcServer } from './grpc-server.js';
import { eventually, until } from '../../../../test/contracts/until.js';

const AUTHORIZATION = 'envoy.service.auth.v3.Authorization';

let log: LogOfTheTest;
let guard: TokenGuard;
let app: App;
let url: string;
let client: GrpcClient;
let lines: string[];

async function gateway(grpc: { host: string; port: number } | null): Promise<App> {
  const configuration = Configuration.of({ routes: { reports: { onStale: 'allow-known' } } });
  const made = await givenGateway(log, { configuration, grpc }, lines);
  ({ guard } = made);
  return made.app;
}

beforeEach(async () => {
  lines = [];
  log = await new LogOfTheTest().start();
  app = await gateway({ host: '127.0.0.1', port: 0 });
  ({ url } = await app.listen({ port: 0 }));
  client = new GrpcClient(app.nest.get<GrpcServer>(GRPC_SERVER).address ?? '');
  await guard.ready();
});
afterEach(async () => {
  client.close();
  await app.close();
  await log.close();
});

/** From now on, and until heartbeats come again. */
const goesStale = async (): Promise<void> => {
  log.silence(MAX_STALENESS_MS + 1);
  await until(() => guard.freshness().state === 'stale');
};

const asks = (secret: string, position?: number, route?: string) =>
  client.checkHeaders(
    {
      authorization: `Bearer ${secret}`,
      ...(position === undefined ? {} : { 'x-min-position': String(position) }),
    },
    route === undefined ? {} : { context_extensions: { route } },
  );

const passes = expect.objectContaining({ ok_response: expect.anything() });
const code = (of: number) => expect.objectContaining({ status: { code: of } });

describe('a gateway over gRPC', () => {
  it('follows a token: it passes, disabled it is refused, enabled again it passes', async () => {
    const alice = token('alice');
    const tells = async (position: number, answer: unknown): Promise<void> => {
      // Until it has read so far, it answers that it can't know.
      await eventually(async () => expect(await asks(alice.secret, position)).toEqual({ answer }));
    };
    await tells(await log.append(alice, 'TokenAdded', 1), passes);
    await tells(await log.append(alice, 'TokenDisabled', 2), code(16));
    const told = JSON.stringify(await asks(alice.secret));
    expect(told).toContain('The token is disabled');
    await tells(await log.append(alice, 'TokenEnabled', 3), passes);
    await tells(await log.append(alice, 'TokenRevoked', 4), code(16));
    const toldTo = async ({ secret }: { secret: string }): Promise<string> =>
      JSON.stringify(await asks(secret)).replace(/("x-token-age","value":")\d+/, '$1');
    expect(await toldTo(alice)).toBe(await toldTo(token('nobody')));
    expect(await asks(alice.secret, 1000)).toEqual({ answer: code(14) });
  });

  it('reads two credentials as none of them, whichever way they come', async () => {
    const alice = token('alice');
    const position = await log.append(alice, 'TokenAdded', 1);
    await eventually(async () =>
      expect(await asks(alice.secret, position)).toEqual({ answer: passes }),
    );
    const credential = `Bearer ${alice.secret}`;
    for (const joined of [`${credential},${credential}`, `${credential}, ${credential}`]) {
      expect(await client.checkHeaders({ authorization: joined })).toEqual({ answer: code(16) });
    }
    const apart = (...values: string[]) =>
      client.check({
        attributes: {
          request: {
            http: {
              header_map: {
                headers: values.map((value) => ({
                  key: 'authorization',
                  raw_value: Buffer.from(value),
                })),
              },
            },
          },
        },
      });
    expect(await apart(credential, credential)).toEqual({ answer: code(16) });
    expect(await apart('', credential)).toEqual({ answer: code(16) });
    expect(await apart(credential)).toEqual({ answer: passes });
  });

  it('lets nobody pass while it is stale, but whom it knew where the route allows it', async () => {
    const alice = token('alice');
    const position = await log.append(alice, 'TokenAdded', 1);
    await eventually(async () =>
      expect(await asks(alice.secret, position)).toEqual({ answer: passes }),
    );
    await goesStale();
    const closed = await asks(alice.secret);
    expect(closed).toEqual({ answer: code(14) });
    expect(JSON.stringify(closed)).toContain('"retry-after"');
    expect(await asks(alice.secret, undefined, 'reports')).toEqual({ answer: passes });
    expect(await asks(token('nobody').secret, undefined, 'reports')).toEqual({ answer: code(14) });
    log.beat();
    await eventually(async () => expect(await asks(alice.secret)).toEqual({ answer: passes }));
  });

  it('counts checks together with those over HTTP, and limits failures by Envoy’s address', async () => {
    guard.configure({ failureLimits: { burst: 2, perMinute: 1 } });
    const from = (address: string) => ({ source: { address: { socket_address: { address } } } });
    const fails = (address: string) =>
      client.checkHeaders({ authorization: `Bearer ${token('x').secret}` }, from(address));
    await fetch(`${url}/verify`);
    for (const expected of [16, 16, 8, 8]) {
      expect(await fails('192.0.2.1')).toEqual({ answer: code(expected) });
    }
    expect(await fails('192.0.2.2')).toEqual({ answer: code(16) });
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain('gateway_verify_total{result="none"} 1');
    expect(metrics).toContain('gateway_verify_total{result="unknown"} 3');
    expect(metrics).toContain('gateway_verify_total{result="limited"} 2');
  });

  it('says in the log where it listens', () => {
    const [line] = lines.filter((each) => each.includes('listening for gRPC'));
    expect(JSON.parse(line ?? '{}')).toMatchObject({
      address: app.nest.get<GrpcServer>(GRPC_SERVER).address,
    });
  });

  it('does not start where somebody else listens', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as AddressInfo;
    const second = await gateway({ host: '127.0.0.1', port });
    try {
      await expect(second.listen({ port: 0 })).rejects.toMatchObject({
        code: 'EADDRINUSE',
        message: expect.stringContaining(`127.0.0.1:${port}`),
      });
    } finally {
      await second.close();
      other.close();
    }
  });

  it('takes no gRPC where that is off', async () => {
    const without = await gateway(null);
    await without.listen({ port: 0 });
    expect(without.nest.get<GrpcServer | null>(GRPC_SERVER, { strict: false })).toBeNull();
    await without.close();
  });
});

describe('its health', () => {
  const SERVING = { answer: { status: 'SERVING' } };
  const NOT_SERVING = { answer: { status: 'NOT_SERVING' } };

  it.each(['', AUTHORIZATION])('of %j is SERVING exactly while it is fresh', async (service) => {
    expect(await client.health(service)).toEqual(SERVING);
    await goesStale();
    // The moment that it is: nobody has to be told first.
    expect(await client.health(service)).toEqual(NOT_SERVING);
    log.beat();
    await until(() => guard.freshness().state === 'fresh');
    expect(await client.health(service)).toEqual(SERVING);
  });

  it('of anything else is unknown', async () => {
    expect(await client.health('grpc.health.v1.Health')).toEqual({ error: 5 });
    expect(await client.healthList()).toEqual({
      answer: { statuses: { '': SERVING.answer, [AUTHORIZATION]: SERVING.answer } },
    });
  });

  it('can be watched: each change is told once, until it shuts down', async () => {
    const watches = ['', AUTHORIZATION].map((service) => client.watch(service));
    const other = client.watch('other');
    const left = client.watch();
    const tells = (...statuses: string[]): Promise<void> =>
      eventually(() => {
        for (const { told } of watches) expect(told).toEqual(statuses);
      });
    await tells('SERVING');
    await until(() => left.told.length > 0);
    left.cancel();
    await goesStale();
    await tells('SERVING', 'NOT_SERVING');
    log.beat();
    await tells('SERVING', 'NOT_SERVING', 'SERVING');
    await app.close();
    await tells('SERVING', 'NOT_SERVING', 'SERVING', 'NOT_SERVING');
    await until(() => watches.every(({ ended }) => ended) && other.ended);
    expect(other.told).toEqual(['SERVICE_UNKNOWN']);
    expect(left.told).toEqual(['SERVING']);
    // By the server, and not by its connection's end: who only watches doesn't hold it up.
    expect([...watches, other].map(({ fault }) => fault)).toEqual([null, null, null]);
  });

  it('is not serving from the moment that it begins to shut down, while it still answers', async () => {
    app.readiness.beginShutdown();
    expect(await client.health()).toEqual(NOT_SERVING);
    expect(await client.checkHeaders({})).toEqual({ answer: code(16) });
  });
});

it('a call that never ends does not keep the gateway from shutting down', async () => {
  const address = app.nest.get<GrpcServer>(GRPC_SERVER).address ?? '';
  const session = connect(`http://${address}`);
  const stream = session.request({
    ':method': 'POST',
    ':path': `/${AUTHORIZATION}/Check`,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const ended = new Promise<void>((resolve) => stream.on('close', resolve));
  stream.on('error', () => undefined);
  session.on('error', () => undefined);
  // Announced, and never sent.
  stream.write(Buffer.from([0, 0, 0, 0, 9]));
  await client.checkHeaders({});
  await app.close();
  await ended;
  expect(await client.check({}, { deadline: Date.now() + 2000 })).toEqual({ error: 14 });
  session.destroy();
});
