import { randomBytes } from 'node:crypto';
import type { Heartbeat, Probe } from '@token-status/contracts';
import type { Clocks } from './clocks.js';

/** Whether the table may be trusted now, and why not (decision 5). Only `fresh` answers pass anybody. */
export type Freshness =
  /** Nothing has been proven since the start: the table may be incomplete. */
  | { readonly state: 'starting'; readonly why: string; readonly ageMs: null }
  /** The table held `ageMs` ago all that had been committed. */
  | { readonly state: 'fresh'; readonly ageMs: number }
  | {
      readonly state: 'stale';
      readonly why: string;
      readonly ageMs: number | null;
      /**
       * Nothing is wrong but its age: the table held, `ageMs` ago, all that had been committed, and the
       * clock that judges expiry is right. What a route with `onStale: allow-known` may go by.
       */
      readonly onlyOld: boolean;
    };

export interface FreshnessOptions {
  readonly gatewayId: string;
  /** Of the log; null adopts the first that is seen. Any other makes the gateway stale (`precise.md` 5). */
  readonly epoch: string | null;
  readonly maxStalenessMs: number;
  readonly maxClockErrorMs: number;
  readonly clocks: Clocks;
}

/** How far the relay's wall clock is ahead of ours; the truth lies between. */
export interface ClockOffset {
  readonly leastMs: number;
  readonly mostMs: number;
}

interface Claim {
  /** Monotonic time at which the echoed nonce was sent. */
  readonly sentAt: number;
  readonly position: number;
}

/** Bounds on what is remembered, far above what a probe every 250 ms needs. */
const MAX_NONCES = 4096;
const MAX_CLAIMS = 1024;

/**
 * The proof of freshness (`precise.md` 9 and 10), as a pure state over injected clocks.
 *
 * A probe's nonce is unguessable and new, so a heartbeat that echoes it was made after the probe was
 * sent; once the watermark has reached that heartbeat's position, the table holds all that had been
 * committed when the probe was sent. Age is our own monotonic time since then: no two wall clocks are
 * ever compared for it. A connection, a small lag, or heartbeats that echo nothing prove nothing.
 */
export class FreshnessProof {
  readonly #options: FreshnessOptions;
  /** Nonce → monotonic time before it was sent, oldest first. */
  readonly #nonces = new Map<string, number>();
  /** Heartbeats that the watermark has not reached yet: later ones claim more and are further ahead. */
  #claims: Claim[] = [];
  #provenAt: number | null = null;
  #epoch: string | null;
  #fault: string | null = null;
  #newestPosition: number | null = null;
  #echoed = false;
  /** The relay's wall clock less our monotonic clock, least and most, from the last exchange. */
  #relayLeast = -Infinity;
  #relayMost = Infinity;

  constructor(options: FreshnessOptions) {
    this.#options = options;
    this.#epoch = options.epoch;
  }

  /** The epoch that is expected; null before the first was seen. */
  get epoch(): string | null {
    return this.#epoch;
  }

  /** The highest head that a heartbeat has told of; null before the first. */
  get newestPosition(): number | null {
    return this.#newestPosition;
  }

