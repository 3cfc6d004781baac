import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

export interface FailureLimit {
  /** So many failures at once are nothing; a whole number from 1. */
  readonly burst: number;
  /** So many go on being nothing; a number above 0. */
  readonly perMinute: number;
}

/** More than sums of times lose to rounding, and nothing to anybody else. */
const LOST_MS = 0.001;

/** Beyond this the address that failed longest ago is forgotten: 100,000 take about 15 MB. */
const MAX_ADDRESSES = 100_000;

/**
 * How often an address may present what is no valid credential, as a token bucket for each (GCRA, of
 * which one number an address is all the state). It decides what a *failure* is answered, and is never
 * asked about a credential that passes, nor about a disabled token's: so a flood, from whatever address,
 * changes nothing for who holds a token, even behind the same address.
 */
export class FailureLimits {
  readonly #everyMs: number;
  readonly #toleranceMs: number;
  /** By network: when its bucket will be full again (monotonic, ms); the one that failed last is last. */
  readonly #fullAt = new Map<string, number>();

  constructor({ burst, perMinute }: FailureLimit) {
    this.#everyMs = 60_000 / perMinute;
    this.#toleranceMs = this.#everyMs * burst + LOST_MS;
  }

  /**
   * Counts a failure.
   * @param now monotonic, milliseconds.
   * @returns 0 while the address is within its limit, else after how many milliseconds it will be.
   */
  fail(address: string, now: number): number {
    const network = networkOf(address);
    const fullAt = Math.max(this.#fullAt.get(network) ?? 0, now) + this.#everyMs;
    const overMs = fullAt - now - this.#toleranceMs;
    if (overMs > 0) return overMs;
    this.#fullAt.delete(network);
    this.#fullAt.set(network, fullAt);
    if (this.#fullAt.size > MAX_ADDRESSES) {
      for (const oldest of this.#fullAt.keys()) {
        this.#fullAt.delete(oldest);
        break;
      }
    }
    return 0;
  }
}

/** A subscriber is given a /64 of IPv6 at least (RFC 6177): each of its addresses counts as one. */
function networkOf(address: string): string {
  const family = isIP(address);
  if (family === 4) return address;
  // Whoever wrote it, it may be as long as a header and another one each time.
  if (family === 0) return '';
  const ip = ipaddr.IPv6.parse(address);
  if (ip.isIPv4MappedAddress()) return ip.toIPv4Address().toString();
  return ip.parts.slice(0, 4).join(':');
}
