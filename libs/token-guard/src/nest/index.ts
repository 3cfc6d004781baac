export { TokenGuardModule } from './token-guard.module.js';
export type { AsyncTokenGuardOptions } from './token-guard.module.js';
export { LIVE_CONNECTIONS, TOKEN_GUARD } from './token-guard.options.js';
export type { NestRequest, NestTokenGuardOptions } from './token-guard.options.js';
export { CurrentToken, TokenStatusGuard, WhenStale } from './token-status.guard.js';
