export * from './api-token/api-token.js';
export * from './api-token/commands.js';
export * from './api-token/events.js';
export * from './api-token/policy.js';
export * from './api-token/refusals.js';
