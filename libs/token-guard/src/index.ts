export { UnusableKey, parseVerificationKeys } from '@token-status/contracts';
export type { VerificationKey } from '@token-status/contracts';
export type { Clocks } from './clocks.js';
export { CompactTable } from './compact-table.js';
export { MAX_AUTHORIZATION_LENGTH, parseCredential } from './credential.js';
export type { Credential } from './credential.js';
export { OUTCOMES } from './decision.js';
export type { Decision, Finding, OnStale, Outcome, TokenIdentity } from './decision.js';
export type { FailureLimit } from './failure-limits.js';
export type { ClockOffset, Freshness } from './freshness.js';
export { grpcCode } from './grpc-answer.js';
export { headerValue, httpAnswer } from './http-answer.js';
export type { HttpAnswer } from './http-answer.js';
export type { Alarm, IntakeCounts } from './intake.js';
export { liveConnections } from './live-connections.js';
export type {
  CloseConnection,
  LiveConnections,
  LiveConnectionsOptions,
  WatchedGuard,
  WhyClosed,
} from './live-connections.js';
export { checkUpgrade, holdResponse, holdWebSocket } from './live-transports.js';
export type { WebSocketLike } from './live-transports.js';
export { authorizationOf } from './request.js';
export type { MiddlewareOptions, RequestHeaders } from './request.js';
export { loadSnapshot, saveSnapshot } from './snapshot.js';
export type {
  ExpectedSnapshot,
  LoadedSnapshot,
  SnapshotContents,
  SnapshotSource,
} from './snapshot.js';
export { createTokenGuard } from './token-guard.js';
export type {
  CheckInput,
  GuardConfiguration,
  GuardEvents,
  GuardState,
  KafkaTokenGuardOptions,
  SnapshotOptions,
  SnapshotState,
  TokenGuard,
  TokenGuardOptions,
} from './token-guard.js';
export type {
  Applied,
  ParkedToken,
  TokenChange,
  TokenCounts,
  TokenEntry,
  TokenTable,
} from './token-table.js';
export { Watermark } from './watermark.js';

// What a guard is made with, so that a gateway of others needs no other package of ours.
export { topics } from '@token-status/contracts';
export type { Topics } from '@token-status/contracts';
export { createKafkaEventBus } from '@token-status/event-bus';
export type { BusLogger, EventBus, KafkaEventBusOptions, KafkaSasl } from '@token-status/event-bus';
