import type { Logger, Metrics } from '@token-status/platform';
import type { Projector, ProjectorAlarm, ProjectorObserver } from '@token-status/read-model';

export function observe(logger: Logger, { meter }: Metrics): ProjectorObserver {
  const events = meter.createCounter('projector_events_total', {
    description: 'Events by what became of them: applied, repeated or parked',
  });
  const batches = meter.createHistogram('projector_batch_seconds', {
    unit: 's',
    description: 'From taking a batch to its having been stored',
  });
  const faults = meter.createCounter('projector_faults_total', {
    description: 'Faults of the databases or the broker that are being retried',
  });
  const alarms = meter.createCounter('projector_alarms_total', {
    description: 'What an operator must see to, by kind',
  });
  return {
    batch: ({ applied, repeated, parked, ms }) => {
      for (const [outcome, count] of Object.entries({ applied, repeated, parked })) {
        if (count > 0) events.add(count, { outcome });
      }
      batches.record(ms / 1000);
    },
    fault: (fault) => {
      faults.add(1);
      logger.warn({ err: fault }, 'the projector goes on trying');
    },
    alarm: (alarm) => {
      alarms.add(1, { kind: alarm.kind });
      tell(logger, alarm);
    },
  };
}

function tell(logger: Logger, alarm: ProjectorAlarm): void {
  switch (alarm.kind) {
    case 'halted':
      logger.fatal({ why: alarm.why }, 'the projector has halted, and stays so until started anew');
      break;
    case 'parked': {
      const { partition, offset, tokenId, tokenVersion, position, eventId, why, detail } =
        alarm.record;
      // Not the record itself: it may be anything.
      logger.error(
        {
          partition,
          offset: String(offset),
          tokenId,
          tokenVersion,
          position,
          eventId,
          why,
          detail,
        },
        'an event could not be applied and waits',
      );
      break;
    }
    case 'text-unreadable':
      logger.error({ tokenId: alarm.tokenId }, 'a name or note does not open; it is shown as none');
      break;
    case 'stalled':
      logger.error({ why: alarm.why }, 'a subscription stalled and is made anew');
  }
}

export function watch(projector: Projector, { meter }: Metrics): void {
  const gauge = (
    name: string,
    description: string,
    read: (state: ReturnType<Projector['state']>) => number | null,
  ): void => {
    meter.createObservableGauge(name, { description }).addCallback((result) => {
      const value = read(projector.state());
      if (value !== null) result.observe(value);
    });
  };
  gauge(
    'projector_partitions',
    'Partitions of the group that this projector holds',
    (state) => state.partitions.length,
  );
  gauge(
    'projector_position',
    "The log's position up to which the partitions held are complete",
    (state) => state.position,
  );
  gauge(
    'projector_lag_positions',
    "Positions of the log between that and the newest heartbeat's",
    (state) => state.lagPositions,
  );
  gauge(
    'projector_lag_seconds',
    'Since a heartbeat came whose position is not reached yet; 0 when there is none',
    (state) => state.lagMs / 1000,
  );
  gauge('projector_heartbeat_age_seconds', 'Since the newest heartbeat came', (state) =>
    state.heartbeatMsAgo === null ? null : state.heartbeatMsAgo / 1000,
  );
  gauge(
    'projector_parked',
    'Events that wait for an operator, in the whole read model',
    (state) => state.parked,
  );
}
