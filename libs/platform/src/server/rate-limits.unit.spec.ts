import { Controller, Get, Module } from '@nestjs/common';
import { afterEach, expect, it } from '@jest/globals';
import { CurrentCaller, Public } from '../identity/caller.guard.js';
import type { Caller } from '../identity/caller.js';
import { createLogger } from '../logging/logger.js';
import { platformProblem } from '../problem/problem.js';
import { createApp } from './create-app.js';
import type { App } from './create-app.js';

@Controller()
class Things {
  @Get('thing')
  thing(@CurrentCaller() { id }: Caller): { readonly of: string } {
    return { of: id };
  }

  @Public()
  @Get('public')
  public(): { readonly open: true } {
    return { open: true };
  }
}

@Module({ controllers: [Things] })
class ThingsModule {}

let app: App | undefined;
afterEach(() => app?.close());

async function start(): Promise<(path: string, as?: string) => Promise<Response>> {
  app = await createApp(ThingsModule, {
    logger: createLogger({ name: 'test', level: 'silent' }),
    rateLimits: { perCaller: 3, perAddress: 2 },
    callers: {
      authenticate: (authorization) =>
        authorization === undefined
          ? Promise.reject(platformProblem('unauthenticated'))
          : Promise.resolve({
              id: authorization,
              kind: 'service',
              accountId: null,
              userName: null,
              privileges: new Set(),
              scopes: new Set(),
            }),
    },
  });
  const { url } = await app.listen({ port: 0 });
  return (path, as) =>
    fetch(`${url}${path}`, { headers: as === undefined ? {} : { authorization: as } });
}

const statuses = async (answers: readonly Promise<Response>[]): Promise<readonly number[]> =>
  (await Promise.all(answers)).map(({ status }) => status).sort();

it('a caller who asks too often is told when to come back, and others are not kept waiting', async () => {
  const ask = await start();
  expect(await statuses([1, 2, 3].map(() => ask('/thing', 'a')))).toEqual([200, 200, 200]);
  const refused = await ask('/thing', 'a');
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(60);
  expect(refused.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(await refused.json()).toMatchObject({ code: 'too-many-requests', status: 429 });
  expect((await ask('/thing', 'b')).status).toBe(200);
});

it('those without a valid credential are counted by their address, over all routes, and callers from there are not', async () => {
  const ask = await start();
  expect((await ask('/thing')).status).toBe(401);
  expect((await ask('/public')).status).toBe(200);
  expect((await ask('/thing')).status).toBe(429);
  expect((await ask('/public')).status).toBe(429);
  expect((await ask('/thing', 'a')).status).toBe(200);
});

it("an operator's machinery is never refused", async () => {
  const ask = await start();
  for (let n = 0; n < 10; n++) {
    expect((await ask('/livez')).status).toBe(200);
    expect((await ask('/metrics')).status).toBe(200);
  }
});
