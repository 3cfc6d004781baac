import { upcast } from '@token-status/contracts';
import type { RecordedEvent } from '@token-status/contracts';
import type { Instant } from '@token-status/domain';
import type { CommandLog } from '../ports.js';
import type { End } from './enable-token-when-due.command.js';

const MOST_KEPT = 100_000;

/**
 * The ends that this process has itself decided, earliest first, so that none of them waits for a
 * projection. Bounded: the latest are dropped, and found in the read model when they have come.
 */
export class KnownEnds {
  readonly #ends: End[] = [];
  readonly #mostKept: number;
  #onEarliest: () => void = () => undefined;

  constructor(mostKept = MOST_KEPT) {
    this.#mostKept = mostKept;
  }

  /** Calls the listener when another end than before is the earliest. One listener. */
  onEarliest(listener: () => void): void {
    this.#onEarliest = listener;
  }

  note(end: End): void {
    const at = this.#after(end.until);
    if (at >= this.#mostKept) return;
    this.#ends.splice(at, 0, end);
    if (this.#ends.length > this.#mostKept) this.#ends.pop();
    if (at === 0) this.#onEarliest();
  }

  /** Takes those that have come by a time, earliest first, at most `limit`. */
  take(by: Instant, limit: number): End[] {
    return this.#ends.splice(0, Math.min(this.#after(by), limit));
  }

  get earliest(): Instant | null {
    return this.#ends[0]?.until ?? null;
  }

  /** How many have come by a time. */
  dueBy(by: Instant): number {
    return this.#after(by);
  }

  /** Where in the order the first one after this time stands. */
  #after(time: Instant): number {
    let [low, high] = [0, this.#ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ends[middle]?.until ?? '') <= time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * The log, with whatever disable is appended through it noted here, by whichever use case.
 *
 * @param log a plain object, since its parts are copied
 */
export const notingEnds = <Log extends CommandLog>(log: Log, ends: KnownEnds): Log => ({
  ...log,
  decideAndAppend: async (submission) => {
    const decided = await log.decideAndAppend(submission);
    if (decided.kind === 'recorded') {
      for (const event of decided.events) {
        const end = endOf(event);
        if (end) ends.note(end);
      }
    }
    return decided;
  },
});

function endOf({ type, schemaVersion, data }: RecordedEvent): End | null {
  if (type !== 'TokenDisabled') return null;
  const event = upcast(type, schemaVersion, data);
  if (event.type !== 'TokenDisabled' || event.until === null) return null;
  return { tokenId: event.tokenId, disabledAtVersion: event.tokenVersion, until: event.until };
}
