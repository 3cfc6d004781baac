import { randomUUID } from 'node:crypto';
import { request as ask } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PROBLEMS } from '@token-status/contracts';
import { startService } from '../given/service.spec.js';
import type { ServiceUnderTest } from '../given/service.spec.js';
import { addToken } from '../given/token.spec.js';
import type { Schema } from './schema.js';
import { tokenServiceOpenApi } from './token-service-openapi.js';

/** Every route of the document, asked in every wrong way that its own description suggests. */

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly schema: Schema;
}
interface Route {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly body: Schema | undefined;
}

const document = tokenServiceOpenApi();
const { schemas } = document.components as { readonly schemas: Readonly<Record<string, Schema>> };
const resolved = (schema: Schema): Schema =>
  typeof schema.$ref === 'string' ? (schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {}) : schema;

const routes: readonly Route[] = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => {
    const content = operation.requestBody as
      | { readonly content: { readonly 'application/json': { readonly schema: Schema } } }
      | undefined;
    return {
      method: method.toUpperCase(),
      path,
      parameters: (operation.parameters ?? []) as readonly Parameter[],
      body: content && resolved(content.content['application/json'].schema),
    };
  }),
);
const nameOf = ({ method, path }: Route): string => `${method} ${path}`;

/** Who is turned away before the body is looked at: the signature is checked over the bytes. */
const SIGNED = 'POST /v1/leaks';
/** Whose credential is an API token. */
const BY_SECRET = 'POST /v1/tokens/self/disable';

let service: ServiceUnderTest;
let id = '';
let secret = '';
let head = 0;
beforeAll(async () => {
  service = await startService();
  ({ id, secret } = await addToken(service, { userId: 'u-alice' }));
  await service.project();
  head = (await service.events()).length;
});
afterAll(() => service.close());

interface Asked {
  readonly path?: string;
  readonly body?: Buffer | string;
  readonly headers?: Readonly<Record<string, string>>;
}
interface Answered {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  readonly json: {
    readonly code?: string;
    readonly errors?: readonly { readonly pointer?: string; readonly parameter?: string }[];
  };
}

/** By Node's own client: `fetch` repairs addresses and headers. */
async function call(route: Route, { path = pathOf(route), body, headers = {} }: Asked = {}) {
  const credential = nameOf(route) === BY_SECRET ? secret : await service.token('security');
  return new Promise<Answered>((resolve, reject) => {
    const sent = ask(
      `${service.url}/`,
      {
        method: route.method,
        path,
        agent: false,
        headers: {
          authorization: `Bearer ${credential}`,
          ...(body === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
          ...headers,
        },
        timeout: 20_000,
      },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('end', () => {
          const text = Buffer.concat(parts).toString();
          const type = answer.headers['content-type'] ?? '';
          const json = (type.includes('json') ? JSON.parse(text) : {}) as Answered['json'];
          resolve({ status: answer.statusCode ?? 0, type, text, json });
        });
      },
    );
    // A server that has refused a large body closes while it is being sent; the answer is there then.
    sent.on('error', reject);
    sent.end(body);
  });
}

const pathOf = ({ path }: Route): string =>
  path.replace('{tokenId}', id).replace('{userId}', 'u-alice');

/** A body that is as it must be, and would do something. */
function goodBody(route: Route, without = ''): Record<string, unknown> {
  const fitting: Readonly<Record<string, unknown>> = {
    '/v1/users/{userId}/tokens': { name: 'x', accountId: 'acme', userName: 'a@example.com' },
    '/v1/tokens/{tokenId}': { name: 'y' },
    '/v1/tokens/bulk':
      without === 'filter' ? { action: 'disable' } : { action: 'disable', ids: [id] },
  };
  return { ...(fitting[route.path] as object | undefined) };
}

