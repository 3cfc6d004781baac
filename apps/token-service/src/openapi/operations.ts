import type { ProblemCode } from '@token-status/contracts';
import {
  EXAMPLE_BULK,
  EXAMPLE_DISABLED,
  EXAMPLE_EVENT,
  EXAMPLE_SUMMARY,
  EXAMPLE_TOKEN,
  ref,
} from './answers.js';
import type { Schema } from './schema.js';

/** One answer that is not a problem. */
export interface Success {
  readonly description: string;
  /** By media type. None: no body. */
  readonly content: Readonly<
    Record<string, { readonly schema: Schema; readonly example?: unknown }>
  >;
  readonly headers?: readonly ('ETag' | 'Location' | 'Link')[];
}

/** What people read about a route, and what it answers; the rest is read from the code. */
export interface Operation {
  /** The client's name for it. */
  readonly id: string;
  readonly summary: string;
  readonly description?: string;
  readonly answers: Readonly<Record<number, Success>>;
  /** Those of this route alone: what every route answers is added to them. */
  readonly problems: readonly ProblemCode[];
  /** A command takes `Idempotency-Key`; one on a token that is there, `If-Match` too. */
  readonly command?: 'new' | 'on-token';
  /** Of a read: takes `minPosition`. */
  readonly minPosition?: true;
  /** Parameters of the query that no class describes. */
  readonly query?: Readonly<
    Record<string, { readonly schema: Schema; readonly description: string }>
  >;
  /** Members of the body that its class's validators say too little of. */
  readonly members?: Readonly<Record<string, Schema>>;
  /** Where no class describes the body. */
  readonly body?: Schema;
  readonly headers?: Readonly<
    Record<string, { readonly schema: Schema; readonly description: string }>
  >;
  /** In place of what every caller presents. */
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  /** Whoever may ask without an access token. */
  readonly public?: true;
}

const json = (schema: Schema, example: unknown): Success['content'] => ({
  'application/json': { schema, example },
});
const token = (description: string, example: unknown = EXAMPLE_TOKEN): Operation['answers'] => ({
  200: { description, content: json(ref('Token'), example), headers: ['ETag'] },
});

const SEEING: readonly ProblemCode[] = ['token-unknown', 'privilege-missing', 'scope-missing'];
const CHANGING: readonly ProblemCode[] = [
  ...SEEING,
  'version-mismatch',
  'key-reused',
  'overloaded',
  'outcome-unknown',
];

