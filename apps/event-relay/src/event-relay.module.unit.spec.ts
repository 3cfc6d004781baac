import { describe, expect, it } from '@jest/globals';
import { EventRelay } from './event-relay.js';
import type { EventRelayOptions, RelayState } from './event-relay.js';
import { relayCheck } from './event-relay.module.js';

describe('a relay', () => {
  const patienceOf = (options: Partial<EventRelayOptions>): number =>
    new EventRelay(options as EventRelayOptions).state().patienceMs;
  const ready = (state: Partial<RelayState>): boolean =>
    relayCheck({
      state: () => ({
        leading: true,
        term: 1,
        published: 0,
        head: 0,
        leaseAskedMsAgo: 0,
        beatMsAgo: 0,
        patienceMs: 5000,
        ...state,
      }),
    }).ok;

  it('is ready while it asks for the lease and, where it leads, beats', () => {
    expect(ready({})).toBe(true);
    expect(ready({ leading: false, beatMsAgo: null })).toBe(true);
    expect(ready({ leaseAskedMsAgo: null })).toBe(false);
    expect(ready({ leaseAskedMsAgo: 5001 })).toBe(false);
    expect(ready({ beatMsAgo: null })).toBe(false);
    expect(ready({ beatMsAgo: 5001 })).toBe(false);
  });

  it('stays ready between two askings for a long lease, and between two rare heartbeats', () => {
    // Half of it is the longest that a standby waits before it asks again.
    expect(patienceOf({ leaseMs: 60_000 })).toBeGreaterThan(30_000);
    expect(patienceOf({ heartbeatMs: 10_000 })).toBeGreaterThan(10_000);
  });
});
