import { Inject, Module } from '@nestjs/common';
import type { DynamicModule, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { Readiness } from '@token-status/platform';
import type { Check, Logger, Metrics } from '@token-status/platform';
import { EventRelay } from './event-relay.js';
import type { EventRelayOptions, RelayObserver } from './event-relay.js';

/** What the module is made of; it closes none of it. */
export interface EventRelayPorts extends Omit<EventRelayOptions, 'observer'> {
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** The relay as a part of a Nest app: of its own, or of the standalone one. */
@Module({})
export class EventRelayModule implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    @Inject(EventRelay) private readonly relay: EventRelay,
    readiness: Readiness,
  ) {
    readiness.register({ name: 'event-relay', check: () => relayCheck(relay) });
  }

  static register({ logger, metrics, ...options }: EventRelayPorts): DynamicModule {
    const relay = new EventRelay({ ...options, observer: observe(logger, metrics) });
    watch(relay, metrics);
    return {
      module: EventRelayModule,
      providers: [{ provide: EventRelay, useValue: relay }],
      exports: [EventRelay],
    };
  }

  onApplicationBootstrap(): void {
    this.relay.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.relay.close();
  }
}

/** Ready is whoever leads and beats, or stands by and could take over. */
export function relayCheck(relay: Pick<EventRelay, 'state'>): Check {
  const { leading, leaseAskedMsAgo, beatMsAgo, patienceMs } = relay.state();
  if (leaseAskedMsAgo === null || leaseAskedMsAgo > patienceMs) {
    return { ok: false, why: 'the lease could not be asked for' };
  }
  if (leading && (beatMsAgo === null || beatMsAgo > patienceMs)) {
    return { ok: false, why: 'no heartbeat was acknowledged lately' };
  }
  return { ok: true };
}

function observe(logger: Logger, { meter }: Metrics): RelayObserver {
  const published = meter.createCounter('relay_events_published_total', {
    description: 'Events that the broker acknowledged, repeats included',
  });
  const publishing = meter.createHistogram('relay_publish_seconds', {
    unit: 's',
    description: 'From reading a batch to its acknowledgement',
  });
  const beating = meter.createHistogram('relay_heartbeat_seconds', {
    unit: 's',
    description: "From a heartbeat's write to its acknowledgement",
  });
  const faults = meter.createCounter('relay_faults_total', {
    description: 'Faults of the database or the broker that are being retried',
  });
  return {
    published: ({ events, ms }) => {
      published.add(events);
      publishing.record(ms / 1000);
    },
    beat: ({ ms }) => beating.record(ms / 1000),
    led: (leading, term) => logger.info({ leading, term }, leading ? 'leading' : 'standing by'),
    fault: (fault) => {
      faults.add(1);
      logger.warn({ err: fault }, 'the relay goes on trying');
    },
  };
}

function watch(relay: EventRelay, { meter }: Metrics): void {
  meter
    .createObservableGauge('relay_leading', { description: '1 where this relay leads' })
    .addCallback((result) => result.observe(relay.state().leading ? 1 : 0));
  meter
    .createObservableGauge('relay_lag_events', {
      description:
        "Events of the log, as of the newest heartbeat's write, that are not published yet",
    })
    .addCallback((result) => {
      const { leading, head, published } = relay.state();
      if (leading) result.observe(Math.max(0, head - published));
    });
  meter
    .createObservableGauge('relay_heartbeat_age_seconds', {
      description: 'Since the newest heartbeat was acknowledged, where this relay leads',
    })
    .addCallback((result) => {
      const { leading, beatMsAgo } = relay.state();
      if (leading && beatMsAgo !== null) result.observe(beatMsAgo / 1000);
    });
}