/** By method and path, as {@link Route} has them. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  'POST /v1/users/{userId}/tokens': {
    id: 'addToken',
    summary: 'Add a token',
    description:
      "A service names the user's name and account; a user's own come from the claims. A repeat with the same `Idempotency-Key` answers the same token without its secret, `secretShown: true`.",
    command: 'new',
    answers: {
      201: {
        description: 'The token, and this once its secret.',
        content: json(ref('AddedToken'), {
          ...EXAMPLE_TOKEN,
          // Of the form, with a checksum that is wrong: it is nobody's.
          secret: 'tst_example',
        }),
        headers: ['ETag', 'Location'],
      },
    },
    problems: [
      'time-not-ahead',
      'not-own-user',
      'user-name-unproven',
      'privilege-missing',
      'scope-missing',
      'token-unknown',
      'user-unknown',
      'token-limit',
      'name-taken',
      'account-mismatch',
      'key-reused',
      'overloaded',
      'outcome-unknown',
    ],
  },
  'GET /v1/users/{userId}/tokens': {
    id: 'listTokens',
    summary: "A user's tokens, newest first",
    minPosition: true,
    answers: {
      200: {
        description: 'All of them.',
        content: json(ref('TokenList'), { tokens: [EXAMPLE_TOKEN] }),
      },
    },
    problems: ['user-unknown', 'privilege-missing', 'scope-missing', 'not-there-yet'],
  },
  'GET /v1/tokens/{tokenId}': {
    id: 'getToken',
    summary: 'One token',
    minPosition: true,
    answers: token('The token.'),
    problems: [...SEEING, 'not-there-yet'],
  },
  'PATCH /v1/tokens/{tokenId}': {
    id: 'renameToken',
    summary: 'Rename a token',
    command: 'on-token',
    answers: token('The token under its new name.'),
    problems: [...CHANGING, 'token-revoked', 'name-taken'],
  },
  'POST /v1/tokens/{tokenId}/disable': {
    id: 'disableToken',
    summary: 'Disable a token',
    description:
      'From then on it authenticates nothing, on any gateway. Repeating what holds changes nothing; a higher authority or a later end does.',
    command: 'on-token',
    answers: token('The token, disabled.', EXAMPLE_DISABLED),
    problems: [...CHANGING, 'time-not-ahead', 'authority-too-low', 'token-revoked'],
  },
  'POST /v1/tokens/{tokenId}/enable': {
    id: 'enableToken',
    summary: 'Enable a token',
    description: 'The same secret works again.',
    command: 'on-token',
    answers: token('The token, enabled.'),
    problems: [...CHANGING, 'authority-too-low', 'token-revoked', 'token-expired'],
  },
  'DELETE /v1/tokens/{tokenId}': {
    id: 'revokeToken',
    summary: 'Revoke a token, for ever',
    command: 'on-token',
    answers: token('The token, revoked.', { ...EXAMPLE_TOKEN, status: 'revoked', version: 3 }),
    problems: CHANGING,
  },
  'GET /v1/tokens': {
    id: 'searchTokens',
    summary: 'Search tokens, newest first',
    description:
      "An administrator's, over the account; a service's, over all. A page may be short, or empty, before the end: `next` says whether it is.",
    minPosition: true,
    answers: {
      200: {
        description: 'A page.',
        content: json(ref('TokenPage'), { tokens: [EXAMPLE_TOKEN], next: null }),
        headers: ['Link'],
      },
    },
    problems: ['privilege-missing', 'scope-missing', 'not-there-yet'],
  },
  'GET /v1/tokens/{tokenId}/events': {
    id: 'listTokenEvents',
    summary: "A token's history, oldest first",
    description: 'As JSON page by page; as NDJSON, an event a line, in one go.',
    minPosition: true,
    answers: {
      200: {
        description: 'The events.',
        content: {
          'application/json': {
            schema: ref('EventPage'),
            example: { events: [EXAMPLE_EVENT], next: null },
          },
          'application/x-ndjson': { schema: { type: 'string' } },
        },
        headers: ['Link'],
      },
    },
    problems: [...SEEING, 'not-acceptable', 'not-there-yet'],
  },
  'POST /v1/tokens/bulk': {
    id: 'bulkTokens',
    summary: 'Disable, enable or revoke many tokens',
    description:
      'By ids or by filter, 10,000 at most. `dryRun` says what would happen. As NDJSON: a result a line, `{done, of}` in between, and the summary last. What a fault leaves undone is finished by a repeat with the same `Idempotency-Key`.',
    command: 'new',
    minPosition: true,
    members: {
      ids: { type: ['array', 'null'], minItems: 1, maxItems: 10_000, items: ref('TokenId') },
    },
    answers: {
      200: {
        description: 'What became of each token.',
        content: {
          'application/json': { schema: ref('BulkAnswer'), example: EXAMPLE_BULK },
          'application/x-ndjson': { schema: { type: 'string' } },
        },
      },
    },
    problems: [
      'forbidden',
      'privilege-missing',
      'scope-missing',
      'authority-too-low',
      'time-not-ahead',
      'key-reused',
      'not-there-yet',
      'overloaded',
      'outcome-unknown',
      'bulk-incomplete',
    ],
  },
  'POST /v1/users/{userId}/disable-all': {
    id: 'disableAllTokens',
    summary: "Disable all of a user's tokens, in one command",
    command: 'new',
    answers: {
      200: {
        description: 'What became of each token, the oldest first.',
        content: json(ref('DisableAllAnswer'), { userId: 'u-alice', ...EXAMPLE_SUMMARY }),
      },
    },
    problems: [
      'privilege-missing',
      'scope-missing',
      'user-unknown',
      'token-unknown',
      'authority-too-low',
      'time-not-ahead',
      'key-reused',
      'overloaded',
      'outcome-unknown',
    ],
  },
  'GET /v1/stream': {
    id: 'streamEvents',
    summary: 'Changes as they happen, as far as the caller may see them',
    description:
      'Server-sent events; an event has the position of the log for its id. It ends when the access token does.',
    headers: {
      'Last-Event-ID': {
        schema: { type: 'string', pattern: '^[0-9]{1,15}$' },
        description: 'Goes on after this event; without it, from now on.',
      },
    },
    answers: {
      200: {
        description: 'The stream.',
        content: { 'text/event-stream': { schema: { type: 'string' } } },
      },
    },
    problems: ['privilege-missing', 'scope-missing', 'not-acceptable', 'overloaded'],
  },
  'POST /v1/tokens/self/disable': {
    id: 'disableOwnToken',
    summary: 'Disable the very API token that is presented',
    description:
      'Whoever holds a secret may disable that token, and nothing else. Others learn nothing.',
    command: 'new',
    security: [{ apiToken: [] }],
    answers: {
      200: {
        description: 'As much of the token as its holder knows anyway.',
        content: json(ref('SelfDisabled'), {
          id: EXAMPLE_TOKEN.id,
          status: 'disabled',
          version: 2,
        }),
      },
    },
    problems: [
      'unauthenticated',
      'token-disabled',
      'key-reused',
      'version-mismatch',
      'unavailable',
      'overloaded',
      'outcome-unknown',
    ],
  },
  'POST /v1/leaks': {
    id: 'reportLeaks',
    summary: 'Report secrets that were found in public',
    description:
      "In the form of GitHub's secret scanning partner programme: the signature (ECDSA P-256, SHA-256) is over the body as it came. What is found here is disabled with reason `exposed`.",
    public: true,
    headers: {
      'Github-Public-Key-Identifier': {
        schema: { type: 'string' },
        description: 'Which key the report is signed with.',
      },
      'Github-Public-Key-Signature': {
        schema: { type: 'string' },
        description: 'Base64 of the signature over the body.',
      },
    },
    body: ref('LeakReport'),
    answers: {
      200: {
        description: 'What each secret was.',
        content: json(ref('LeakFeedback'), [
          {
            token_hash: 'ab'.repeat(32),
            token_type: 'token_status_api_token',
            label: 'true_positive',
          },
        ]),
      },
    },
    problems: ['report-not-trusted', 'unavailable', 'overloaded', 'outcome-unknown'],
  },
  'GET /v1/openapi.json': {
    id: 'getOpenApi',
    summary: 'This document',
    public: true,
    answers: {
      200: {
        description: 'OpenAPI 3.1.',
        content: { 'application/json': { schema: { type: 'object' } } },
      },
    },
    problems: [],
  },
};
