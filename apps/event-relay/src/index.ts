export * from './event-relay.js';
export * from './event-relay.module.js';
export * from './settings.js';