/** What a member or parameter of this schema must not be. */
function wrongFor(schema: Schema): (readonly [what: string, value: unknown])[] {
  const types = [schema.type ?? 'string'].flat();
  const wrong: [string, unknown][] = [
    ['a list in a list', [[]]],
    ['an object of nothing known', { strange: [1] }],
  ];
  if (!types.includes('integer')) wrong.push(['a number', 12]);
  if (!types.includes('boolean')) wrong.push(['true', true]);
  else wrong.push(['a word for true', 'true']);
  if (!types.includes('string') || Array.isArray(schema.enum)) {
    return [...wrong, ['a word', 'strange']];
  }
  if (schema.format === 'date-time') {
    for (const time of ['soon', '2031-02-30T00:00:00Z', '10000-01-01T00:00:00Z', '2031-01-01']) {
      wrong.push([`the time ${time}`, time]);
    }
    wrong.push(
      ['a time past all', '+275761-01-01T00:00:00Z'],
      ['an hour past 24', '2031-01-01T25:00:00Z'],
    );
    return wrong;
  }
  const longest = typeof schema.maxLength === 'number' ? schema.maxLength : 2000;
  wrong.push(
    ['nothing', ''],
    ['too long a text', 'x'.repeat(longest + 1)],
    ['a zero byte', 'a\u0000b'],
    ['a line break', 'a\nb'],
    ['an escape', 'a\u001bb'],
    ['a direction override', 'a\u202eb'],
    ['a direction isolate', 'a\u2067b'],
    ['half a character', 'a\ud83d'],
  );
  return wrong;
}

const isProblem = (answer: Answered, status: number | readonly number[]): void => {
  expect([status].flat()).toContain(answer.status);
  expect(answer.type).toMatch(/^application\/problem\+json/);
  const { code = '' } = answer.json;
  expect(PROBLEMS).toHaveProperty([code, 'status'], answer.status);
};

