import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startService } from './given/service.spec.js';
import type { ServiceUnderTest } from './given/service.spec.js';

let service: ServiceUnderTest;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

const origin = 'https://elsewhere.example';
const CORS = ['origin', 'credentials', 'headers', 'methods', 'max-age'];

it.each([
  ['a command', 'POST', '/v1/users/u-alice/tokens'],
  ['a read', 'GET', '/v1/users/u-alice/tokens'],
  ['the document that anybody may have', 'GET', '/v1/openapi.json'],
])('no browser page of another origin may ask for %s', async (_, method, path) => {
  const preflight = await service.call('OPTIONS', path, {
    headers: {
      origin,
      'access-control-request-method': method,
      'access-control-request-headers': 'authorization,content-type',
    },
  });
  expect(preflight.status).toBe(405);
  const asked = await service.call(method, path, { as: 'alice', headers: { origin } });
  for (const { headers } of [preflight, asked]) {
    for (const name of CORS) {
      const found = headers.get(
        name === 'max-age' ? 'access-control-max-age' : `access-control-allow-${name}`,
      );
      expect([name, found]).toEqual([name, null]);
    }
  }
});
