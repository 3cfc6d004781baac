import { connect } from 'node:net';
import {
  Body,
  Controller,
  Get,
  HttpException,
  Module,
  Param,
  Post,
  Query,
  Req,
  Res,
} from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsInt,
  IsOptional,
  IsString,
  MaxLength,
  ValidateNested,
} from 'class-validator';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CurrentCaller, Public } from '../identity/caller.guard.js';
import type { Caller } from '../identity/caller.js';
import { createLogger } from '../logging/logger.js';
import { annotateRequest, currentRequest } from '../logging/request-context.js';
import { startMetrics } from '../metrics/metrics.js';
import { platformProblem, problemsFrom } from '../problem/problem.js';
import { createApp } from './create-app.js';
import type { App } from './create-app.js';
import { RawJsonBody } from './json-body.js';

const PROBLEMS = {
  'token-revoked': { status: 409, title: 'The token is revoked, which is for ever' },
  'not-found': { status: 404, title: 'Nothing here' },
};
const problem = problemsFrom(PROBLEMS);

class ItemDto {
  @IsString()
  @MaxLength(5)
  'na/me': string;
}

class ThingDto {
  @IsOptional()
  @IsString()
  note?: string;

  @IsOptional()
  @IsArray()
  @ArrayMaxSize(3)
  @ValidateNested({ each: true })
  @Type(() => ItemDto)
  items?: ItemDto[];
}

class ListDto {
  @IsOptional()
  @IsInt()
  @Type(() => Number)
  limit?: number;
}

let release: () => void = () => undefined;
const held = new Promise<void>((resolve) => {
  release = resolve;
});
let holding: () => void = () => undefined;
const isHeld = new Promise<void>((resolve) => {
  holding = resolve;
});

@Controller('things')
class ThingsController {
  @Get('mine')
  mine(@CurrentCaller() caller: Caller): unknown {
    return { id: caller.id };
  }

  @Public()
  @Get('list')
  list(@Query() query: ListDto): unknown {
    return { limit: query.limit ?? null };
  }

  @Public()
  @Post('raw')
  @RawJsonBody(100_000)
  raw(@Req() { body }: FastifyRequest): unknown {
    return Buffer.isBuffer(body) ? { bytes: body.toString('latin1').slice(0, 20) } : { body };
  }

  @Public()
  @Post()
  async add(@Body() thing: ThingDto): Promise<unknown> {
    await Promise.resolve();
    annotateRequest({ commandId: 'c-1' });
    const { requestId, traceparent } = currentRequest() ?? {};
    return { note: thing.note, request: requestId, trace: traceparent };
  }

  @Public()
  @Get('fails/:how')
  fail(@Param('how') how: string, @Res({ passthrough: true }) reply: FastifyReply): unknown {
    reply.header('content-type', 'text/csv');
    switch (how) {
      case 'refused':
        throw problem('token-revoked', {
          detail: 'It was revoked in 2020.',
          headers: { 'x-more': '1' },
          members: { version: 3 },
        });
      case 'http':
        throw new HttpException('the password is hunter2', 403);
      case 'unavailable':
        throw platformProblem('unavailable', { cause: new Error('connection to db lost') });
      default:
        throw new Error(`the password=hunter2 of ${how}`);
    }
  }

  @Public()
  @Get('held')
  async hold(): Promise<unknown> {
    holding();
    await held;
    return { waited: true };
  }
}

@Module({ controllers: [ThingsController] })
class ThingsModule {}

const lines: string[] = [];
const logged = (): Record<string, unknown>[] =>
  lines.map((line) => JSON.parse(line) as Record<string, unknown>);

async function start(options: { drainMs?: number } = {}): Promise<{ app: App; url: string }> {
  const app = await createApp(ThingsModule, {
    logger: createLogger({
      name: 'things',
      level: 'info',
      destination: { write: (line) => lines.push(line) },
    }),
    metrics: startMetrics({ service: 'things', version: '0' }),
    problems: PROBLEMS,
    callers: {
      authenticate: (authorization) =>
        authorization === 'Bearer good'
          ? Promise.resolve({
              id: 'u-alice',
              kind: 'user',
              accountId: 'acme',
              userName: null,
              privileges: new Set(),
              scopes: new Set(),
            })
          : Promise.reject(
              platformProblem('unauthenticated', { headers: { 'www-authenticate': 'Bearer' } }),
            ),
    },
    bodyLimitBytes: 1000,
    ...options,
  });
  return { app, url: (await app.listen({ port: 0 })).url };
}

