import type { Readiness } from '../health/readiness.js';
import type { CallerAuthentication } from '../identity/token-verifier.js';
import type { Logger } from '../logging/logger.js';
import type { Metrics } from '../metrics/metrics.js';
import type { ProblemTable } from '../problem/problem.js';
import type { RateLimits } from './rate-limits.js';

export interface AppOptions {
  readonly logger: Logger;
  /**
   * Who says who a caller is. `'none'` is for an app that has no routes but health's and such as decide
   * by themselves: without a guard, every route is open.
   */
  readonly callers: CallerAuthentication | 'none';
  /** Shown at `/metrics`; shut down with the app. */
  readonly metrics?: Metrics;
  /** A new one where it is left out; give one to register checks before the app is made. */
  readonly readiness?: Readiness;
  /** The app's problems; it gives the titles of the platform's own too. */
  readonly problems?: ProblemTable;
  /** Default none. */
  readonly rateLimits?: RateLimits;
  /** Default 64 KiB. */
  readonly bodyLimitBytes?: number;
  /** A request must have come in whole after this long. Default 30 s. */
  readonly requestTimeoutMs?: number;
  /** A connection on which nothing moves is closed after this long. Default 60 s; 0 for never. */
  readonly connectionTimeoutMs?: number;
  /** A connection between two requests. Default 72 s: longer than the 60 s of usual load balancers, so that they close first. */
  readonly keepAliveTimeoutMs?: number;
  /** Proxies whose `X-Forwarded-*` headers are believed. Default none. */
  readonly trustProxy?: boolean | string | readonly string[];
  /** On shutdown: how long `/readyz` says 503 before the app stops accepting. Default 0. */
  readonly lameDuckMs?: number;
  /** On shutdown: how long requests under way may go on. Default 10 s. */
  readonly drainMs?: number;
}
