import { AUTHORITIES, REASONS } from '@token-status/domain';
import type { Status } from '@token-status/domain';
import { PROBLEMS, problemUri } from '@token-status/contracts';
import type { ProblemCode } from '@token-status/contracts';
import type { Schema } from './schema.js';

export const ref = (schema: string): Schema => ({ $ref: `#/components/schemas/${schema}` });
const orNull = (schema: Schema): Schema => ({ anyOf: [schema, { type: 'null' }] });
const object = (properties: Record<string, Schema>, ...optional: readonly string[]): Schema => ({
  type: 'object',
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  properties,
});

const TOKEN_ID = { type: 'string', pattern: '^tok_[0-9a-f]{32}$' };
export const OPAQUE_ID_SCHEMA = {
  type: 'string',
  minLength: 1,
  maxLength: 128,
  pattern: '^[\\x21-\\x2e\\x30-\\x7e]{1,128}$',
};
const INSTANT = { type: 'string', format: 'date-time', description: 'RFC 3339, in UTC.' };
const TEXT_OF_USER = {
  type: ['string', 'null'],
  description: 'Null once its user was forgotten, or where no key opens it.',
};

const STATUSES: Readonly<Record<Status, true>> = {
  active: true,
  disabled: true,
  revoked: true,
  expired: true,
};

const BULK_RESULT = object(
  {
    id: { type: 'string' },
    result: { enum: ['changed', 'unchanged', 'refused'] },
    code: { type: 'string', description: "Of a refusal: a problem's." },
    version: { type: 'integer', minimum: 1 },
    position: { type: 'integer', minimum: 1 },
  },
  'code',
  'version',
  'position',
);
const BULK_SUMMARY = {
  of: { type: 'integer', minimum: 0, description: 'How many tokens it is about.' },
  complete: { type: 'boolean', description: 'False where some were not come to.' },
  counts: object({
    changed: { type: 'integer' },
    unchanged: { type: 'integer' },
    refused: { type: 'integer' },
  }),
  position: { type: 'integer', minimum: 0, description: 'For `minPosition`.' },
  results: { type: 'array', items: ref('BulkResult') },
};

const TOKEN = {
  id: ref('TokenId'),
  name: TEXT_OF_USER,
  hint: { type: 'string', description: "The first characters of the secret's random part." },
  userId: { type: 'string' },
  accountId: { type: 'string' },
  status: { enum: Object.keys(STATUSES) },
  createdAt: INSTANT,
  expiresAt: { ...INSTANT, type: ['string', 'null'] },
  disabled: orNull(ref('Disabled')),
  lastUsedAt: { ...INSTANT, type: ['string', 'null'] },
  version: { type: 'integer', minimum: 1, description: "The token's own; its entity tag." },
  position: { type: 'integer', minimum: 1, description: "The log's, for `minPosition`." },
};

