import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { LogOverloaded, LogUnavailable, OutcomeUnknown } from '@token-status/event-log';
import { backoffDelays, delay, LOGGER } from '@token-status/platform';
import type { Logger } from '@token-status/platform';
import type { TokenStatusReads } from '@token-status/read-model';
import type { Clock } from '../clock.js';
import { reach } from '../http/problems.js';
import type { TokenServiceOptions } from '../options.js';
import type { CommandLog } from '../ports.js';
import { CLOCK, EVENT_LOG, OPTIONS, TOKEN_READS } from '../tokens.js';
import { DueMetrics } from './due-metrics.js';
import { EnableTokenWhenDueCommand } from './enable-token-when-due.command.js';
import type { End } from './enable-token-when-due.command.js';
import { KnownEnds } from './known-ends.js';

/** The steps that a process can die between, in order; for fault tests. */
export const DUE_STEPS = ['due.leading', 'due.found', 'due.decided'] as const;
export type DueStep = (typeof DUE_STEPS)[number];

const LEASE = 'enable-when-due';
/** Decided together, so that they share commits; a shutdown waits for no more than these. */
const AT_ONCE = 128;
/** What was decided, or can't be, is not asked again so soon: a projection that is behind still lists it. */
const ASIDE_MS = 60_000;
/** A lease outlives a few polls that fail. */
const LEASE_POLLS = 5;
/** Who has no lease leaves its own ends to who has it for so many polls: they are due there as well. */
const GRACE_POLLS = 2;

/**
 * Rule 8: enables a disabled token when its end has come. The read model and the disables of this process
 * only say where to look; what is done is decided from the log, once for each disable by the command's id.
 *
 * One of several processes acts, by lease: that saves work, and nothing rests on it. A process that has
 * lost the lease, or never had it, may do the same again and only finds that it is done; so it looks after
 * its own ends when they are left lying, as when the projector has stopped and nobody else knows of them.
 */
