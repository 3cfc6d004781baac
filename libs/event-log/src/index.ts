export * from './command-id.js';
export * from './event-log.js';
export * from './hash-chain.js';
export * from './log-store.js';
export type { LogObserver, WriterOptions } from './log-writer.js';
export * from './mongo/mongo-log-store.js';
export * from './open-event-log.js';
export * from './sqlite/sqlite-log-store.js';
