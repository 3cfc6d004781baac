import type { RequestObserver } from '../logging/request-logging.js';
import type { Metrics } from './metrics.js';

/** Counts and times requests by method, route pattern (never the address itself) and status. */
export function requestMetrics({ meter }: Metrics): RequestObserver {
  const durations = meter.createHistogram('http_server_request_duration_seconds', {
    description: 'From the request coming in to its answer having been sent',
    unit: 's',
  });
  return (request, reply) => {
    if (request.routeOptions.config.quiet === true) return;
    durations.record(reply.elapsedTime / 1000, {
      method: request.method,
      route: request.is404 ? 'none' : (request.routeOptions.url ?? 'none'),
      status: reply.statusCode,
    });
  };
}
