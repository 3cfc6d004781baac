import type { ServerResponse } from 'node:http';

export interface EventStreamOptions {
  readonly heartbeatMs: number;
  readonly stalledMs: number;
}

/** How soon a client comes back; not all at the same moment. */
const retry = (): string => `retry: ${Math.round(1000 + Math.random() * 2000)}\n`;
const LAST_WORDS_MS = 1000;

/**
 * Server-sent events (WHATWG HTML, section 9.2) on one response. Nothing is queued beyond what the
 * connection holds: {@link write} resolves when there is room again, and who makes none is cut off.
 */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #options: EventStreamOptions;
  readonly #closed = new AbortController();
  readonly #heartbeat: NodeJS.Timeout;
  /** Up to which everything was written, and which was told last. */
  #position: number;
  #told: number;

  /** @param position where it begins: told at once, so that a client that is cut off knows where to go on. */
  constructor(response: ServerResponse, position: number, options: EventStreamOptions) {
    this.#response = response;
    this.#options = options;
    this.#position = position;
    this.#told = position;
    response.on('close', () => this.#closed.abort());
    response.on('error', () => this.#closed.abort());
    if (response.destroyed) this.#closed.abort();
    response.write(`${retry()}\n${positionEvent(position)}`);
    this.#heartbeat = setInterval(() => this.#beat(), options.heartbeatMs);
    this.closed.addEventListener('abort', () => clearInterval(this.#heartbeat));
    if (this.closed.aborted) clearInterval(this.#heartbeat);
  }

  /** Aborted when the connection is gone, or the stream was ended. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Writes events that were written out, up to a position; later ones wait for this to resolve. */
  async write(text: string, position: number, last: number | undefined): Promise<void> {
    if (this.closed.aborted) return;
    this.#position = position;
    if (last !== undefined) this.#told = last;
    if (text !== '' && !this.#response.write(text)) await this.#drained();
  }

  /** Says why, in a comment, and when to come back. */
  end(why: string): void {
    if (this.closed.aborted) return;
    this.#closed.abort();
    this.#response.end(`: ${why}\n${retry()}\n`);
    // Who does not read its end has none.
    const cut = setTimeout(() => this.#response.destroy(), LAST_WORDS_MS);
    this.#response.on('close', () => clearTimeout(cut));
  }

  /** Without a word: for who does not listen. */
  cut(): void {
    this.#closed.abort();
    this.#response.destroy();
  }

  #beat(): void {
    if (this.closed.aborted || this.#response.writableNeedDrain) return;
    const further = this.#position > this.#told;
    this.#response.write(further ? positionEvent(this.#position) : ': alive\n\n');
    this.#told = this.#position;
  }

  async #drained(): Promise<void> {
    await new Promise<void>((resolve) => {
      const stalled = setTimeout(() => this.cut(), this.#options.stalledMs);
      const done = (): void => {
        clearTimeout(stalled);
        this.#response.off('drain', done);
        this.closed.removeEventListener('abort', done);
        resolve();
      };
      this.#response.on('drain', done);
      this.closed.addEventListener('abort', done);
    });
  }
}

/** Tells how far the stream has come where nothing happened that its reader may see. */
const positionEvent = (position: number): string =>
  `event: position\nid: ${position}\ndata: ${JSON.stringify({ position })}\n\n`;
