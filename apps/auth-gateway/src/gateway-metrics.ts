import type { Metrics } from '@token-status/platform';
import type { Alarm, TokenGuard } from '@token-status/token-guard';
import type { CheckObserver, CheckResult } from './check.js';

export interface GatewayMetrics extends CheckObserver {
  alarmed(alarm: Alarm): void;
  faulted(): void;
  /** Shows the guard's state at each reading. */
  watch(guard: TokenGuard): void;
}

export function gatewayMetrics({ meter }: Metrics): GatewayMetrics {
  // Counted by hand and told when asked: a counter with labels costs more than the decision.
  const results = new Map<CheckResult, number>();
  meter
    .createObservableCounter('gateway_verify', {
      description:
        'Questions whether a credential passes, over HTTP and gRPC, by what was found; most of it is told to nobody',
    })
    .addCallback((observed) => {
      for (const [result, count] of results) observed.observe(count, { result });
    });
  const durations = meter.createHistogram('gateway_verify_duration_seconds', {
    description: 'From the headers having been read to the decision',
    unit: 's',
  });
  // By the route's name, which the configuration bounds.
  const allowedStale = new Map<string, number>();
  meter
    .createObservableCounter('gateway_allowed_stale', {
      description:
        'Requests that passed by a view older than the bound, since their route allows it',
    })
    .addCallback((observed) => {
      for (const [route, count] of allowedStale) observed.observe(count, { route });
    });
  const alarms = meter.createCounter('gateway_alarms', {
    description: 'What an operator should look at, by kind',
  });
  const faults = meter.createCounter('gateway_faults', {
    description: 'Faults of the bus that are being retried',
  });
  return {
    checked: (result, seconds) => {
      results.set(result, (results.get(result) ?? 0) + 1);
      durations.record(seconds);
    },
    allowedStale: (route) => allowedStale.set(route, (allowedStale.get(route) ?? 0) + 1),
    alarmed: ({ code }) => alarms.add(1, { code }),
    faulted: () => faults.add(1),
    watch: (guard) => watch(meter, guard),
  };
}

function watch(meter: Metrics['meter'], guard: TokenGuard): void {
  const gauge = (name: string, description: string, read: () => number | null): void => {
    meter.createObservableGauge(name, { description }).addCallback((observed) => {
      const value = read();
      if (value !== null) observed.observe(value);
    });
  };
  gauge('gateway_fresh', '1 while the gateway may pass anybody', () =>
    guard.freshness().state === 'fresh' ? 1 : 0,
  );
  gauge('gateway_staleness_seconds', 'For so long answers may be out of date', () => {
    const { ageMs } = guard.freshness();
    return ageMs === null ? null : ageMs / 1000;
  });
  gauge('gateway_watermark', 'The position of the log up to which everything was read', () => {
    return guard.state().watermark;
  });
  gauge('gateway_head', "The log's highest position that a heartbeat told of", () => {
    return guard.state().headPosition;
  });
  gauge(
    'gateway_parked_tokens',
    'Tokens denied since an event of theirs could not be applied',
    () => {
      return guard.state().tokens.parked;
    },
  );
  meter
    .createObservableGauge('gateway_tokens', {
      description: 'Tokens by stored status; an expired one counts as what it was',
    })
    .addCallback((observed) => {
      const { active, disabled, revoked } = guard.state().tokens;
      observed.observe(active, { status: 'active' });
      observed.observe(disabled, { status: 'disabled' });
      observed.observe(revoked, { status: 'revoked' });
    });
  meter
    .createObservableCounter('gateway_events', {
      description: 'Events read, by what became of them',
    })
    .addCallback((observed) => {
      for (const [outcome, count] of Object.entries(guard.state().events)) {
        observed.observe(count as number, { outcome });
      }
    });
  meter
    .createObservableCounter('gateway_rebuilds', {
      description: 'Subscriptions made again by the watchdog since they had gone silent',
    })
    .addCallback((observed) => observed.observe(guard.state().rebuilds));
}
