import { createServer, request as httpRequest } from 'node:http';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Inject, Logger, Module, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { newSecret, topics } from '@token-status/contracts';
import express from 'express';
import express4 from 'express-4';
import Fastify from 'fastify';
import type { TokenIdentity } from './decision.js';
import { tokenGuard as expressTokenGuard } from './express/index.js';
import { tokenGuard as fastifyTokenGuard } from './fastify/index.js';
import { BusThatMisbehaves, RelayOfTheTest } from './given-bus.spec.js';
import { basic, bearer, eventRecord, token, wireEvent } from './given.spec.js';
import { liveConnections } from './live-connections.js';
import type { LiveConnections } from './live-connections.js';
import { checkUpgrade, holdResponse, holdWebSocket } from './live-transports.js';
import {
  CurrentToken,
  LIVE_CONNECTIONS,
  TokenGuardModule,
  TokenStatusGuard,
  WhenStale,
} from './nest/index.js';
import type { MiddlewareOptions } from './request.js';
import { createTokenGuard } from './token-guard.js';
import type { TokenGuard } from './token-guard.js';

Logger.overrideLogger(false);

const names = topics('test');
const valid = token('valid');
const disabled = token('disabled');
const open: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** A guard that knows two tokens, and whose view can be made stale. */
async function givenGuard() {
  const bus = new BusThatMisbehaves();
  const relay = new RelayOfTheTest(bus, names);
  await relay.start();
  open.push(() => relay.close());
  const clocks = { passed: 0 };
  const guard = createTokenGuard({
    bus,
    topics: names,
    gatewayId: 'gw-1',
    probeEveryMs: 10,
    clocks: {
      monotonic: () => performance.now() + clocks.passed,
      wall: () => Date.now() + clocks.passed,
    },
  });
  open.push(() => guard.close());
  const history = [
    eventRecord(wireEvent(valid, 'TokenAdded', 1), 1),
    eventRecord(wireEvent(disabled, 'TokenAdded', 1), 2),
    eventRecord(wireEvent(disabled, 'TokenDisabled', 2), 3),
  ];
  await relay.publish(history, 3);
  await guard.ready();
  const goStale = async (): Promise<void> => {
    const stale = new Promise<void>((resolve) => guard.on('stale', () => resolve()));
    relay.pause();
    clocks.passed += 5001;
    relay.ahead += 5001;
    await stale;
  };
  return { guard, relay, goStale };
}

/** Listens, and says where. */
async function listen(listener?: RequestListener) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, port: (server.address() as AddressInfo).port };
}

/** `authorization`: each value is a header of its own. */
const ask = (
  port: number,
  authorization: readonly string[] = [],
  path = '/orders',
): Promise<{ status: number; headers: IncomingMessage['headers']; body: string }> =>
  new Promise((resolve, reject) => {
    const headers = ['host', 'of-the-test', ...authorization.flatMap((v) => ['Authorization', v])];
    httpRequest({ port, host: '127.0.0.1', path, headers, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      });
    })
      .on('error', reject)
      .end();
  });

/** An app of which `/orders` tells whose request it was; on a port. */
type AppOf = (guard: TokenGuard, options: MiddlewareOptions<unknown>) => Promise<number>;

const who = (of: TokenIdentity | null | undefined): object => ({ user: of?.userId });

@Controller()
@UseGuards(TokenStatusGuard)
class Orders {
  @Get('orders')
  orders(@CurrentToken() of: TokenIdentity): object {
    return who(of);
  }

  @Get('reports')
  @WhenStale('allow-known')
  reports(@CurrentToken() of: TokenIdentity): object {
    return who(of);
  }
}

@Controller()
class Unguarded {
  @Get('orders')
  orders(@CurrentToken() of: TokenIdentity): object {
    return who(of);
  }
}

async function nestOnFastify(parts: Parameters<typeof Module>[0]) {
  @Module(parts)
  class App {}
  const app = await NestFactory.create(App, new FastifyAdapter());
  await app.listen(0, '127.0.0.1');
  open.push(() => app.close());
  return { app, port: (app.getHttpServer() as { address(): AddressInfo }).address().port };
}

const APPS: Readonly<Record<string, AppOf>> = {
  'Express 5': async (guard, options) => {
    const app = express();
    app.use(expressTokenGuard(guard, options));
    app.get('/orders', (request, response) => {
      response.json(who(request.token));
    });
    return (await listen(app)).port;
  },
  'Express 4': async (guard, options) => {
    const app = express4();
    app.use(expressTokenGuard(guard, options));
    app.get('/orders', (request, response) => {
      response.json(who(request.token));
    });
    return (await listen(app)).port;
  },
  Fastify: async (guard, options) => {
    const app = Fastify();
    await app.register(fastifyTokenGuard, { guard, ...options });
    app.get('/orders', (request) => who(request.token));
    await app.listen({ port: 0, host: '127.0.0.1' });
    open.push(() => app.close());
    return (app.server.address() as AddressInfo).port;
  },
  'Nest on Fastify': async (guard, options) => {
    const imports = [TokenGuardModule.forRoot({ guard, ...options })];
    return (await nestOnFastify({ imports, controllers: [Orders] })).port;
  },
  'Nest on Fastify, configured later': async (guard, options) => {
    const useFactory = () => Promise.resolve({ guard, ...options });
    const imports = [TokenGuardModule.forRootAsync({ useFactory })];
    return (await nestOnFastify({ imports, controllers: [Orders] })).port;
  },
};

