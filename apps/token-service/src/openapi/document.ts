import type { Type } from '@nestjs/common';
import { PROBLEMS } from '@token-status/contracts';
import type { ProblemCode } from '@token-status/contracts';
import { exampleProblem, OPAQUE_ID_SCHEMA, ref, SCHEMAS } from './answers.js';
import { schemaOf } from './body-schema.js';
import { OPERATIONS } from './operations.js';
import type { Operation, Success } from './operations.js';
import { routesOf } from './routes.js';
import type { Route } from './routes.js';
import type { Schema } from './schema.js';

export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: Readonly<Record<string, unknown>>;
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>;
  readonly [member: string]: unknown;
}

export interface OpenApiOperation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, unknown>>;
  readonly [member: string]: unknown;
}

/** What every route may answer, whatever it does. */
const ALWAYS: readonly ProblemCode[] = [
  'invalid-request',
  'too-many-requests',
  'headers-too-large',
  'internal',
];
/** With an access token. */
const OF_CALLERS: readonly ProblemCode[] = [
  'unauthenticated',
  'token-disabled',
  'unavailable',
  'issuer-unavailable',
];
/** With a body. */
const OF_BODIES: readonly ProblemCode[] = [
  'request-timeout',
  'too-large',
  'unsupported-media-type',
];

/**
 * OpenAPI 3.1 of these controllers: routes, parameters and bodies are what their decorators and
 * classes say, answers and words what {@link OPERATIONS} adds. A route without a row there is left out,
 * which a spec doesn't let pass.
 */
export function openApiDocument(controllers: readonly Type[]): OpenApiDocument {
  const bodies: Record<string, Schema> = {};
  const paths: Record<string, Record<string, OpenApiOperation>> = {};
  for (const route of [...routesOf(controllers)].sort(byPath)) {
    const operation = OPERATIONS[`${route.method} ${route.path}`];
    if (!operation) continue;
    if (route.body) bodies[route.body.name] = bodySchema(route.body, operation);
    (paths[route.path] ??= {})[route.method.toLowerCase()] = operationOf(route, operation);
  }
  const written = JSON.stringify(paths);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Token Status',
      version: '1',
      summary: 'Decides whether an API token may authenticate, and proves it.',
      description: DESCRIPTION,
      license: { name: 'Unlicensed', identifier: 'LicenseRef-Unlicensed' },
    },
    servers: [{ url: '/', description: 'Where this document is served.' }],
    security: [{ accessToken: [] }, { apiToken: [] }],
    tags: TAGS,
    paths,
    components: {
      schemas: reachedFrom(paths, { ...SCHEMAS, ...bodies }),
      examples: Object.fromEntries(
        PROBLEM_CODES.filter((code) => written.includes(`/examples/${code}"`)).map((code) => [
          code,
          { value: exampleProblem(code) },
        ]),
      ),
      headers: HEADERS,
      securitySchemes: {
        accessToken: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            'An OAuth 2 access token of the configured issuer. A user needs the privileges `API Access` and, for others, `Account Administration`; a service the scopes `tokens:read`, `tokens:write`, `tokens:security`, `audit:read`.',
        },
        apiToken: {
          type: 'http',
          scheme: 'basic',
          description:
            "An API token itself, which carries API Access for its owner's tokens only: user name `BOOMI_TOKEN.<user name>`, and the secret as password. Bearer with the secret does, too.",
        },
      },
    },
  };
}

