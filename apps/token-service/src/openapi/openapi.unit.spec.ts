import { readFile } from 'node:fs/promises';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { describe, expect, it } from '@jest/globals';
import { PROBLEMS } from '@token-status/contracts';
import { CONTROLLERS } from '../token-service.module.js';
import { OPERATIONS } from './operations.js';
import { routesOf } from './routes.js';
import { tokenServiceOpenApi } from './token-service-openapi.js';

const document = tokenServiceOpenApi();
const written = JSON.stringify(document);

/** The requests that callers may rely on: method, path, the query's parameters, and what a success is. */
const PROMISED: readonly (readonly [
  request: string,
  query: readonly string[],
  statuses: readonly number[],
])[] = [
  ['POST /v1/users/{}/tokens', [], [201]],
  ['GET /v1/users/{}/tokens', ['minPosition'], [200]],
  [
    'GET /v1/tokens',
    ['user', 'status', 'name', 'hint', 'createdAfter', 'createdBefore', 'limit', 'cursor'],
    [200],
  ],
  ['GET /v1/tokens/{}', ['minPosition'], [200]],
  ['PATCH /v1/tokens/{}', [], [200]],
  ['POST /v1/tokens/{}/disable', [], [200]],
  ['POST /v1/tokens/{}/enable', [], [200]],
  ['DELETE /v1/tokens/{}', [], [200]],
  ['POST /v1/tokens/bulk', [], [200]],
  ['GET /v1/tokens/{}/events', [], [200]],
  ['GET /v1/tokens/{}/status', ['at'], [200]],
  ['GET /v1/tokens/{}/enforcement', [], [200]],
  ['GET /v1/tokens/{}/impact', [], [200]],
  ['GET /v1/stream', [], [200]],
];

/** Promised, and not there yet: taken off here by whoever builds it, or the spec fails. */
const COMING: Readonly<Record<string, string>> = {
  'GET /v1/tokens/{}/status': 'needs what gateways enforced, which receipts tell',
  'GET /v1/tokens/{}/enforcement': 'needs the receipts of gateways',
  'GET /v1/tokens/{}/impact': 'needs the usage that gateways report',
};

/** What is there beyond the promise; the reference in README.md says it to people. */
const ADDED = [
  'GET /v1/openapi.json',
  'POST /v1/leaks',
  'POST /v1/tokens/self/disable',
  'POST /v1/users/{}/disable-all',
];

/** Of what stands before every route, and so in no operation. */
const OF_NO_ROUTE = ['not-found', 'method-not-allowed'];

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<Record<string, unknown>>;
}

const offered = new Map(
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [
      `${method.toUpperCase()} ${path.replace(/\{\w+\}/g, '{}')}`,
      operation as unknown as Operation,
    ]),
  ),
);

describe('the OpenAPI document', () => {
  it('has no fault that its linter knows', async () => {
    const config = await createConfig({
      extends: ['recommended-strict'],
      rules: { 'no-invalid-media-type-examples': 'error', 'no-invalid-schema-examples': 'error' },
    });
    const faults = await lintFromString({ source: written, config });
    expect(faults.map(({ ruleId, message, location }) => ({ ruleId, message, location }))).toEqual(
      [],
    );
  });

  it('is the file that is published: `npm run openapi` writes it', async () => {
    const file = new URL('../../openapi.json', import.meta.url);
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(JSON.parse(written));
  });

  it('describes every route that is served, and none that is not', () => {
    const served = routesOf(CONTROLLERS).map(({ method, path }) => `${method} ${path}`);
    expect(Object.keys(OPERATIONS).sort()).toEqual(served.sort());
  });

  it.each(PROMISED)('has %s as it is promised', (request, query, statuses) => {
    const operation = offered.get(request);
    expect({ request, coming: request in COMING }).toEqual({
      request,
      coming: operation === undefined,
    });
    if (operation === undefined) return;
    const parameters = (operation.parameters ?? []).filter((each) => each.in === 'query');
    expect(parameters.map(({ name }) => name)).toEqual(expect.arrayContaining([...query]));
    for (const status of statuses) expect(operation.responses).toHaveProperty(String(status));
  });

  it('has beyond the promise what is listed, and that is in the reference', async () => {
    const promised = PROMISED.map(([request]) => request);
    const more = [...offered.keys()].filter((request) => !promised.includes(request));
    expect(more.sort()).toEqual([...ADDED].sort());
    const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
    for (const request of ADDED)
      expect(readme.replace(/\{\w+\}/g, '{}')).toContain(`\`${request}\``);
  });

  it('names every problem that there is, with an example', () => {
    const { examples } = document.components as { readonly examples: object };
    const missing = Object.keys(PROBLEMS).filter((code) => !(code in examples));
    expect(missing.sort()).toEqual([...OF_NO_ROUTE].sort());
  });

  it('says for commands that they may happen once, and for changes which version they are of', () => {
    const headers = (request: string): readonly string[] =>
      (offered.get(request)?.parameters ?? [])
        .filter((each) => each.in === 'header')
        .map(({ name }) => name);
    expect(headers('POST /v1/users/{}/tokens')).toEqual(['Idempotency-Key']);
    for (const request of ['PATCH /v1/tokens/{}', 'DELETE /v1/tokens/{}']) {
      expect(headers(request)).toEqual(['Idempotency-Key', 'If-Match']);
    }
  });
});
