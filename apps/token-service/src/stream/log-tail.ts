import { Inject, Injectable } from '@nestjs/common';
import type { OnModuleDestroy } from '@nestjs/common';
import { backoffDelays, delay, LOGGER } from '@token-status/platform';
import type { Logger } from '@token-status/platform';
import type { CommandLog } from '../ports.js';
import { EVENT_LOG } from '../tokens.js';
import { TokenStates } from './token-states.js';
import type { EventWithState } from './token-states.js';

/** How many of the newest events are held for those who follow; who is further behind reads the log. */
export const HELD = 2000;
const STATES_KEPT = 10_000;

/**
 * The one tail of the log in this process. It runs while somebody follows; each event's state is folded
 * once for them all. Nothing is queued for anybody: followers ask for what comes after their position.
 */
@Injectable()
export class LogTail implements OnModuleDestroy {
  private followers = 0;
  private started: Promise<void> | null = null;
  private stop = new AbortController();
  /** In a row up to the head; the first follows `before`. */
  private held: EventWithState[] = [];
  private before = 0;
  private readonly waiting = new Set<() => void>();
  private readonly watched = new Set<(event: EventWithState) => void>();

  constructor(
    @Inject(EVENT_LOG) private readonly log: CommandLog,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  get head(): number {
    return this.before + this.held.length;
  }

  /**
   * Starts to follow; resolves when the tail runs, and has come as far as the log had when it started.
   *
   * @returns ends it
   * @throws where the log is out of reach
   */
  async follow(): Promise<() => void> {
    this.followers++;
    let following = true;
    const leave = (): void => {
      if (following && --this.followers === 0) this.end();
      following = false;
    };
    try {
      await (this.started ??= this.start());
      return leave;
    } catch (fault) {
      leave();
      throw fault;
    }
  }

  /** Events after a position, in a row; null where they are no longer held. */
  after(position: number, most: number): readonly EventWithState[] | null {
    if (position < this.before) return null;
    const from = position - this.before;
    return this.held.slice(from, from + most);
  }

  /** Resolves once there is an event after the position, or the signal aborts. */
  async beyond(position: number, signal: AbortSignal): Promise<void> {
    while (this.head <= position && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.waiting.add(wake);
        signal.addEventListener('abort', wake);
      });
    }
  }

  /** Is told of each event as it comes, however slowly anybody follows. @returns ends it */
  watch(told: (event: EventWithState) => void): () => void {
    this.watched.add(told);
    return () => this.watched.delete(told);
  }

  onModuleDestroy(): void {
    this.end();
  }

  private async start(): Promise<void> {
    const { position } = await this.log.fence();
    this.before = position;
    this.held = [];
    this.stop = new AbortController();
    void this.run(this.stop.signal);
  }

  private end(): void {
    this.stop.abort();
    this.started = null;
    this.held = [];
  }

  private async run(signal: AbortSignal): Promise<void> {
    const states = new TokenStates(this.log, { keep: STATES_KEPT });
    let pauses = backoffDelays({ firstMs: 50, maxMs: 2000 });
    while (!signal.aborted) {
      try {
        for await (const events of this.log.follow(this.head, signal)) {
          const withState = await states.after(events);
          // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- it was awaited
          if (signal.aborted) return;
          this.take(withState);
          pauses = backoffDelays({ firstMs: 50, maxMs: 2000 });
        }
      } catch (fault) {
        // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- it was awaited
        if (signal.aborted) return;
        this.logger.warn({ err: fault }, 'the log cannot be followed; trying again');
        await delay(pauses.next().value);
      }
    }
  }

  private take(events: readonly EventWithState[]): void {
    for (const event of events) {
      // A gap here would be one in every stream: read again instead.
      if (event.position !== this.head + 1) throw new Error('the log was not read in a row');
      this.held.push(event);
      for (const told of this.watched) told(event);
    }
    const dropped = this.held.splice(0, Math.max(0, this.held.length - HELD));
    this.before += dropped.length;
    for (const wake of [...this.waiting]) wake();
  }
}
