import type { GuardConfiguration, OnStale, TokenGuard } from '@token-status/token-guard';
import type { Configuration } from './configuration.js';
import type { GatewayConfiguration } from './gateway-configuration.js';

/** The guard's part of it, now and after each change. */
export function configureGuard(guard: TokenGuard, configuration: Configuration): TokenGuard {
  guard.configure(guardConfiguration(configuration.current));
  configuration.onChange((next) => guard.configure(guardConfiguration(next)));
  return guard;
}

/** Without keys, those that the guard was made with stay. */
const guardConfiguration = ({
  failureLimits,
  verificationKeys,
}: GatewayConfiguration): GuardConfiguration => ({
  failureLimits,
  ...(verificationKeys && { verificationKeys }),
});

/** What a route does on a stale view; one that has no name, or none that is configured, denies. */
export const onStaleOf =
  (configuration: Configuration) =>
  (route: string | null): OnStale =>
    (route === null ? undefined : configuration.current.routes.get(route)?.onStale) ?? 'deny';