describe.each(routes.map((route) => [nameOf(route), route] as const))('%s', (name, route) => {
  const parameters = (where: Parameter['in']) => route.parameters.filter((one) => one.in === where);
  const members = Object.entries(
    (route.body?.properties ?? {}) as Readonly<Record<string, Schema>>,
  );
  const checked = name !== SIGNED && route.body !== undefined;

  if (parameters('path').length > 0) {
    it('is told that there is nobody by an id that cannot be, and that an address is malformed', async () => {
      const at = (value: string) => route.path.replace(/\{\w+\}/, value);
      for (const wrong of ['a%20b', '%00', '%E2%80%AE', 'a%2Fb', '%C3%A9', 'x'.repeat(129)]) {
        const answer = await call(route, {
          path: at(wrong),
          body: JSON.stringify(goodBody(route)),
        });
        isProblem(answer, 404);
        expect(['token-unknown', 'user-unknown']).toContain(answer.json.code);
      }
      isProblem(await call(route, { path: at('%ff') }), 400);
      isProblem(await call(route, { path: at('%zz') }), 400);
      isProblem(await call(route, { path: at('x'.repeat(2000)) }), [404, 414]);
    });
  }

  for (const { name: parameter, schema } of parameters('query')) {
    it(`is told what is wrong with ${parameter}`, async () => {
      const body = checked ? { body: JSON.stringify(goodBody(route)) } : {};
      const values = [
        ...wrongFor(schema).flatMap(([, value]) => (typeof value === 'string' ? [value] : [])),
        ...([schema.type].flat().includes('integer')
          ? ['-1', '1.5', '1e3', ' 1', '9'.repeat(16)]
          : []),
      ];
      for (const value of [...values, 'twice']) {
        const text = encodeURIComponent(value.toWellFormed() === value ? value : '\u0000');
        const twice = value === 'twice' ? `&${parameter}=${text}` : '';
        const path = `${pathOf(route)}?${parameter}=${text}${twice}`;
        const answer = await call(route, { path, ...body });
        expect([parameter, value, answer.status]).toEqual([parameter, value, 400]);
        isProblem(answer, 400);
        expect(JSON.stringify(answer.json)).toContain(parameter);
      }
    });
  }

  for (const { name: header } of parameters('header')) {
    if (name === SIGNED) continue;
    it(`is told what is wrong with ${header}`, async () => {
      const body = checked ? { body: JSON.stringify(goodBody(route)) } : {};
      const values: Readonly<Record<string, readonly string[]>> = {
        'Idempotency-Key': ['', 'a b', 'x'.repeat(256), '\u00e9'],
        'If-Match': ['', '3', '"1", "2"', '"a', 'W/3'],
        'Last-Event-ID': ['x', '-1', '1.5', '9'.repeat(16)],
      };
      for (const value of values[header] ?? ['\u00e9']) {
        const answer = await call(route, { ...body, headers: { [header]: value } });
        expect([header, value, answer.status]).toEqual([header, value, 400]);
        isProblem(answer, 400);
        expect(answer.text).toContain(header);
      }
    });
  }

  if (checked) {
    const bodyWith = (member: string, value: unknown) =>
      JSON.stringify({ ...goodBody(route, member), [member]: value });
    const pointersOf = ({ json }: Answered) =>
      (json.errors ?? []).map(({ pointer = '' }) => pointer);

    it.each(
      members.flatMap(([member, schema]) =>
        wrongFor(resolved(schema)).map(([what, value]) => ({ member, what, value })),
      ),
    )('is told where, for $member: $what', async ({ member, value }) => {
      const answer = await call(route, { body: bodyWith(member, value) });
      isProblem(answer, 400);
      const pointers = pointersOf(answer);
      expect(pointers.some((pointer) => `${pointer}/`.startsWith(`/${member}/`))).toBe(true);
    });

    it('is told where something is missing, or too much', async () => {
      for (const member of (route.body?.required ?? []) as readonly string[]) {
        const { [member]: left, ...rest } = goodBody(route);
        expect(left).toBeDefined();
        for (const body of [rest, { ...rest, [member]: null }]) {
          const answer = await call(route, { body: JSON.stringify(body) });
          isProblem(answer, 400);
          expect(pointersOf(answer)).toContain(`/${member}`);
        }
      }
      for (const [extra, pointer] of [
        ['strange', '/strange'],
        ['a/b~c', '/a~1b~0c'],
      ] as const) {
        const answer = await call(route, { body: bodyWith(extra, 1) });
        isProblem(answer, 400);
        expect(pointersOf(answer)).toContain(pointer);
      }
    });
  }

  if (route.body !== undefined) {
    it('may not have for a body what is no JSON object of sense', async () => {
      const bodies: readonly (readonly [Buffer | string, readonly number[]])[] = [
        ['[1]', [400]],
        ['"x"', [400]],
        ['null', [400]],
        ['{', [400]],
        ['{"a":1}{', [400]],
        ['{"__proto__":{"name":"x"}}', [400]],
        ['{"constructor":{"prototype":1}}', [400]],
        ['{"name":1e999}', [400]],
        [Buffer.from([0x7b, 0x22, 0x6e, 0xff, 0x22, 0x3a, 0x31, 0x7d]), [400]],
        [`{"name":"${'\\u0000'.repeat(4)}","strange":"x"}`, [400]],
        [`{"name":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, [400]],
        [`{"name":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}`, [400]],
      ];
      // Of a report, the signature is what is wrong first.
      for (const [body, statuses] of bodies) {
        isProblem(await call(route, { body }), name === SIGNED ? [403] : statuses);
      }
    });

    it('may not have a body of another type, nor a huge one', async () => {
      const types = [
        'text/plain',
        'application/x-www-form-urlencoded',
        'multipart/form-data',
        'application/xml',
      ];
      for (const type of types) {
        isProblem(await call(route, { body: 'name=x', headers: { 'content-type': type } }), 415);
      }
      const huge = JSON.stringify({ note: 'x'.repeat(3 * 1024 * 1024) });
      const answer = await call(route, { body: huge }).catch(() => null);
      // The connection may be cut before the whole of it was sent; then nobody reads an answer.
      if (answer) isProblem(answer, 413);
    });
  }
});

it('nothing of all that was recorded, the token is as it was, and a good request still does what it says', async () => {
  expect(await service.events()).toHaveLength(head);
  const token = await service.call('GET', `/v1/tokens/${id}`, { as: 'security' });
  expect(token.json).toMatchObject({ status: 'active', version: 1 });
  expect(service.logged.filter((line) => line.includes('a fault, answered 500'))).toEqual([]);
  // As it must be, the same is done: the requests above were refused for what was wrong with them.
  const good = { as: 'security', headers: { 'idempotency-key': randomUUID() } } as const;
  const renamed = await service.call('PATCH', `/v1/tokens/${id}`, { ...good, body: { name: 'y' } });
  expect(renamed.status).toBe(200);
});
