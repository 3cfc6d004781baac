export { HeartbeatTrail } from './heartbeat-trail.js';
export { openMongoReadModel } from './mongo/mongo-read-model.js';
export type { MongoReadModelOptions } from './mongo/mongo-read-model.js';
export type { ParkedRecord, ParkReason } from './parked-record.js';
export { foldRecords, projectToken, sealedTexts, withTexts } from './projection.js';
export type { Folded, Projected } from './projection.js';
export { Projector } from './projector.js';
export type {
  OpenSealed,
  ProjectorAlarm,
  ProjectorObserver,
  ProjectorOptions,
  ProjectorReadiness,
  ProjectorState,
} from './projector.js';
export { openSqliteReadModel } from './sqlite/sqlite-read-model.js';
export type { SqliteReadModelOptions } from './sqlite/sqlite-read-model.js';
export { PROJECTOR_STEPS } from './steps.js';
export type { ProjectorStep } from './steps.js';
export { newRow, viewOf } from './token-row.js';
export type { TokenRow, TokenTexts } from './token-row.js';
export { foldName, ForeignCursor, MOST_FOUND, MOST_NAMES_READ } from './token-search.js';
export type { DueToken, TokenPage, TokenSearch } from './token-search.js';
export { positionOf } from './token-status-repository.js';
export type {
  Checkpoint,
  SourceFact,
  Step,
  TokenStatusReads,
  TokenStatusRepository,
} from './token-status-repository.js';
export type { TokenView } from './token-view.js';