  /** A probe to send at once; its proof will count from now. */
  probe(): Probe {
    const now = this.#options.clocks.monotonic();
    // A nonce older than the bound can prove nothing that would count.
    for (const [nonce, sentAt] of this.#nonces) {
      if (now - sentAt <= this.#options.maxStalenessMs && this.#nonces.size < MAX_NONCES) break;
      this.#nonces.delete(nonce);
    }
    const nonce = randomBytes(18).toString('base64url');
    this.#nonces.set(nonce, now);
    return { gateway: this.#options.gatewayId, nonce };
  }

  /** @param watermark of the table, now. */
  hear(heartbeat: Heartbeat, watermark: number): void {
    if (!this.accepts(heartbeat.epoch)) return;
    this.#newestPosition = Math.max(this.#newestPosition ?? 0, heartbeat.position);
    for (const echo of heartbeat.echoes) {
      if (echo.gateway !== this.#options.gatewayId) continue;
      const sentAt = this.#nonces.get(echo.nonce);
      if (sentAt === undefined) continue;
      this.#echoed = true;
      this.#compareClocks(Date.parse(heartbeat.at), sentAt);
      this.#claim({ sentAt, position: heartbeat.position });
    }
    this.reach(watermark);
  }

  /** To be told when the watermark has moved. */
  reach(watermark: number): void {
    if (this.#claims.length === 0) return;
    const ahead: Claim[] = [];
    for (const claim of this.#claims) {
      if (claim.position > watermark) ahead.push(claim);
      else if (this.#provenAt === null || claim.sentAt > this.#provenAt) {
        this.#provenAt = claim.sentAt;
      }
    }
    this.#claims = ahead;
  }

  /**
   * Whether this is the log that is expected. The first epoch is adopted where none is configured; a
   * foreign one leaves the proof at fault for good, since only configuration may change logs.
   */
  accepts(epoch: string): boolean {
    this.#epoch ??= epoch;
    if (epoch === this.#epoch) return true;
    this.fail('events or heartbeats of another log (epoch) came');
    return false;
  }

  /** Stale from now on, whatever is proven later: something was read that can't be made up for. */
  fail(why: string): void {
    this.#fault ??= why;
  }

  /** @param now the monotonic clock. @param wall the wall clock. */
  judge(now = this.#options.clocks.monotonic(), wall = this.#options.clocks.wall()): Freshness {
    const { maxStalenessMs, maxClockErrorMs } = this.#options;
    const ageMs = this.#provenAt === null ? null : now - this.#provenAt;
    if (this.#fault !== null) return stale(this.#fault, ageMs);
    if (ageMs === null) return { state: 'starting', why: this.#whyNothingIsProven(), ageMs };
    const ours = wall - now;
    if (this.#relayLeast - ours > maxClockErrorMs || this.#relayMost - ours < -maxClockErrorMs) {
      return stale("this machine's clock and the relay's differ too much", ageMs);
    }
    if (ageMs > maxStalenessMs) {
      return { ...stale('the newest proof is older than the bound', ageMs), onlyOld: true };
    }
    return { state: 'fresh', ageMs };
  }

  /** null before the first exchange. */
  clockOffset(): ClockOffset | null {
    if (this.#relayMost === Infinity) return null;
    const { clocks } = this.#options;
    const ours = clocks.wall() - clocks.monotonic();
    return { leastMs: this.#relayLeast - ours, mostMs: this.#relayMost - ours };
  }

  #claim(claim: Claim): void {
    if (this.#provenAt !== null && claim.sentAt <= this.#provenAt) return;
    // Not needed where another claims as much at a position that is reached no later.
    const covers = (a: Claim, b: Claim): boolean =>
      a.sentAt >= b.sentAt && a.position <= b.position;
    if (this.#claims.some((other) => covers(other, claim))) return;
    const oldest = this.#options.clocks.monotonic() - this.#options.maxStalenessMs;
    this.#claims = this.#claims.filter((other) => !covers(claim, other) && other.sentAt >= oldest);
    // When full, the nearest are kept: they are reached first, and newer ones keep coming.
    if (this.#claims.length < MAX_CLAIMS) this.#claims.push(claim);
  }

  /**
   * The relay read its clock after the probe was sent and before its heartbeat came. Kept against our
   * monotonic clock, so that a later step of our wall clock — or a sleep, through which the monotonic
   * clock stands still — shows at once and not at the next heartbeat.
   */
  #compareClocks(at: number, sentAt: number): void {
    this.#relayLeast = at - this.#options.clocks.monotonic();
    this.#relayMost = at - sentAt;
  }

  #whyNothingIsProven(): string {
    if (this.#claims.length > 0) return 'the history is being read';
    if (this.#echoed) return 'what was proven came too late';
    if (this.#newestPosition !== null) return 'heartbeats come, but none echoes a probe of ours';
    return 'no heartbeat has come yet';
  }
}

const stale = (why: string, ageMs: number | null) =>
  ({ state: 'stale', why, ageMs, onlyOld: false }) as const;