describe.each(Object.entries(APPS))('%s with a token guard', (_, appOf) => {
  it('lets a valid token pass, by both schemes, and says whose it is', async () => {
    const { guard } = await givenGuard();
    const port = await appOf(guard, {});
    for (const each of [bearer(valid.secret), basic(valid.userName, valid.secret)]) {
      const { status, body } = await ask(port, [each]);
      expect([status, JSON.parse(body)]).toEqual([200, { user: valid.userId }]);
    }
  });

  it('refuses a disabled token, a stranger, and who presents nothing or two things', async () => {
    const { guard } = await givenGuard();
    const port = await appOf(guard, {});
    const right = bearer(valid.secret);
    const refused = [[bearer(disabled.secret)], [bearer(newSecret())], [], [right, right]];
    const errors = [];
    for (const each of refused) {
      const { status, headers } = await ask(port, each);
      expect([status, headers['cache-control']]).toEqual([401, 'no-store']);
      errors.push(/error="[^"]*"(, error_description="[^"]*")?/.exec(headers['www-authenticate']!));
    }
    expect(errors.map((found) => found?.[0])).toEqual([
      'error="invalid_token", error_description="The token is disabled"',
      'error="invalid_token"',
      undefined,
      'error="invalid_token"',
    ]);
  });

  it('refuses everybody on a stale view, unless it may let the known pass', async () => {
    const { guard, goStale } = await givenGuard();
    const [strict, lenient] = [
      await appOf(guard, {}),
      await appOf(guard, { onStale: 'allow-known' }),
    ];
    await goStale();
    const { status, headers } = await ask(strict, [bearer(valid.secret)]);
    expect([status, headers['retry-after'], headers['cache-control']]).toEqual([
      503,
      '1',
      'no-store',
    ]);
    expect((await ask(lenient, [bearer(valid.secret)])).status).toBe(200);
    expect((await ask(lenient, [bearer(disabled.secret)])).status).toBe(503);
  });

  it('limits failures by address, of its own or of what it is told', async () => {
    const { guard } = await givenGuard();
    guard.configure({ failureLimits: { burst: 1, perMinute: 1 } });
    let address = '192.0.2.1';
    const [byItself, byWhatItIsTold] = [
      await appOf(guard, {}),
      await appOf(guard, { address: () => address }),
    ];
    const statusOf = async (port: number) => (await ask(port, [bearer(newSecret())])).status;
    expect([await statusOf(byItself), await statusOf(byItself)]).toEqual([401, 429]);
    expect([await statusOf(byWhatItIsTold), await statusOf(byWhatItIsTold)]).toEqual([401, 429]);
    address = '192.0.2.2';
    expect(await statusOf(byWhatItIsTold)).toBe(401);
    expect((await ask(byItself, [bearer(valid.secret)])).status).toBe(200);
  });
});

