import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService } from '../given/service.spec.js';
import type { ServiceUnderTest } from '../given/service.spec.js';

let service: ServiceUnderTest;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

describe('the OpenAPI document', () => {
  it('is served to anybody, as it is published', async () => {
    const answer = await service.call('GET', '/v1/openapi.json');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
    const file = new URL('../../openapi.json', import.meta.url);
    expect(answer.json).toEqual(JSON.parse(await readFile(file, 'utf8')));
  });
});
