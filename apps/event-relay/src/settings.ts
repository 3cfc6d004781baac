import { DEFAULT_EVENT_PARTITIONS, DEFAULT_TOPIC_PREFIX } from '@token-status/contracts';
import {
  LOG_LEVELS,
  databaseName,
  durationMs,
  integer,
  hostPorts,
  mongodbUri,
  nonEmpty,
  oneOf,
  port,
  topicPrefix,
} from '@token-status/platform';
import { signingKeyFile } from './signing-key-file.js';

export const eventRelaySettings = {
  MONGODB_URI: mongodbUri({
    description: "The event log's database, a replica set",
    example: 'mongodb://127.0.0.1:27017/?replicaSet=rs0',
  }),
  LOG_DATABASE: databaseName({
    description: 'Name of the database of the log',
    default: 'token_status_log',
  }),
  KAFKA_BROKERS: hostPorts({ description: "Kafka's bootstrap brokers", example: '127.0.0.1:9092' }),
  TOPIC_PREFIX: topicPrefix({
    description: 'What all topics begin with',
    default: DEFAULT_TOPIC_PREFIX,
  }),
  EVENT_PARTITIONS: integer({
    description: 'Partitions of the events topic; fixed when it is made',
    default: DEFAULT_EVENT_PARTITIONS,
    min: 1,
    max: 1000,
  }),
  LEASE_MS: durationMs({
    description: 'How long a relay that died keeps a standby from taking over',
    default: 1500,
    min: 300,
    max: 60_000,
  }),
  HEARTBEAT_MS: durationMs({
    description: 'How often the relay proves how far it has come',
    default: 250,
    min: 20,
    max: 10_000,
  }),
  SIGNING_KEY_FILE: signingKeyFile({
    description: 'The key that signs events and heartbeats; without it, none is signed',
    example: '/etc/token-status/signing-key.json',
  }),
  HOST: nonEmpty({ description: 'Address to listen on', default: '127.0.0.1' }),
  PORT: port({ description: 'Port for health and metrics', default: 3010 }),
  LOG_LEVEL: oneOf(LOG_LEVELS, { description: 'The least severe that is logged', default: 'info' }),
};
