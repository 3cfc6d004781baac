export { backoffDelays, delay } from './backoff.js';
export type { BackoffOptions } from './backoff.js';
export { boundedText } from './bounded-text.js';
export { createFailpoints } from './failpoint.js';
export type { Failpoint } from './failpoint.js';
export { keepTrying } from './keep-trying.js';
export type { KeepTryingOptions } from './keep-trying.js';
export { onceOpen } from './once-open.js';
export type { OnceOpen } from './once-open.js';
export { Readiness } from './health/readiness.js';
export type { Check, ReadinessCheck, ReadinessReport } from './health/readiness.js';
export { CallerGuard, CurrentCaller, Public } from './identity/caller.guard.js';
export { PRIVILEGES } from './identity/caller.js';
export type { Caller, Privilege } from './identity/caller.js';
export { createTokenVerifier } from './identity/token-verifier.js';
export type {
  CallerAuthentication,
  TokenVerifier,
  TokenVerifierOptions,
} from './identity/token-verifier.js';
export { createLogger, LOG_LEVELS } from './logging/logger.js';
export type { Logger, LoggerOptions, LogLevel } from './logging/logger.js';
export { maskSecrets } from './logging/mask-secrets.js';
export { annotateRequest, currentRequest, runInRequest } from './logging/request-context.js';
export type { RequestContext } from './logging/request-context.js';
export { METRICS_CONTENT_TYPE, SECONDS_BUCKETS, startMetrics } from './metrics/metrics.js';
export type { Metrics } from './metrics/metrics.js';
export { PLATFORM_PROBLEMS, platformProblem, Problem, problemsFrom } from './problem/problem.js';
export type {
  ProblemDetail,
  ProblemOptions,
  ProblemTable,
  ProblemType,
} from './problem/problem.js';
export { problemBody, PROBLEM_CONTENT_TYPE } from './problem/problem-body.js';
export { validationPipe } from './problem/validation.pipe.js';
export type { AppOptions } from './server/app-options.js';
export { callerAddress } from './server/caller-address.js';
export { closeOnSignals } from './server/close-on-signals.js';
export type { Closable, CloseOnSignalsOptions } from './server/close-on-signals.js';
export { createApp } from './server/create-app.js';
export type { App } from './server/create-app.js';
export { BodyLimit, RawJsonBody } from './server/json-body.js';
export { Unlimited } from './server/rate-limits.js';
export type { RateLimits } from './server/rate-limits.js';
export { LOGGER, METRICS } from './server/tokens.js';
export { EX_CONFIG, exitOnBadSettings } from './settings/exit-on-bad-settings.js';
export { describeSettings, loadSettings } from './settings/load-settings.js';
export type { Environment, SettingsRule } from './settings/load-settings.js';
export {
  databaseName,
  durationMs,
  flag,
  hexKey,
  hostPorts,
  integer,
  matching,
  mongodbUri,
  nonEmpty,
  oneOf,
  port,
  topicPrefix,
  trustedProxies,
  url,
} from './settings/setting.js';
export type { Setting, SettingOptions, SettingsOf, SettingsSchema } from './settings/setting.js';
export { SettingsError } from './settings/settings-error.js';
export type { SettingFault } from './settings/settings-error.js';