let app: App;
let url: string;
beforeAll(async () => {
  ({ app, url } = await start());
});
afterAll(() => app.close());

interface Answer {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

async function ask(path: string, init: RequestInit = {}, at = url): Promise<Answer> {
  const response = await fetch(at + path, init);
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>,
  };
}

const post = (body: string | Buffer<ArrayBuffer>, type = 'application/json'): Promise<Answer> =>
  ask('/things', { method: 'POST', headers: { 'content-type': type }, body });

describe('an answer that is a problem', () => {
  it('has the form of RFC 9457 and names the request', async () => {
    const { status, headers, body } = await ask('/things/fails/refused', {
      headers: { 'x-request-id': 'r-42' },
    });
    expect(status).toBe(409);
    expect(headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-more')).toBe('1');
    expect(body).toEqual({
      type: 'urn:token-status:problem:token-revoked',
      title: 'The token is revoked, which is for ever',
      status: 409,
      code: 'token-revoked',
      detail: 'It was revoked in 2020.',
      instance: 'urn:token-status:request:r-42',
      version: 3,
    });
  });

  it('has the title that the app gives', async () => {
    const { status, body } = await ask('/nowhere?password=hunter2');
    expect(status).toBe(404);
    expect(body).toMatchObject({ code: 'not-found', title: 'Nothing here' });
    expect(body).not.toHaveProperty('detail');
  });

  it('tells nothing of a fault; the log does, with the id of the request', async () => {
    lines.length = 0;
    const { status, body } = await ask('/things/fails/secretly', {
      headers: { 'x-request-id': 'r-43' },
    });
    expect(status).toBe(500);
    expect(Object.keys(body).sort()).toEqual(['code', 'instance', 'status', 'title', 'type']);
    expect(body.code).toBe('internal');
    const fault = logged().find((line) => line.code === 'internal');
    expect(fault).toMatchObject({ level: 'error', requestId: 'r-43' });
    expect(JSON.stringify(fault)).toContain('of secretly');
    expect(lines.join('')).not.toContain('hunter2');
  });

  it('logs why something is out of reach', async () => {
    lines.length = 0;
    expect((await ask('/things/fails/unavailable')).body).toMatchObject({ status: 503 });
    expect(lines.join('')).toContain('connection to db lost');
  });

  it("passes nothing on of another's HTTP exception but its status", async () => {
    const { status, body } = await ask('/things/fails/http');
    expect(status).toBe(403);
    expect(body).toMatchObject({ code: 'forbidden' });
    expect(JSON.stringify(body)).not.toContain('hunter2');
  });

  it.each<[string, string | Buffer<ArrayBuffer>, string, number, string, string | undefined]>([
    [
      'cut JSON',
      '{"note":',
      'application/json',
      400,
      'invalid-request',
      'The body is not valid JSON.',
    ],
    [
      '__proto__',
      '{"__proto__":{"a":1}}',
      'application/json',
      400,
      'invalid-request',
      'The body is not valid JSON.',
    ],
    [
      'constructor.prototype',
      '{"constructor":{"prototype":{}}}',
      'application/json',
      400,
      'invalid-request',
      'The body is not valid JSON.',
    ],
    [
      'broken UTF-8',
      Buffer.from('7b226e6f7465223a22ff227d', 'hex'),
      'application/json',
      400,
      'invalid-request',
      'The body is not valid UTF-8.',
    ],
    [
      'a form',
      'note=a',
      'application/x-www-form-urlencoded',
      415,
      'unsupported-media-type',
      undefined,
    ],
    ['plain text', 'a', 'text/plain', 415, 'unsupported-media-type', undefined],
    [
      'too much',
      JSON.stringify({ note: 'a'.repeat(1000) }),
      'application/json',
      413,
      'too-large',
      'The body is larger than this server takes.',
    ],
    [
      'nested too deep to be validated',
      `{"note":${'['.repeat(100)}${']'.repeat(100)}}`,
      'application/json',
      400,
      'invalid-request',
      'The body is nested more than 20 levels deep.',
    ],
    [
      'a number beyond all numbers',
      '{"note":[-1e999]}',
      'application/json',
      400,
      'invalid-request',
      'A number in the body is too large.',
    ],
    [
      'an unknown member that every object inherits',
      '{"note":"a","hasOwnProperty":1}',
      'application/json',
      400,
      'invalid-request',
      'A member of the body has a name that is not offered.',
    ],
    ['a list', '[1]', 'application/json', 400, 'invalid-request', 'The body is not as it must be.'],
    ['a number', '7', 'application/json', 400, 'invalid-request', 'The body is not as it must be.'],
  ])('is given to a body that is %s', async (_, body, type, status, code, detail) => {
    const answer = await post(body, type);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(answer.body).toMatchObject({ status, code });
    expect(answer.body.detail).toBe(detail);
  });

  it.each([
    ['PUT', '/things?a=b', 'POST'],
    ['DELETE', '/things/fails/once', 'GET, HEAD'],
    ['OPTIONS', '/livez', 'GET, HEAD'],
  ])(
    'is given to the method %s of %s, and names those that are offered',
    async (method, path, allow) => {
      const answer = await ask(path, { method });
      expect(answer.status).toBe(405);
      expect(answer.headers.get('allow')).toBe(allow);
      expect(answer.headers.get('x-request-id')).not.toBeNull();
      expect(answer.body).toMatchObject({ status: 405, code: 'method-not-allowed' });
    },
  );

  it('is given to an address that is no URL, and to what is no HTTP', async () => {
    const address = await ask('/things/%zz');
    expect(address.status).toBe(400);
    expect(address.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(address.body).toMatchObject({ code: 'invalid-request' });

    const { port, hostname } = new URL(url);
    const raw = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => socket.write('NOT HTTP\r\n\r\n'));
      let answer = '';
      socket.on('data', (data) => (answer += data.toString()));
      socket.on('close', () => resolve(answer));
      socket.on('error', reject);
    });
    expect(raw).toMatch(/^HTTP\/1\.1 400 /);
    expect(raw).toContain('application/problem+json');
    expect(raw).toContain('"code":"invalid-request"');
  });

  it('points at everything that is wrong in a body, and repeats no value', async () => {
    const { status, body } = await post(
      JSON.stringify({
        note: 7,
        items: [{ 'na/me': 'ok' }, { 'na/me': 'hunter2hunter2', extra: 1 }],
        unknown: 'hunter2',
      }),
    );
    expect(status).toBe(400);
    expect(body.code).toBe('invalid-request');
    const errors = body.errors as { pointer: string; detail: string }[];
    expect(errors.map(({ pointer }) => pointer).sort()).toEqual([
      '/items/1/extra',
      '/items/1/na~1me',
      '/note',
      '/unknown',
    ]);
    expect(JSON.stringify(body)).not.toContain('hunter2');
  });

  it('names the parameter of a query', async () => {
    const { status, body } = await ask('/things/list?limit=x');
    expect(status).toBe(400);
    expect(body.errors).toEqual([{ parameter: 'limit', detail: expect.any(String) as unknown }]);
    expect((await ask('/things/list?limit=7')).body).toEqual({ limit: 7 });
    expect((await ask('/things/list?other=7')).status).toBe(400);
  });
});

