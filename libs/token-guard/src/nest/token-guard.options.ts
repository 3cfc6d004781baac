import type { LiveConnectionsOptions } from '../live-connections.js';
import type { MiddlewareOptions } from '../request.js';
import type { TokenGuard } from '../token-guard.js';

/** What the requests of both platforms, Express and Fastify, say of their caller. */
export interface NestRequest {
  /** By the platform's setting of which proxies to trust. */
  readonly ip?: string | undefined;
}

export interface NestTokenGuardOptions extends MiddlewareOptions<NestRequest> {
  /** Closed by the module, when the app is. */
  readonly guard: TokenGuard;
  readonly live?: LiveConnectionsOptions;
}

/** To inject the `TokenGuard` by. */
export const TOKEN_GUARD = Symbol('token guard');
/** To inject the `LiveConnections` by. */
export const LIVE_CONNECTIONS = Symbol('live connections of the token guard');
/** What the module was given. */
export const TOKEN_GUARD_OPTIONS = Symbol('token guard options');
