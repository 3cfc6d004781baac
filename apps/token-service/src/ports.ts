import type { EventLog } from '@token-status/event-log';
import type { PersonalData } from '@token-status/personal-data';
import type { TokenStatusReads } from '@token-status/read-model';
import type { Clock } from './clock.js';
import type { ReportKeys } from './leaks/report-keys.js';

/** What the service needs of the event log. */
export type CommandLog = Pick<
  EventLog,
  'decideAndAppend' | 'read' | 'fence' | 'leases' | 'follow' | 'plans'
>;

/** What the service needs of personal data: it forgets nobody. */
export type SealedTexts = Pick<PersonalData, 'seal' | 'open'>;

/** What the service stands on. Whoever opened a port closes it, after the app. */
export interface TokenServicePorts {
  readonly log: CommandLog;
  readonly reads: TokenStatusReads;
  readonly personalData: SealedTexts;
  /** Whose reports of leaked secrets are believed. Default: nobody's. */
  readonly reportKeys?: ReportKeys | undefined;
  /** Default: the machine's. */
  readonly clock?: Clock;
}
