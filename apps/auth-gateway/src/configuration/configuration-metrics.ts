import type { Metrics } from '@token-status/platform';
import type { Configuration } from './configuration.js';

/** Shows at each reading how the configuration does. */
export function watchConfiguration({ meter }: Metrics, configuration: Configuration): void {
  meter
    .createObservableCounter('gateway_configuration_faults', {
      description: 'Changed configurations that were wrong, and not taken',
    })
    .addCallback((observed) => observed.observe(configuration.faults));
  meter
    .createObservableGauge('gateway_configuration_refused', {
      description: '1 while the newest configuration is wrong, and an older one holds',
    })
    .addCallback((observed) => observed.observe(configuration.state.fault === null ? 0 : 1));
}