describe('a request', () => {
  it('may come without a body where nothing in it is needed', async () => {
    expect((await ask('/things', { method: 'POST' })).status).toBe(201);
    expect((await post('')).status).toBe(201);
  });

  it('keeps its bytes as they came where the route asks for them, up to a limit of that route', async () => {
    const raw = async (body: string, type = 'application/json'): Promise<[number, unknown]> => {
      const headers = { 'content-type': type };
      const answer = await fetch(`${url}/things/raw`, { method: 'POST', headers, body });
      return [answer.status, await answer.json()];
    };
    expect(await raw('{ "a" : 1.0')).toEqual([201, { bytes: '{ "a" : 1.0' }]);
    expect(await raw('')).toEqual([201, { bytes: '' }]);
    expect((await raw(' '.repeat(100_000)))[0]).toBe(201);
    expect((await raw(' '.repeat(100_001)))[0]).toBe(413);
    expect((await raw('a', 'text/plain'))[0]).toBe(415);
    const others = await fetch(`${url}/things`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: ' '.repeat(100_000),
    });
    expect(others.status).toBe(413);
  });

  it('keeps its id and trace to the handler, and has them in its log line', async () => {
    lines.length = 0;
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const { headers, body } = await ask('/things?filter=alice', {
      method: 'POST',
      headers: { 'x-request-id': 'caller-7', traceparent, 'content-type': 'application/json' },
      body: '{"note":"n"}',
    });
    expect(headers.get('x-request-id')).toBe('caller-7');
    expect(body).toEqual({ note: 'n', request: 'caller-7', trace: traceparent });
    expect(logged()).toMatchObject([
      { requestId: 'caller-7', commandId: 'c-1', method: 'POST', path: '/things', status: 201 },
    ]);
  });

  it.each(['', 'a b', 'a"b', 'a'.repeat(65), 'é'])(
    'gets an id of ours instead of %j',
    async (id) => {
      const { headers } = await ask('/livez', { headers: { 'x-request-id': id } });
      expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    },
  );

  it.each(['nonsense', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`])(
    'has no trace where the header is %j',
    async (traceparent) => {
      const { body } = await ask('/things', { method: 'POST', headers: { traceparent } });
      expect(body).not.toHaveProperty('trace');
    },
  );

  it('needs a caller unless the route is public', async () => {
    const refused = await ask('/things/mine');
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toBe('Bearer');
    expect(refused.body.code).toBe('unauthenticated');
    const { body } = await ask('/things/mine', { headers: { authorization: 'Bearer good' } });
    expect(body).toEqual({ id: 'u-alice' });
  });
});

describe('health', () => {
  it('is answered to anybody and never cached', async () => {
    for (const path of ['/livez', '/readyz', '/metrics']) {
      const response = await fetch(url + path);
      expect(response.status).toBe(200);
      expect(response.headers.get('cache-control')).toBe('no-store');
      await response.text();
    }
  });

  it('is 503 while a part is not ready', async () => {
    const withdraw = app.readiness.register({
      name: 'kafka',
      check: () => ({ ok: false, why: 'no broker answers' }),
    });
    const { status, body } = await ask('/readyz');
    withdraw();
    expect(status).toBe(503);
    expect(body).toEqual({
      ready: false,
      checks: [{ name: 'kafka', ok: false, why: 'no broker answers' }],
    });
    expect((await ask('/readyz')).status).toBe(200);
    expect((await ask('/livez')).status).toBe(200);
  });

  it('shows requests by route, never by address', async () => {
    await ask('/things/fails/some-id-in-the-path');
    const text = await (await fetch(`${url}/metrics`)).text();
    expect(text).toMatch(
      /http_server_request_duration_seconds_count\{[^}]*route="\/things\/fails\/:how"/,
    );
    expect(text).not.toContain('some-id-in-the-path');
  });
});

describe('shutting down', () => {
  it('answers what is under way, then takes nothing more', async () => {
    const second = await start();
    const waiting = ask('/things/held', {}, second.url);
    await isHeld;
    const closed = second.app.close();
    expect((await second.app.readiness.report()).ready).toBe(false);
    const deadline = Date.now() + 5000;
    let refused = false;
    while (!refused && Date.now() < deadline) {
      refused = await fetch(`${second.url}/livez`).then(
        async (response) => {
          await response.text();
          return false;
        },
        () => true,
      );
    }
    expect(refused).toBe(true);
    release();
    expect((await waiting).body).toEqual({ waited: true });
    await closed;
    await second.app.close();
  });

  it('cuts off what does not end within the bound', async () => {
    const second = await start({ drainMs: 50 });
    const { port, hostname } = new URL(second.url);
    const socket = connect(Number(port), hostname);
    const ended = new Promise((resolve) => socket.on('close', resolve));
    socket.on('error', () => undefined);
    await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
    socket.write(
      'POST /things HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{',
    );
    await second.app.close();
    await ended;
  });
});
