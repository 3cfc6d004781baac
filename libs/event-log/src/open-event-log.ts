import type { RecordedEvent } from '@token-status/contracts';
import type { EventLog } from './event-log.js';
import type { LogStore, ReadOptions } from './log-store.js';
import { LogWriter } from './log-writer.js';
import type { WriterOptions } from './log-writer.js';

export interface EventLogOptions extends WriterOptions {
  /** How often {@link EventLog.follow} looks by itself, whatever wake-ups come. */
  readonly pollMs?: number;
}

const PAGE = 1000;

/** Puts the log on a store, which it closes with itself. */
export function openEventLog(store: LogStore, options: EventLogOptions = {}): EventLog {
  const writer = new LogWriter(store, options);
  const pollMs = options.pollMs ?? 200;

  async function* read(after: number, range: ReadOptions = {}): AsyncGenerator<RecordedEvent> {
    for (let from = after; ;) {
      const events = await store.read(from, PAGE, range);
      yield* events;
      const last = events.at(-1);
      if (!last || events.length < PAGE) return;
      from = last.position;
    }
  }

  async function* follow(
    after: number,
    signal: AbortSignal,
  ): AsyncGenerator<readonly RecordedEvent[]> {
    const alarm = new Alarm(store, pollMs, signal);
    try {
      for (let from = after; !signal.aborted;) {
        alarm.listen();
        const events = await store.read(from, PAGE);
        const last = events.at(-1);
        if (last) {
          yield events;
          from = last.position;
        } else {
          await alarm.heard();
        }
      }
    } finally {
      alarm.close();
    }
  }

  return {
    epoch: store.epoch,
    decideAndAppend: (submission) => writer.submit(submission),
    read,
    follow,
    fence: () => store.fence(),
    leases: store.leases,
    checkpoints: store.checkpoints,
    plans: store.plans,
    close: async () => {
      await writer.close();
      await store.close();
    },
  };
}

/** Rings when somebody appended, or after a while anyway: a lost change stream delays, and hides nothing. */
class Alarm {
  #rung = false;
  #wake: () => void = () => undefined;
  readonly #ring = (): void => {
    this.#rung = true;
    this.#wake();
  };
  readonly #unsubscribe: () => void;
  readonly #pollMs: number;
  readonly #signal: AbortSignal;

  constructor(store: LogStore, pollMs: number, signal: AbortSignal) {
    this.#pollMs = pollMs;
    this.#signal = signal;
    this.#unsubscribe = store.onAppend(this.#ring);
    signal.addEventListener('abort', this.#ring);
  }

  /** From here on a ring counts: called before reading, so that none falls between. */
  listen(): void {
    this.#rung = false;
  }

  /** Resolves at a ring since {@link listen}, or when it is time to look anyway. */
  async heard(): Promise<void> {
    if (this.#rung || this.#signal.aborted) return;
    const timer = setTimeout(this.#ring, this.#pollMs);
    await new Promise<void>((resolve) => (this.#wake = resolve));
    clearTimeout(timer);
  }

  close(): void {
    this.#unsubscribe();
    this.#signal.removeEventListener('abort', this.#ring);
  }
}
