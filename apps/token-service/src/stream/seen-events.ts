import { Inject, Injectable } from '@nestjs/common';
import { tag } from '@token-status/contracts';
import type { RecordedEvent } from '@token-status/contracts';
import { sees } from '@token-status/domain';
import type { Sight } from '@token-status/domain';
import type { CommandLog } from '../ports.js';
import { Seats } from '../seats.js';
import { EVENT_LOG } from '../tokens.js';
import { LogTail } from './log-tail.js';
import { TokenStates } from './token-states.js';
import type { EventWithState } from './token-states.js';

/** What of a stretch of the log somebody may see. */
export interface SeenStretch {
  readonly events: readonly EventWithState[];
  /** Up to here, all that they may see has been given. */
  readonly position: number;
}

/** Events in one stretch: what is in memory for one follower. */
const STRETCH = 50;
/** Followers that read the log for themselves at the same time. */
const READING_BACK = 8;
const STATES_KEPT = 1000;

/** The log as one caller may see it, from any position on, without an end. */
@Injectable()
export class SeenEvents {
  private readonly readingBack = new Seats(READING_BACK);

  constructor(
    @Inject(EVENT_LOG) private readonly log: CommandLog,
    private readonly tail: LogTail,
  ) {}

  /** To be read while the tail is followed. Rights are checked for each event, whichever way it came. */
  async *after(
    position: number,
    sight: Sight,
    signal: AbortSignal,
  ): AsyncGenerator<SeenStretch, void> {
    for (let at = position; !signal.aborted;) {
      const held = this.tail.after(at, STRETCH);
      if (held === null) {
        for await (const stretch of this.readBack(at, sight, signal)) {
          yield stretch;
          at = stretch.position;
        }
      } else if (held.length === 0) {
        await this.tail.beyond(at, signal);
      } else {
        at += held.length;
        yield { events: held.filter(({ owner }) => sees(sight, owner)), position: at };
      }
    }
  }

  /**
   * What the tail no longer holds, up to the log's head as of now. It is the head after a majority write,
   * so that what is read up to it is all there is (`precise.md` 3).
   */
  private async *readBack(
    after: number,
    sight: Sight,
    signal: AbortSignal,
  ): AsyncGenerator<SeenStretch, void> {
    const { position: head } = await this.log.fence();
    const tags =
      sight.userId !== null
        ? [tag.user(sight.userId)]
        : sight.accountId !== null
          ? [tag.account(sight.accountId)]
          : null;
    const states = new TokenStates(this.log, { keep: STATES_KEPT });
    const range = { upTo: head, ...(tags ? { tags } : {}) };
    const recorded = this.log.read(after, range)[Symbol.asyncIterator]();
    try {
      while (!signal.aborted) {
        const { withStates, ended } = await this.readingBack.within(async () => {
          const events: RecordedEvent[] = [];
          while (events.length < STRETCH) {
            const next = await recorded.next();
            if (next.done) break;
            events.push(next.value);
          }
          return { withStates: await states.after(events), ended: events.length < STRETCH };
        });
        const events = withStates.filter(({ owner }) => sees(sight, owner));
        yield { events, position: ended ? head : (withStates.at(-1)?.position ?? head) };
        if (ended) return;
      }
    } finally {
      await recorded.return?.();
    }
  }
}
