import {
  databaseName,
  durationMs,
  hexKey,
  integer,
  matching,
  LOG_LEVELS,
  mongodbUri,
  nonEmpty,
  trustedProxies,
  oneOf,
  port,
  url,
} from '@token-status/platform';

/** Every setting of token-service as its own process; the README's table is made from this. */
export const tokenServiceSettings = {
  MONGODB_URI: mongodbUri({
    description: 'The replica set of the event log and the read model.',
    example: 'mongodb://localhost:27017/?replicaSet=rs0',
  }),
  LOG_DATABASE: databaseName({
    description: "The event log's database.",
    default: 'token_status_log',
  }),
  READ_MODEL_DATABASE: databaseName({
    description: "The read model's database, which the projector fills.",
    default: 'token_status_read_model',
  }),
  KEYS_MONGODB_URI: mongodbUri({
    description:
      "The server of the users' keys: another one than the log's, or one whose backups are kept apart.",
    example: 'mongodb://localhost:27018/?replicaSet=rs0',
  }),
  KEYS_DATABASE: databaseName({
    description: "The database of the users' keys.",
    default: 'token_status_keys',
  }),
  PERSONAL_DATA_KEY: hexKey(32, {
    description: "The key that the users' keys are encrypted with.",
    exact: true,
  }),
  FINGERPRINT_KEY: hexKey(32, {
    description:
      'The key of the fingerprints that tell whether an Idempotency-Key comes with the same request.',
  }),
  OIDC_ISSUER: url({
    description: 'The issuer of access tokens, as in their `iss`.',
    example: 'https://login.example.com',
  }),
  OIDC_AUDIENCE: nonEmpty({
    description: "This API's name in the `aud` of access tokens.",
    default: 'urn:token-status:api',
  }),
  BASIC_USER_PREFIX: matching(/^[^:\p{Cc}]{1,64}$/u, '1 to 64 characters without a colon', {
    description: 'What stands before the user name in HTTP Basic.',
    default: 'BOOMI_TOKEN.',
  }),
  LEAK_REPORT_KEYS_FILE: nonEmpty({
    description:
      "A file of the public keys that reports of leaked secrets are signed with, in the form of GitHub's `/meta/public_keys/secret_scanning`; a change holds at once. Without keys no report is taken.",
    optional: true,
  }),
  LEAK_REPORT_KEYS_URL: url({
    description: 'Where these keys are published; fetched seldom, and asked after the file.',
    optional: true,
    example: 'https://api.github.com/meta/public_keys/secret_scanning',
  }),
  TOKENS_PER_USER: integer({
    description: 'How many tokens that are not revoked a user may have.',
    default: 5,
    min: 1,
    max: 1000,
  }),
  COMMAND_TIMEOUT_MS: durationMs({
    description:
      'How long a command waits for the keys before its decision, and then for the log, until it is answered 503.',
    default: 5000,
    min: 100,
    max: 60_000,
  }),
  UNTIL_POLL_MS: durationMs({
    description:
      'How often at least the ends of disables are looked for: by so much may a token be enabled late.',
    default: 1000,
    min: 20,
    max: 60_000,
  }),
  BULK_TIMEOUT_MS: durationMs({
    description:
      'How long a bulk command goes on until it is answered 503 and the rest is left to a repeat.',
    default: 30_000,
    min: 1000,
    max: 55_000,
  }),
  RATE_LIMIT_PER_CALLER: integer({
    description:
      'How many requests a minute each replica takes of one caller; what is more is answered 429.',
    default: 60_000,
    min: 1,
  }),
  RATE_LIMIT_PER_ADDRESS: integer({
    description:
      'The same of one address, for requests that are public or whose credential is not valid.',
    default: 6000,
    min: 1,
  }),
  TRUSTED_PROXIES: trustedProxies({
    description: "Whose `X-Forwarded-For` says a caller's address, which events keep, sealed.",
    default: ['loopback'],
  }),
  HOST: nonEmpty({ description: 'The address to listen on.', default: '127.0.0.1' }),
  PORT: port({ description: 'The port to listen on.', default: 3000 }),
  LOG_LEVEL: oneOf(LOG_LEVELS, { description: 'What is logged at least.', default: 'info' }),
} as const;
