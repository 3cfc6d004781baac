import { Command } from '@nestjs/cqrs';
import type { LeakedSecret } from './leak-report.js';

/** What a scanner is told of each of its matches, in the form that GitHub's partner programme takes. */
export interface LeakFeedback {
  /** SHA-256 of what was reported, hex: no secret stands in an answer. */
  readonly token_hash: string;
  readonly token_type: string;
  /** `true_positive` for whatever was ever a secret of ours, revoked ones included. */
  readonly label: 'true_positive' | 'false_positive';
}

export class ReportLeaksCommand extends Command<readonly LeakFeedback[]> {
  constructor(
    readonly leaked: readonly LeakedSecret[],
    readonly remoteAddress: string,
  ) {
    super();
  }
}
