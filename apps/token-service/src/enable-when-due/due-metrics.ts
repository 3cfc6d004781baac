import { Inject, Injectable } from '@nestjs/common';
import { METRICS } from '@token-status/platform';
import type { Metrics } from '@token-status/platform';
import type { Ending } from './enable-token-when-due.command.js';

/** What is known of the ends of disables: how many wait, how late they are, what came of them. */
@Injectable()
export class DueMetrics {
  /** As of the newest look: ends that had come and were not decided yet. */
  due = 0;
  leading = false;
  readonly ended: (kind: Ending['kind'], lateMs: number) => void;
  readonly failed: () => void;

  constructor(@Inject(METRICS) metrics: Metrics | null) {
    const meter = metrics?.meter;
    const ends = meter?.createCounter('token_ends_total', {
      description: 'Ends of disables that were decided, by result: enabled, repeated, overtaken',
    });
    const faults = meter?.createCounter('token_end_faults_total', {
      description: 'Ends of disables that could not be looked for or decided, and are tried again',
    });
    const late = meter?.createHistogram('token_end_late_seconds', {
      description: 'From the end of a disable to the token being enabled by the scheduler',
      unit: 's',
    });
    meter
      ?.createObservableGauge('token_ends_due', {
        description:
          'Ends of disables that have come and are not decided yet, as of the newest look',
      })
      .addCallback((result) => result.observe(this.due));
    meter
      ?.createObservableGauge('token_end_scheduler_leading', {
        description: '1 where this process is the one that enables tokens at their ends',
      })
      .addCallback((result) => result.observe(this.leading ? 1 : 0));
    this.ended = (kind, lateMs) => {
      ends?.add(1, { result: kind });
      if (kind === 'enabled') late?.record(lateMs / 1000);
    };
    this.failed = () => faults?.add(1);
  }
}
