import { DEFAULT_EVENT_PARTITIONS, DEFAULT_TOPIC_PREFIX } from '@token-status/contracts';
import {
  LOG_LEVELS,
  databaseName,
  hexKey,
  integer,
  hostPorts,
  mongodbUri,
  nonEmpty,
  oneOf,
  port,
  topicPrefix,
} from '@token-status/platform';

/** Every setting of the projector as its own process; the README's table is made from this. */
export const projectorSettings = {
  MONGODB_URI: mongodbUri({
    description: "The read model's database, a replica set",
    example: 'mongodb://127.0.0.1:27017/?replicaSet=rs0',
  }),
  READ_MODEL_DATABASE: databaseName({
    description: 'Name of the database of the read model',
    default: 'token_status_read_model',
  }),
  KEYS_MONGODB_URI: mongodbUri({
    description: "The users' keys: not on the log's server, or at least not in its backups",
    example: 'mongodb://127.0.0.1:27018/?replicaSet=rs0',
  }),
  KEYS_DATABASE: databaseName({
    description: "Name of the database of the users' keys",
    default: 'token_status_keys',
  }),
  PERSONAL_DATA_KEY: hexKey(32, {
    description: "The key that the users' keys are encrypted with; token-service has the same",
    exact: true,
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
  PROJECTOR_GROUP: nonEmpty({
    description: 'Projectors of one group divide the partitions; all of them write one read model',
    default: 'token-status.projector',
  }),
  HOST: nonEmpty({ description: 'Address to listen on', default: '127.0.0.1' }),
  PORT: port({ description: 'Port for health and metrics', default: 3020 }),
  LOG_LEVEL: oneOf(LOG_LEVELS, { description: 'The least severe that is logged', default: 'info' }),
};
