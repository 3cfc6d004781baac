import { asError } from './retry.js';
import { saveSnapshot } from './snapshot.js';
import type { SnapshotContents } from './snapshot.js';

export interface SnapshotScheduleOptions {
  readonly file: string;
  /** Between two saves; the real waits are a tenth more or less, so that gateways don't move in step. */
  readonly everyMs: number;
  /** What is to be saved, now; null while there is nothing that may be or needs to be. */
  readonly contents: () => SnapshotContents | null;
  readonly onSaved: (bytes: number) => void;
  readonly onFault: (fault: Error) => void;
  /** 0 ≤ value < 1. */
  readonly random: () => number;
}

/** A save takes no longer than that at the end of the process: what was there before is still good. */
const LAST_SAVE_TIMEOUT_MS = 15_000;

/** Saves now and then, one at a time, and once more at the end. */
export class SnapshotSchedule {
  readonly #options: SnapshotScheduleOptions;
  readonly #closing = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void> = Promise.resolve();

  constructor(options: SnapshotScheduleOptions) {
    this.#options = options;
  }

  start(): void {
    const { everyMs, random } = this.#options;
    this.#timer = setTimeout(
      () => {
        this.#saving = this.#save(this.#closing.signal).then(() => {
          if (!this.#closing.signal.aborted) this.start();
        });
      },
      everyMs * (0.9 + 0.2 * random()),
    );
    // What is saved serves the next start only; it keeps no process alive.
    this.#timer.unref();
  }

  /** To be called when nothing changes any more. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#closing.abort();
    await this.#saving;
    await this.#save(AbortSignal.timeout(LAST_SAVE_TIMEOUT_MS));
  }

  /** Never rejects. */
  async #save(signal: AbortSignal): Promise<void> {
    const { file, contents, onSaved, onFault } = this.#options;
    try {
      const saved = contents();
      if (saved) onSaved(await saveSnapshot(file, saved, signal));
    } catch (fault) {
      if (!this.#closing.signal.aborted || signal !== this.#closing.signal) {
        onFault(asError(fault));
      }
    }
  }
}