/** Those schemas that something refers to, or that one of those does. */
function reachedFrom(
  paths: unknown,
  all: Readonly<Record<string, Schema>>,
): Record<string, Schema> {
  const reached: Record<string, Schema> = {};
  const follow = (from: unknown): void => {
    for (const [, name = ''] of JSON.stringify(from).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      const schema = all[name];
      if (schema === undefined) throw new Error(`There is no schema called ${name}`);
      if (name in reached) continue;
      reached[name] = schema;
      follow(schema);
    }
  };
  follow(paths);
  return Object.fromEntries(Object.entries(reached).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const PROBLEM_CODES = Object.keys(PROBLEMS) as ProblemCode[];

const DESCRIPTION = `Commands are decided from the log and happen once for each \`Idempotency-Key\`. Errors are
\`application/problem+json\` (RFC 9457) with a stable \`code\`. An address that is not there answers 404
\`not-found\`, and a method that is not offered 405 \`method-not-allowed\` with \`Allow\`.`;

const TAGS = [
  { name: 'tokens', description: 'API tokens: their status, and what changes it.' },
  { name: 'users', description: "One user's tokens." },
  { name: 'service', description: 'The service itself.' },
];

const tagOf = (path: string): string =>
  ['tokens', 'users'].find((tag) => path.startsWith(`/v1/${tag}`)) ?? 'service';

const HEADERS: Readonly<Record<string, Schema>> = {
  ETag: {
    description: "The token's version, for `If-Match`.",
    schema: { type: 'string', pattern: '^"[1-9][0-9]*"$' },
    example: '"3"',
  },
  Location: {
    description: 'Where the token is.',
    schema: { type: 'string' },
    example: '/v1/tokens/tok_00112233445566778899aabbccddeeff',
  },
  Link: {
    description: 'The next page, where there is one (RFC 8288).',
    schema: { type: 'string' },
    example: '</v1/tokens?cursor=abc.def>; rel="next"',
  },
  'Retry-After': {
    description: 'Seconds after which the same request may do better.',
    schema: { type: 'integer', minimum: 0 },
    example: 1,
  },
  'WWW-Authenticate': {
    description: 'RFC 6750.',
    schema: { type: 'string' },
    example: 'Bearer error="invalid_token"',
  },
};

function operationOf(route: Route, operation: Operation): OpenApiOperation {
  const body = route.body ? ref(route.body.name) : operation.body;
  const codes = [
    ...ALWAYS,
    ...(operation.public === true || operation.security ? [] : OF_CALLERS),
    ...(body ? OF_BODIES : []),
    ...(route.path.includes('{') ? (['uri-too-long'] as const) : []),
    ...operation.problems,
  ];
  const parameters = parametersOf(route, operation);
  return {
    operationId: operation.id,
    summary: operation.summary,
    ...(operation.description === undefined ? {} : { description: operation.description }),
    tags: [tagOf(route.path)],
    ...(operation.public === true ? { security: [] } : {}),
    ...(operation.security === undefined ? {} : { security: operation.security }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body
      ? {
          requestBody: {
            required: !mayBeLeftOut(route),
            content: { 'application/json': { schema: body } },
          },
        }
      : {}),
    responses: {
      ...Object.fromEntries(
        Object.entries(operation.answers).map(([status, answer]) => [status, answerOf(answer)]),
      ),
      ...problemsOf(codes),
    },
  };
}

function bodySchema(type: Type, { members }: Operation): Schema {
  const schema = schemaOf(type);
  return { ...schema, properties: { ...(schema.properties as Schema), ...members } };
}

/** A body of which nothing is required asks for what `{}` does. */
const mayBeLeftOut = ({ body }: Route): boolean =>
  body !== undefined && schemaOf(body).required === undefined;

function parametersOf(route: Route, operation: Operation): readonly Schema[] {
  const inPath = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: name === 'tokenId' ? ref('TokenId') : OPAQUE_ID_SCHEMA,
  }));
  const described = route.query ? schemaOf(route.query, { nulls: false }) : { properties: {} };
  const inQuery = Object.entries({
    ...((described.properties ?? {}) as Record<string, Schema>),
  }).map(([name, schema]) => ({
    name,
    in: 'query',
    required: (described.required as string[] | undefined)?.includes(name) ?? false,
    schema,
  }));
  const more = Object.entries(operation.query ?? {}).map(([name, parameter]) => ({
    name,
    in: 'query',
    ...parameter,
  }));
  const headers = Object.entries(operation.headers ?? {}).map(([name, parameter]) => ({
    name,
    in: 'header',
    ...parameter,
  }));
  return [
    ...inPath,
    ...inQuery,
    ...more,
    ...(operation.minPosition === true ? [MIN_POSITION] : []),
    ...(operation.command === undefined ? [] : [IDEMPOTENCY_KEY]),
    ...(operation.command === 'on-token' ? [IF_MATCH] : []),
    ...headers,
  ];
}

const MIN_POSITION = {
  name: 'minPosition',
  in: 'query',
  description: 'Waits, within a bound, until the read model has come to this position of the log.',
  schema: { type: 'integer', minimum: 0, maximum: 999_999_999_999_999 },
};
const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  in: 'header',
  description:
    'Makes the command happen once: a repeat gets the first answer. 1 to 255 visible ASCII characters.',
  schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[\\x21-\\x7e]{1,255}$' },
};
const IF_MATCH = {
  name: 'If-Match',
  in: 'header',
  description:
    'Refuses the command (412) where the token has another version: one entity tag, or `*`.',
  schema: { type: 'string', pattern: '^(\\*|"[\\x21\\x23-\\x7e]*")$' },
};

const answerOf = ({ description, content, headers = [] }: Success): Schema => ({
  description,
  ...(headers.length === 0 ? {} : { headers: headersNamed(headers) }),
  ...(Object.keys(content).length === 0 ? {} : { content }),
});

const headersNamed = (names: readonly string[]): Schema =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));

/** One answer a status, with the codes that it may have and an example of each. */
function problemsOf(codes: readonly ProblemCode[]): Record<string, Schema> {
  const answers: Record<string, Schema> = {};
  for (const status of new Set(codes.map((code) => PROBLEMS[code].status))) {
    const ofStatus = [...new Set(codes)].filter((code) => PROBLEMS[code].status === status);
    const headers = [
      ...(status === 401 ? ['WWW-Authenticate'] : []),
      ...(status === 429 || status === 503 ? ['Retry-After'] : []),
    ];
    answers[status] = {
      description: ofStatus.map((code) => `\`${code}\`: ${PROBLEMS[code].title}.`).join(' '),
      ...(headers.length === 0 ? {} : { headers: headersNamed(headers) }),
      content: {
        'application/problem+json': {
          schema: {
            allOf: [
              ref('Problem'),
              {
                type: 'object',
                properties: { code: { enum: ofStatus }, status: { const: status } },
              },
            ],
          },
          examples: Object.fromEntries(
            ofStatus.map((code) => [code, { $ref: `#/components/examples/${code}` }]),
          ),
        },
      },
    };
  }
  return answers;
}

const byPath = (a: Route, b: Route): number =>
  `${a.path} ${a.method}` < `${b.path} ${b.method}` ? -1 : 1;
