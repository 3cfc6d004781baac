import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { DEFAULT_EVENT_PARTITIONS, DEFAULT_TOPIC_PREFIX } from '@token-status/contracts';
import {
  LOG_LEVELS,
  durationMs,
  integer,
  matching,
  hostPorts,
  nonEmpty,
  oneOf,
  port,
  topicPrefix,
  trustedProxies,
  url,
} from '@token-status/platform';
import type { Setting, SettingsOf, SettingsRule } from '@token-status/platform';

/** Where checks are taken over gRPC, if anywhere. */
export const grpcPort = (description: string): Setting<number | 'off'> => {
  const taken = port({ description, default: 3003 });
  return {
    ...taken,
    form: `${taken.form}, or \`off\``,
    parse: (text) => (text === 'off' ? 'off' : taken.parse(text)),
  };
};

/** Every setting of auth-gateway as its own process; the README's table is made from this. */
export const authGatewaySettings = {
  KAFKA_BROKERS: hostPorts({
    description: "Kafka's bootstrap brokers.",
    example: '127.0.0.1:9092',
  }),
  TOPIC_PREFIX: topicPrefix({
    description: 'What all topics begin with.',
    default: DEFAULT_TOPIC_PREFIX,
  }),
  EVENT_PARTITIONS: integer({
    description: 'Partitions of the events topic; fixed when it is made.',
    default: DEFAULT_EVENT_PARTITIONS,
    min: 1,
    max: 1000,
  }),
  GATEWAY_ID: matching(/^[A-Za-z0-9._:-]{1,128}$/, '1 to 128 letters, digits and `._:-`', {
    description: 'Another for each process. Made of host, process and chance where it is left out.',
    optional: true,
    example: 'eu-1.gateway-3',
  }),
  BASIC_USER_PREFIX: matching(/^[^:\p{Cc}]{1,64}$/u, '1 to 64 characters without a colon', {
    description: 'What stands before the user name in HTTP Basic.',
    default: 'BOOMI_TOKEN.',
  }),
  MAX_STALENESS_MS: durationMs({
    description: 'Answers older than this are not given: 503.',
    default: 5000,
    min: 500,
    max: 600_000,
  }),
  MAX_CLOCK_ERROR_MS: durationMs({
    description: "503 while this machine's clock is certainly further from the relay's.",
    default: 500,
    min: 10,
    max: 60_000,
  }),
  PROBE_EVERY_MS: durationMs({
    description: 'How often the gateway asks the relay for a proof that it knows everything.',
    default: 250,
    min: 20,
    max: 10_000,
  }),
  LOG_EPOCH: matching(/^[0-9a-f]{32}$/, '32 hexadecimal digits in lower case', {
    description:
      "The event log's epoch. Where it is left out, the first that is read is adopted, and another one later is refused.",
    optional: true,
  }),
  SNAPSHOT_FILE: nonEmpty({
    description:
      'Where the table is kept over a restart, for this process alone; only who may decide which tokens pass may write it. Where it is left out, every start reads the whole history.',
    optional: true,
    example: '/var/lib/auth-gateway/table',
  }),
  CONFIGURATION_FILE: nonEmpty({
    description:
      'What may change while the gateway runs: routes, limits, keys, and who may introspect. The README says how it is written.',
    optional: true,
    example: '/etc/auth-gateway/gateway.json',
  }),
  OIDC_ISSUER: url({
    description:
      'The issuer of access tokens, as in their `iss`, by which callers introspect. Where it is left out, none passes.',
    optional: true,
    example: 'https://login.example.com',
  }),
  OIDC_AUDIENCE: nonEmpty({
    description: "This API's name in the `aud` of access tokens.",
    default: 'urn:token-status:api',
  }),
  TRUSTED_PROXIES: trustedProxies({
    description:
      'Whose `X-Forwarded-For` says who asked; limits on failures go by that address, and nothing else does.',
    default: ['loopback'],
  }),
  HOST: nonEmpty({ description: 'Address to listen on.', default: '127.0.0.1' }),
  PORT: port({ description: 'Port to listen on; 0 takes a free one.', default: 3001 }),
  GRPC_HOST: nonEmpty({
    description: 'Address to listen on for gRPC, which is in plain text.',
    default: '127.0.0.1',
  }),
  GRPC_PORT: grpcPort('Port to listen on for gRPC; 0 takes a free one, `off` none.'),
  LOG_LEVEL: oneOf(LOG_LEVELS, {
    description: 'The least severe that is logged.',
    default: 'info',
  }),
};

export type AuthGatewaySettings = SettingsOf<typeof authGatewaySettings>;

type Rule = SettingsRule<AuthGatewaySettings>;

const probesOftenEnough: Rule = ({ PROBE_EVERY_MS: probe, MAX_STALENESS_MS: bound }) =>
  probe * 2 <= bound
    ? null
    : { name: 'PROBE_EVERY_MS', message: 'must be at most half of MAX_STALENESS_MS' };

/** What one setting alone doesn't show. */
export const authGatewayRules: readonly Rule[] = [probesOftenEnough];

/** An id for this process that no other one has. */
export const newGatewayId = (): string => {
  const host = hostname()
    .replaceAll(/[^A-Za-z0-9._-]/g, '-')
    .slice(0, 80);
  return `${host}-${process.pid}-${randomBytes(4).toString('hex')}`;
};
