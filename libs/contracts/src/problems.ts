/**
 * Every problem that the API answers with (RFC 9457): its code, which never changes, its status and
 * its title. `type` is `urn:token-status:problem:<code>`. The API's documents are made from this table.
 */
export interface ProblemType {
  readonly status: number;
  readonly title: string;
}

export const PROBLEMS = {
  'invalid-request': { status: 400, title: 'The request is malformed' },
  'time-not-ahead': { status: 400, title: 'The time must lie ahead' },
  unauthenticated: { status: 401, title: 'A valid access token is needed' },
  'token-disabled': { status: 401, title: 'The API token that was presented is disabled' },
  forbidden: { status: 403, title: 'This is not permitted' },
  'privilege-missing': { status: 403, title: 'The privilege "API Access" is needed' },
  'scope-missing': { status: 403, title: 'The access token lacks the scope for this' },
  'not-own-user': {
    status: 403,
    title: 'Tokens are added by their own user or an internal service',
  },
  'user-name-unproven': {
    status: 403,
    title: 'Who adds a token with an API token presents that by Basic, which names the user',
  },
  'report-not-trusted': { status: 403, title: 'The report is not signed with a trusted key' },
  'authority-too-low': {
    status: 403,
    title: 'The authority is too low for this',
  },
  'token-unknown': { status: 404, title: 'There is no such token' },
  'user-unknown': { status: 404, title: 'There is no such user' },
  'not-found': { status: 404, title: 'There is nothing at this address' },
  'method-not-allowed': { status: 405, title: 'This method is not offered here' },
  'not-acceptable': {
    status: 406,
    title: 'This is not offered in a form that the request accepts',
  },
  'request-timeout': { status: 408, title: 'The request took too long to arrive' },
  'token-revoked': { status: 409, title: 'The token is revoked, which is for ever' },
  'token-expired': { status: 409, title: 'The token has expired' },
  'token-limit': { status: 409, title: 'The user has as many tokens as are allowed' },
  'name-taken': { status: 409, title: 'The user has another token of this name' },
  'account-mismatch': { status: 409, title: 'The user belongs to another account' },
  'version-mismatch': { status: 412, title: 'The token was changed since that version' },
  'too-large': { status: 413, title: 'The request is too large' },
  'uri-too-long': { status: 414, title: 'The address is too long' },
  'unsupported-media-type': { status: 415, title: 'The body must be application/json' },
  'key-reused': {
    status: 422,
    title: 'The Idempotency-Key was used before, with another request',
  },
  'too-many-requests': { status: 429, title: 'Too many requests' },
  'headers-too-large': { status: 431, title: 'The header fields are too large' },
  internal: { status: 500, title: 'Something went wrong on our side' },
  'outcome-unknown': {
    status: 503,
    title: 'It is not known yet whether this was recorded; ask again with the same Idempotency-Key',
  },
  'bulk-incomplete': {
    status: 503,
    title:
      'Part of the tokens are done; ask again with the same Idempotency-Key to finish the rest',
  },
  overloaded: { status: 503, title: 'Too much is waiting; nothing was recorded' },
  unavailable: {
    status: 503,
    title: 'A part that is needed is out of reach; nothing was recorded',
  },
  'issuer-unavailable': { status: 503, title: 'The issuer of access tokens is out of reach' },
  'not-there-yet': { status: 503, title: 'The read model has not come to that position yet' },
} as const satisfies Record<string, ProblemType>;

export type ProblemCode = keyof typeof PROBLEMS;

export const problemUri = (code: string): string => `urn:token-status:problem:${code}`;
