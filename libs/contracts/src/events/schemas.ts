import { instant } from '../forms.js';
import type { EventType } from './wire-events.js';

/**
 * JSON Schemas (draft 2020-12) of every version of every event that was ever written, by
 * `<type>.v<version>`. Readers refuse what does not match; a property they don't know is such a
 * mismatch, since a new property is a new version.
 */

// Lengths stand in the patterns: `maxLength` counts code points, one by one, for every event that is read.
const id = { type: 'string', pattern: '^[\\x21-\\x7e]{1,128}$' } as const;
const digest = { type: 'string', pattern: '^[0-9a-f]{64}$' } as const;
const sealed = { type: 'string', pattern: '^[\\x21-\\x7e]{1,4096}$' } as const;
const authority = { enum: ['owner', 'administrator', 'security'] } as const;
const reason = {
  enum: ['exposed', 'suspected-leak', 'rotation', 'unused', 'offboarding', 'policy', 'other', null],
} as const;
const orNull = (schema: { readonly type: string }): object => ({
  ...schema,
  type: [schema.type, 'null'],
});

const factsV1 = {
  tokenId: { type: 'string', pattern: '^tok_[0-9a-f]{32}$' },
  tokenVersion: { type: 'integer', minimum: 1 },
  userId: id,
  accountId: id,
  at: instant,
  by: {
    type: 'object',
    properties: { kind: { enum: ['user', 'service', 'scheduler'] }, id },
    required: ['kind', 'id'],
    additionalProperties: false,
  },
  authority,
  commandId: { type: 'string', pattern: '^[0-9a-f]{32}$' },
  origin: orNull(sealed),
};

const schema = (type: EventType, version: number, own: Record<string, object>): object => {
  const properties = { ...factsV1, ...own };
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: dataSchema(type, version),
    title: type,
    type: 'object',
    properties,
    required: Object.keys(properties),
    additionalProperties: false,
  };
};

/** The `dataschema` attribute of an event: which schema its data matches. */
export const dataSchema = (type: string, version: number): string =>
  `urn:token-status:event:${type}:v${version}`;

export const eventSchemas: Readonly<Record<string, object>> = {
  'TokenAdded.v1': schema('TokenAdded', 1, {
    // Nothing else begins a token, and nothing begins it again.
    tokenVersion: { const: 1 },
    name: sealed,
    hint: { type: 'string', pattern: '^[0-9A-Za-z]{1,16}$' },
    secretDigest: digest,
    userNameDigest: digest,
    expiresAt: orNull(instant),
  }),
  'TokenRenamed.v1': schema('TokenRenamed', 1, { name: sealed }),
  'TokenDisabled.v1': schema('TokenDisabled', 1, {
    disabledWith: authority,
    reason,
    note: orNull(sealed),
    until: orNull(instant),
  }),
  'TokenEnabled.v1': schema('TokenEnabled', 1, {
    cause: { enum: ['command', 'until'] },
    reason,
    note: orNull(sealed),
  }),
  'TokenRevoked.v1': schema('TokenRevoked', 1, { reason, note: orNull(sealed) }),
};

/** The version of each type that is written today. */
export const currentVersion: Readonly<Record<EventType, number>> = {
  TokenAdded: 1,
  TokenRenamed: 1,
  TokenDisabled: 1,
  TokenEnabled: 1,
  TokenRevoked: 1,
};
