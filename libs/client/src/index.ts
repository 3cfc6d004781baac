export { clientCredentials } from './client-credentials.js';
export type { ClientCredentialsOptions } from './client-credentials.js';
export { createClient } from './client.js';
export type {
  AddedToken,
  BulkAnswer,
  ChangeOptions,
  ClientOptions,
  CommandOptions,
  DisableAllAnswer,
  ReadOptions,
  Token,
  TokenEvent,
  TokenSearch,
  TokenStatusClient,
} from './client.js';
export { ProblemError } from './problem-error.js';
export type { ProblemCode, ProblemDetail } from './problem-error.js';
export { NoAnswerError } from './resilient-fetch.js';
export type { AccessTokens } from './resilient-fetch.js';