@Injectable()
export class DueSchedule implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #holder = randomUUID();
  readonly #closing = new AbortController();
  readonly #aborted: Promise<never>;
  /** Key of an end → until when, by `performance.now()`, it is left alone. */
  readonly #aside = new Map<string, number>();
  #wake: () => void = () => undefined;
  #woken = false;
  /** Whether it leads, as the log was told: not each time that it resigns and is the next one, too. */
  #announced = false;
  #running: Promise<void> = Promise.resolve();

  constructor(
    @Inject(EVENT_LOG) private readonly log: CommandLog,
    @Inject(TOKEN_READS) private readonly reads: TokenStatusReads,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(OPTIONS) private readonly options: TokenServiceOptions,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly ends: KnownEnds,
    private readonly metrics: DueMetrics,
    private readonly commands: CommandBus,
  ) {
    this.#aborted = new Promise((_, reject) => {
      this.#closing.signal.addEventListener('abort', () => reject(new Error('closing')));
    });
    this.#aborted.catch(() => undefined);
    ends.onEarliest(() => this.#ring());
  }

  onApplicationBootstrap(): void {
    this.#running = this.#run();
  }

  /** Waits for the decisions in hand, and frees the lease so that another need not wait for its end. */
  async onApplicationShutdown(): Promise<void> {
    this.#closing.abort();
    this.#ring();
    await this.#running;
    await this.#resign();
  }

  async #resign(): Promise<void> {
    this.metrics.leading = false;
    await reach(this.log.leases.release(LEASE, this.#holder), 1000).catch(() => undefined);
  }

  async #run(): Promise<void> {
    let delays = this.#delays();
    while (!this.#isClosing()) {
      let pause: number;
      try {
        await this.#look();
        delays = this.#delays();
        pause = this.#untilNext();
      } catch (fault) {
        if (this.#isClosing()) return;
        this.metrics.failed();
        this.logger.warn({ err: fault }, 'the ends of disables wait; trying again');
        // Whatever it is that is out of reach, another may reach it.
        await this.#resign();
        const back = delays.next().value;
        // Its own ends need no read model, and keep their time without it.
        if (fault instanceof ReadModelAway) await this.#sleep(Math.min(back, this.#untilNext(0)));
        else await this.#pause(back);
        continue;
      }
      await this.#sleep(pause);
    }
  }

  #delays(): Generator<number, never, void> {
    return backoffDelays({ firstMs: 50, maxMs: Math.max(5000, this.options.untilPollMs) });
  }

  /** Decides every end that has come. */
  async #look(): Promise<void> {
    this.#forgetAside();
    const leading = await this.#lead();
    // First what needs no read model.
    for (;;) {
      const by = this.#now(leading ? 0 : this.#graceMs);
      const own = this.ends.take(by, AT_ONCE);
      this.metrics.due = own.length + this.ends.dueBy(by);
      if (own.length === 0) break;
      await this.#decide(own, true);
    }
    if (!leading) return;
    for (;;) {
      const limit = AT_ONCE + this.#aside.size;
      const listed = await this.#listed(limit);
      const found = listed.filter((end) => !this.#aside.has(keyOf(end)));
      this.metrics.due = found.length;
      if (found.length === 0) return;
      this.options.onStep('due.found');
      await this.#decide(found.slice(0, AT_ONCE), false);
      if (listed.length < limit && found.length <= AT_ONCE) return;
      if (!(await this.#lead())) return;
    }
  }

  async #listed(limit: number): Promise<readonly End[]> {
    try {
      return await this.#ask(this.reads.due(this.#now(), limit));
    } catch (fault) {
      throw new ReadModelAway('the read model lists no ends', { cause: fault });
    }
  }

  async #lead(): Promise<boolean> {
    const ttlMs = Math.max(3000, this.options.untilPollMs * LEASE_POLLS);
    const term = await this.#ask(this.log.leases.acquire(LEASE, this.#holder, ttlMs));
    const leading = term !== null;
    this.metrics.leading = leading;
    if (leading !== this.#announced) {
      this.#announced = leading;
      this.logger.info({ term }, leading ? 'enables tokens at their ends' : 'another does so');
    }
    if (leading) this.options.onStep('due.leading');
    return leading;
  }

  /**
   * One that can't be decided keeps no other.
   *
   * @throws what the log threw where it is the log that is away; then own ends are kept for the next look
   */
  async #decide(ends: readonly End[], own: boolean): Promise<void> {
    let away: unknown;
    const aside = performance.now() + ASIDE_MS;
    await Promise.all(
      ends.map(async (end) => {
        try {
          await this.#enable(end);
          this.#aside.set(keyOf(end), aside);
        } catch (fault) {
          if (isAway(fault)) {
            away = fault;
            if (own) this.ends.note(end);
            return;
          }
          this.#aside.set(keyOf(end), aside);
          this.metrics.failed();
          this.logger.error({ err: fault, tokenId: end.tokenId }, "its end can't be decided");
        }
      }),
    );
    if (away !== undefined) throw away as Error;
    this.#closing.signal.throwIfAborted();
  }

  async #enable(end: End): Promise<void> {
    const at = this.clock();
    const ending = await this.commands.execute(
      new EnableTokenWhenDueCommand(end, at.toISOString()),
    );
    const lateMs = Math.max(0, this.clock().getTime() - Date.parse(end.until));
    this.options.onStep('due.decided');
    this.metrics.ended(ending.kind, lateMs);
    if (ending.kind !== 'enabled') return;
    const { commandId, eventIds } = ending;
    const { tokenId, disabledAtVersion, until } = end;
    this.logger.info(
      { tokenId, disabledAtVersion, until, lateMs, commandId, eventIds },
      'enabled at its end',
    );
  }

  /** To the earliest end that is known here, and at most one poll: others' ends are found by looking. */
  #untilNext(grace = this.metrics.leading ? 0 : this.#graceMs): number {
    const poll = this.options.untilPollMs * (0.5 + Math.random() / 2);
    const { earliest } = this.ends;
    if (earliest === null) return poll;
    const left = Date.parse(earliest) + grace - this.clock().getTime();
    // At least a moment: a timer may ring before the clock has come there.
    return Math.min(poll, Math.max(1, left));
  }

  #isClosing(): boolean {
    return this.#closing.signal.aborted;
  }

  get #graceMs(): number {
    return GRACE_POLLS * this.options.untilPollMs;
  }

  #now(agoMs = 0): string {
    return new Date(this.clock().getTime() - agoMs).toISOString();
  }

  #ask<T>(work: Promise<T>): Promise<T> {
    return reach(Promise.race([work, this.#aborted]), this.options.commandTimeoutMs);
  }

  #forgetAside(): void {
    const now = performance.now();
    for (const [key, until] of this.#aside) if (until <= now) this.#aside.delete(key);
  }

  #ring(): void {
    this.#woken = true;
    this.#wake();
  }

  /** Backs off: no end that comes meanwhile makes that shorter. */
  async #pause(ms: number): Promise<void> {
    await delay(ms, this.#closing.signal).catch(() => undefined);
  }

  /** Until a time, or until there is an earlier end. */
  async #sleep(ms: number): Promise<void> {
    if (!this.#woken) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#woken = false;
  }
}

class ReadModelAway extends Error {
  override readonly name = 'ReadModelAway';
}

const keyOf = ({ tokenId, disabledAtVersion }: End): string => `${tokenId}/${disabledAtVersion}`;

const isAway = (fault: unknown): boolean =>
  fault instanceof LogUnavailable ||
  fault instanceof LogOverloaded ||
  fault instanceof OutcomeUnknown;