/** What is answered. Specs hold the service's answers against it. */
export const SCHEMAS: Readonly<Record<string, Schema>> = {
  TokenId: TOKEN_ID,
  Principal: object({ kind: { enum: ['user', 'service', 'scheduler'] }, id: { type: 'string' } }),
  Disabled: object({
    at: INSTANT,
    by: ref('Principal'),
    authority: { enum: [...AUTHORITIES] },
    reason: { enum: [...REASONS, null] },
    note: { type: ['string', 'null'] },
    until: {
      ...INSTANT,
      type: ['string', 'null'],
      description: 'When it is enabled again by itself.',
    },
  }),
  Token: object(TOKEN),
  AddedToken: object(
    {
      ...TOKEN,
      secret: { type: 'string', description: 'Shown this once, and kept nowhere.' },
      secretShown: {
        const: true,
        description: 'In place of the secret, where the same command is repeated.',
      },
    },
    'secret',
    'secretShown',
  ),
  TokenList: object({ tokens: { type: 'array', items: ref('Token') } }),
  TokenPage: object({
    tokens: { type: 'array', items: ref('Token') },
    next: {
      type: ['string', 'null'],
      description: 'The cursor of the next page; null at the end.',
    },
  }),
  TokenEvent: {
    ...object(
      {
        position: { type: 'integer', minimum: 1 },
        id: { type: 'string' },
        type: {
          type: 'string',
          description:
            '`TokenAdded`, `TokenRenamed`, `TokenDisabled`, `TokenEnabled`, `TokenRevoked`, and later ones.',
        },
        unreadable: {
          const: true,
          description: 'This release can not read it; the rest is left out.',
        },
        tokenId: ref('TokenId'),
        version: { type: 'integer', minimum: 1 },
        userId: { type: 'string' },
        accountId: { type: 'string' },
        at: INSTANT,
        by: ref('Principal'),
        authority: { enum: [...AUTHORITIES] },
        commandId: { type: 'string' },
        origin: {
          type: ['string', 'null'],
          description:
            'From which address it was asked; only for who manages the tokens of others.',
        },
        name: TEXT_OF_USER,
        hint: { type: 'string' },
        expiresAt: { ...INSTANT, type: ['string', 'null'] },
        disabledWith: { enum: [...AUTHORITIES] },
        cause: { enum: ['command', 'until'] },
        reason: { enum: [...REASONS, null] },
        note: { type: ['string', 'null'] },
        until: { ...INSTANT, type: ['string', 'null'] },
      },
      ...['unreadable', 'tokenId', 'version', 'userId', 'accountId', 'at', 'by', 'authority'],
      ...['commandId', 'origin', 'name', 'hint', 'expiresAt', 'disabledWith', 'cause', 'reason'],
      ...['note', 'until'],
    ),
  },
  EventPage: object({
    events: { type: 'array', items: ref('TokenEvent') },
    next: {
      type: ['integer', 'null'],
      description: 'The position to go on after; null where there is nothing more.',
    },
  }),
  BulkResult: BULK_RESULT,
  BulkAnswer: object(
    {
      action: { enum: ['disable', 'enable', 'revoke'] },
      dryRun: { type: 'boolean' },
      ...BULK_SUMMARY,
    },
    'results',
  ),
  DisableAllAnswer: object({ userId: { type: 'string' }, ...BULK_SUMMARY }),
  SelfDisabled: object({
    id: ref('TokenId'),
    status: { enum: Object.keys(STATUSES) },
    version: { type: 'integer', minimum: 1 },
  }),
  LeakReport: {
    type: 'array',
    maxItems: 1000,
    items: object(
      { token: { type: 'string' }, type: { type: 'string' }, url: { type: ['string', 'null'] } },
      'url',
    ),
  },
  LeakFeedback: {
    type: 'array',
    items: object({
      token_hash: { type: 'string', pattern: '^[0-9a-f]{64}$', description: 'SHA-256, hex.' },
      token_type: { type: 'string' },
      label: { enum: ['true_positive', 'false_positive'] },
    }),
  },
  Problem: {
    ...object(
      {
        type: { type: 'string', format: 'uri' },
        title: { type: 'string' },
        status: { type: 'integer' },
        code: {
          enum: Object.keys(PROBLEMS),
          description: 'It never changes: programs decide by it.',
        },
        detail: { type: 'string' },
        errors: {
          type: 'array',
          items: object(
            {
              pointer: { type: 'string', description: 'Where in the body (RFC 6901).' },
              parameter: { type: 'string', description: 'Or which parameter.' },
              detail: { type: 'string' },
            },
            'pointer',
            'parameter',
          ),
        },
        instance: { type: 'string', description: 'Names the request, as our logs do.' },
      },
      'detail',
      'errors',
      'instance',
    ),
    description: 'RFC 9457.',
  },
};

export const EXAMPLE_TOKEN = {
  id: 'tok_00112233445566778899aabbccddeeff',
  name: 'My script',
  hint: 'aB3dE6',
  userId: 'u-alice',
  accountId: 'acme',
  status: 'active',
  createdAt: '2030-01-01T12:00:00.000Z',
  expiresAt: null,
  disabled: null,
  lastUsedAt: null,
  version: 1,
  position: 4711,
};

export const EXAMPLE_DISABLED = {
  ...EXAMPLE_TOKEN,
  status: 'disabled',
  disabled: {
    at: '2030-01-02T08:30:00.000Z',
    by: { kind: 'user', id: 'u-admin' },
    authority: 'administrator',
    reason: 'suspected-leak',
    note: 'Seen in a public repository',
    until: null,
  },
  version: 2,
  position: 4712,
};

export const EXAMPLE_EVENT = {
  position: 4712,
  id: '6f1c2b1e-0000-4000-8000-000000000001',
  tokenId: EXAMPLE_TOKEN.id,
  version: 2,
  userId: 'u-alice',
  accountId: 'acme',
  at: '2030-01-02T08:30:00.000Z',
  by: { kind: 'user', id: 'u-admin' },
  authority: 'administrator',
  commandId: '6f1c2b1e-0000-4000-8000-000000000000',
  type: 'TokenDisabled',
  disabledWith: 'administrator',
  reason: 'suspected-leak',
  note: null,
  until: null,
};

export const EXAMPLE_SUMMARY = {
  of: 1,
  complete: true,
  counts: { changed: 1, unchanged: 0, refused: 0 },
  position: 4712,
  results: [{ id: EXAMPLE_TOKEN.id, result: 'changed', version: 2, position: 4712 }],
};

export const EXAMPLE_BULK = { action: 'disable', dryRun: false, ...EXAMPLE_SUMMARY };

/** A problem as it is answered. */
export const exampleProblem = (code: ProblemCode): Record<string, unknown> => ({
  type: problemUri(code),
  title: PROBLEMS[code].title,
  status: PROBLEMS[code].status,
  code,
  ...(code === 'invalid-request'
    ? {
        detail: 'The body is not as it must be.',
        errors: [{ pointer: '/name', detail: 'name must have 1 to 100 characters' }],
      }
    : {}),
  instance: 'urn:token-status:request:0b8f4c1e-5a55-4d5e-9a55-2f1d3f0d9d11',
});