describe('on Fastify', () => {
  it('guards the part of an app that registers it, and not what is beside it', async () => {
    const { guard, goStale } = await givenGuard();
    const app = Fastify();
    app.get('/open', () => ({}));
    await app.register(async (part) => {
      await part.register(fastifyTokenGuard, { guard });
      part.get('/orders', (request) => who(request.token));
    });
    await app.register(async (part) => {
      await part.register(fastifyTokenGuard, { guard, onStale: 'allow-known' });
      part.get('/reports', (request) => who(request.token));
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    open.push(() => app.close());
    const { port } = app.server.address() as AddressInfo;
    await goStale();
    const statuses = [];
    for (const path of ['/open', '/orders', '/reports']) {
      statuses.push((await ask(port, [bearer(valid.secret)], path)).status);
    }
    expect(statuses).toEqual([200, 503, 200]);
  });
});

describe('on Nest', () => {
  it('lets a handler say what a stale view does to it', async () => {
    const { guard, goStale } = await givenGuard();
    const imports = [TokenGuardModule.forRoot({ guard })];
    const { port } = await nestOnFastify({ imports, controllers: [Orders] });
    await goStale();
    const statusOf = async (path: string) => (await ask(port, [bearer(valid.secret)], path)).status;
    expect([await statusOf('/orders'), await statusOf('/reports')]).toEqual([503, 200]);
  });

  it('never makes up a token for a handler that is not guarded', async () => {
    const { guard } = await givenGuard();
    const imports = [TokenGuardModule.forRoot({ guard })];
    const { port } = await nestOnFastify({ imports, controllers: [Unguarded] });
    expect((await ask(port, [bearer(valid.secret)])).status).toBe(500);
  });

  it('ends live connections and the guard when the app is closed', async () => {
    const { guard } = await givenGuard();
    let live: LiveConnections | undefined;
    @Controller()
    @UseGuards(TokenStatusGuard)
    class Streams {
      constructor(@Inject(LIVE_CONNECTIONS) injected: LiveConnections) {
        live = injected;
      }
    }
    const imports = [TokenGuardModule.forRoot({ guard })];
    const { app } = await nestOnFastify({ imports, controllers: [Streams] });
    const decision = guard.check({ secret: valid.secret });
    if (decision.outcome !== 'pass') throw new Error(decision.finding);
    const closed: string[] = [];
    live!.hold(decision.token, (why) => {
      closed.push(why);
    });
    await app.close();
    expect(closed).toEqual(['closed']);
  });
});

describe('an event stream that is held', () => {
  it('ends when its token is disabled, and is let go when its reader goes', async () => {
    const { guard, relay } = await givenGuard();
    const live = liveConnections(guard);
    const app = express();
    app.get('/stream', expressTokenGuard(guard), (request, response: ServerResponse) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': begins\n\n');
      holdResponse(live, request.token!, response);
    });
    const { port } = await listen(app);
    const stream = () =>
      new Promise<IncomingMessage>((resolve, reject) => {
        const headers = { authorization: bearer(valid.secret) };
        httpRequest({ port, host: '127.0.0.1', path: '/stream', headers, agent: false }, resolve)
          .on('error', reject)
          .end();
      });
    const [one, two] = [await stream(), await stream()];
    const sizeBecame = async (size: number) => {
      while (live.size !== size) await new Promise((resolve) => setTimeout(resolve, 1));
    };
    await sizeBecame(2);
    two.destroy();
    await sizeBecame(1);
    const ended = new Promise((resolve) => one.on('end', resolve).resume());
    await relay.publish([eventRecord(wireEvent(valid, 'TokenDisabled', 2), 4)], 4);
    await ended;
    await sizeBecame(0);
  });

  it('is cut off where its reader does not take the end of it', async () => {
    const { guard, relay } = await givenGuard();
    const live = liveConnections(guard);
    let ended = (): void => undefined;
    const closed = new Promise<void>((resolve) => (ended = resolve));
    const { port } = await listen((_, response) => {
      response.on('close', ended);
      // More than sockets hold, to somebody who reads none of it.
      response.writeHead(200).write(Buffer.alloc(64 * 1024 * 1024));
      const decision = guard.check({ secret: valid.secret });
      if (decision.outcome === 'pass') holdResponse(live, decision.token, response);
    });
    const reader = connect(port, '127.0.0.1').pause();
    open.push(() => reader.destroy());
    reader.write('GET / HTTP/1.1\r\nhost: of-the-test\r\n\r\n');
    while (live.size === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await relay.publish([eventRecord(wireEvent(valid, 'TokenRevoked', 2), 4)], 4);
    await closed;
    expect(live.size).toBe(0);
  });
});

describe('the upgrade to a WebSocket', () => {
  it('is refused as any request is, and the socket ended', async () => {
    const { guard } = await givenGuard();
    const { server, port } = await listen();
    const passed: string[] = [];
    server.on('upgrade', (request: IncomingMessage, socket) => {
      const of = checkUpgrade(guard, request, socket);
      if (!of) return;
      passed.push(of.userId);
      socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n');
    });
    const upgrade = (...authorization: string[]) =>
      new Promise<string>((resolve, reject) => {
        let text = '';
        const lines = authorization.map((value) => `Authorization: ${value}\r\n`).join('');
        connect(port, '127.0.0.1')
          .setEncoding('utf8')
          .on('data', (more: string) => (text += more))
          .on('close', () => resolve(text))
          .on('error', reject)
          .write(
            `GET / HTTP/1.1\r\nhost: of-the-test\r\nconnection: upgrade\r\nupgrade: websocket\r\n${lines}\r\n`,
          );
      });
    expect(await upgrade(bearer(valid.secret))).toMatch(/^HTTP\/1.1 101 /);
    const refusal = await upgrade(bearer(disabled.secret));
    expect(refusal).toMatch(/^HTTP\/1.1 401 Unauthorized\r\n/);
    expect(refusal).toMatch(/\r\nwww-authenticate: .*The token is disabled.*\r\n/);
    expect(refusal).toMatch(/\r\n\r\n$/);
    expect(await upgrade()).toMatch(/^HTTP\/1.1 401 /);
    const right = bearer(valid.secret);
    expect(await upgrade(right, right)).toMatch(/^HTTP\/1.1 401 /);
    expect(passed).toEqual([valid.userId]);
  });

  it('is not held where the WebSocket is closed already', async () => {
    const { guard } = await givenGuard();
    const live = liveConnections(guard);
    const decision = guard.check({ secret: valid.secret });
    if (decision.outcome !== 'pass') throw new Error(decision.finding);
    holdWebSocket(live, decision.token, {
      readyState: 3,
      on: () => undefined,
      close: () => undefined,
      terminate: () => undefined,
      removeAllListeners: () => undefined,
    });
    expect(live.size).toBe(0);
  });
});
