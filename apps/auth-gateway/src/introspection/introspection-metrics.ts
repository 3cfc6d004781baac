import type { Metrics } from '@token-status/platform';
import type { Finding } from '@token-status/token-guard';

export interface IntrospectionMetrics {
  introspected(result: Finding | 'malformed' | 'refused-client'): void;
}

export function introspectionMetrics({ meter }: Metrics): IntrospectionMetrics {
  const introspections = meter.createCounter('gateway_introspections', {
    description: 'Requests to /introspect, by what was found; most of it is told to nobody',
  });
  return { introspected: (result) => introspections.add(1, { result }) };
}
