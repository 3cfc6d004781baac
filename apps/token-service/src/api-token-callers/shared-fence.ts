import type { Head } from '@token-status/event-log';
import type { CommandLog } from '../ports.js';

/**
 * The log's head, at least as new as the question, at the price of one majority write for all who ask
 * at once: however many strangers come, one write is under way and one waits.
 */
export class SharedFence {
  private running: Promise<unknown> = Promise.resolve();
  private next: Promise<Head> | null = null;

  constructor(private readonly log: Pick<CommandLog, 'fence'>) {}

  /** Everything that had been committed when this was called is at or before the position. */
  head(): Promise<Head> {
    // The one under way may have been written before this question: only the one after it answers it.
    this.next ??= this.after(this.running);
    return this.next;
  }

  private async after(running: Promise<unknown>): Promise<Head> {
    await running;
    this.next = null;
    const fence = this.log.fence();
    this.running = fence.catch(() => undefined);
    return fence;
  }
}
