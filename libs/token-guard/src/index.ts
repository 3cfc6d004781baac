export type { Clocks } from './clocks.js';
export { CompactTable } from './compact-table.js';
export { MAX_AUTHORIZATION_LENGTH, parseCredential } from './credential.js';
export type { Credential } from './credential.js';
export { OUTCOMES } from './decision.js';
export type { Decision, Finding, OnStale, Outcome, TokenIdentity } from './decision.js';
export type { FailureLimit } from './failure-limits.js';
export type { ClockOffset, Freshness } from './freshness.js';
export { headerValue, httpAnswer } from './http-answer.js';
export type { HttpAnswer } from './http-answer.js';
export type { Alarm, IntakeCounts } from './intake.js';
export { loadSnapshot, saveSnapshot } from './snapshot.js';
export type { LoadedSnapshot, SnapshotContents, SnapshotSource } from './snapshot.js';
export { createTokenGuard } from './token-guard.js';
export type {
  CheckInput,
  GuardConfiguration,
  GuardEvents,
  GuardState,
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
