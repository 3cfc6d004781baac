export { logObserver } from './commands/command-metrics.js';
export type { Clock } from './clock.js';
export { TokenServiceModule } from './token-service.module.js';
export type { CommandLog, SealedTexts, TokenServicePorts } from './ports.js';
export type { TokenServiceSettings } from './token-service.module.js';
export { tokenServiceSettings } from './settings.js';
export type { TokenJson } from './http/token-json.js';
