import { Inject, Injectable } from '@nestjs/common';
import { METRICS } from '@token-status/platform';
import type { Metrics } from '@token-status/platform';
import type { LogObserver } from '@token-status/event-log';

export type CommandOutcome =
  'recorded' | 'unchanged' | 'repeated' | 'refused' | 'key-reused' | 'fault';

/** Counts and times commands; labels are words of the code, never a caller's. */
@Injectable()
export class CommandMetrics {
  private readonly record: (
    type: string,
    outcome: CommandOutcome,
    code: string | null,
    ms: number,
  ) => void;

  constructor(@Inject(METRICS) metrics: Metrics | null) {
    const meter = metrics?.meter;
    const commands = meter?.createCounter('token_commands_total', {
      description: 'Commands answered, by type and result',
    });
    const refusals = meter?.createCounter('token_command_refusals_total', {
      description: 'Commands refused, by type and code',
    });
    const durations = meter?.createHistogram('token_command_duration_seconds', {
      description: 'From the command being decided first to its answer from the log',
      unit: 's',
    });
    this.record = (type, result, code, ms) => {
      commands?.add(1, { type, result });
      if (code !== null) refusals?.add(1, { type, code });
      durations?.record(ms / 1000, { type });
    };
  }

  answered(type: string, outcome: CommandOutcome, code: string | null, ms: number): void {
    this.record(type, outcome, code, ms);
  }
}

/** For `openEventLog(store, { observer })`: what the writer sees of commits and of other writers. */
export function logObserver(
  { meter }: Metrics,
  onFault: (fault: unknown) => void = () => undefined,
): Required<LogObserver> {
  const commits = meter.createHistogram('event_log_commit_duration_seconds', {
    description: 'From a commit being sent to its acknowledgement by a majority',
    unit: 's',
  });
  const events = meter.createCounter('event_log_appended_events_total', {
    description: 'Events appended by this process',
  });
  const commands = meter.createCounter('event_log_committed_commands_total', {
    description: 'Commands in the commits of this process; over commits: the group size',
  });
  const conflicts = meter.createCounter('event_log_conflicts_total', {
    description: 'Commits that another writer was ahead of',
  });
  const faults = meter.createCounter('event_log_faults_total', {
    description: 'Commits or reads that failed and were tried again',
  });
  return {
    committed: (commit) => {
      commits.record(commit.ms / 1000);
      events.add(commit.events);
      commands.add(commit.commands);
    },
    conflict: () => conflicts.add(1),
    fault: (fault) => {
      faults.add(1);
      onFault(fault);
    },
  };
}
