import {
  databaseName,
  durationMs,
  hexKey,
  integer,
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
  TRUSTED_PROXIES: trustedProxies({
    description: "Whose `X-Forwarded-For` says a caller's address, which events keep, sealed.",
    default: ['loopback'],
  }),
  HOST: nonEmpty({ description: 'The address to listen on.', default: '127.0.0.1' }),
  PORT: port({ description: 'The port to listen on.', default: 3000 }),
  LOG_LEVEL: oneOf(LOG_LEVELS, { description: 'What is logged at least.', default: 'info' }),
} as const;
