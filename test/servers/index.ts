export { freePort, isFree } from './free-port.js';
export type { KafkaServer } from './kafka-server.js';
export { startKafka } from './kafka-server.js';
export type { MongoReplicaSet, MongoServer } from './mongo-server.js';
export { startMongo, startMongoReplicaSet } from './mongo-server.js';
export type { RealServers } from './real-servers.js';
export { findOrStartServers } from './real-servers.js';
export type { RunningServer } from './server-process.js';
export { ServersUnavailable } from './tools.js';
