import { Inject, Injectable } from '@nestjs/common';
import type { OnModuleDestroy } from '@nestjs/common';
import {
  backoffDelays,
  currentRequest,
  delay,
  LOGGER,
  Problem,
  runInRequest,
} from '@token-status/platform';
import type { Logger } from '@token-status/platform';
import { laterProblem } from '../http/problems.js';
import type { TokenServiceOptions } from '../options.js';
import { Seats } from '../seats.js';
import { OPTIONS } from '../tokens.js';
import { BulkRun } from './bulk-run.js';
import type { BulkResult } from './bulk-run.js';

/** Tokens that are decided together: a little less than the log's writer takes into one commit. */
const TOGETHER = 500;
/** Of one run, so that one is made ready while the other is being committed. */
const AT_ONCE_IN_A_RUN = 2;
/** Of all runs: commands of people wait behind so many tokens at most, and the log's queue stays free. */
const AT_ONCE = 4;
/** Each may hold ten thousand results. */
const MOST_RUNS = 64;

/** What a run does. */
export interface BulkWork {
  readonly ids: readonly string[];
  /** Reads what some tokens need, at once. */
  prepare(ids: readonly string[]): Promise<void>;
  /** @throws Problem of status 503 to be asked again: doing it twice is doing it once */
  one(id: string): Promise<BulkResult>;
}

/**
 * The bulk commands under way in this process. A run goes on whether or not anybody still listens, until it
 * is done, its time is over or the process ends; then a repeat of the command does the rest.
 */
@Injectable()
export class BulkRuns implements OnModuleDestroy {
  readonly #named = new Map<string, Promise<BulkRun>>();
  readonly #running = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  readonly #seats = new Seats(AT_ONCE);
  readonly #timeoutMs: number;
  readonly #onStep: (step: string) => void;

  constructor(
    @Inject(OPTIONS) { bulkTimeoutMs, onStep }: TokenServiceOptions,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.#timeoutMs = bulkTimeoutMs;
    this.#onStep = onStep;
  }

  /**
   * Starts a run, unless one of this name is under way: then whoever asks joins that.
   *
   * @param name undefined for a run that nobody repeats
   */
  async run(name: string | undefined, workOf: () => Promise<BulkWork>): Promise<BulkRun> {
    const there = name === undefined ? undefined : this.#named.get(name);
    if (there) return there;
    const started = this.#start(name, workOf);
    if (name !== undefined) this.#named.set(name, started);
    try {
      return await started;
    } catch (fault) {
      if (name !== undefined) this.#named.delete(name);
      throw fault;
    }
  }

  async onModuleDestroy(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#running);
  }

  async #start(name: string | undefined, workOf: () => Promise<BulkWork>): Promise<BulkRun> {
    if (this.#running.size >= MOST_RUNS) throw laterProblem('overloaded');
    const work = await workOf();
    const run = new BulkRun(work.ids);
    // A request's lines of the log name its own command, not the last of its tokens'.
    const request = currentRequest();
    const doing = (): Promise<void> => this.#do(run, work);
    const running = (request ? runInRequest({ ...request, log: {} }, doing) : doing()).then(
      () => run.end(),
      (fault: unknown) => run.end(fault),
    );
    const ended = running.finally(() => {
      this.#running.delete(ended);
      if (name !== undefined) this.#named.delete(name);
    });
    this.#running.add(ended);
    return run;
  }

  async #do(run: BulkRun, work: BulkWork): Promise<void> {
    const deadline = performance.now() + this.#timeoutMs;
    const over = (): boolean => this.#closing.signal.aborted || performance.now() > deadline;
    let next = 0;
    const takeTurns = async (): Promise<void> => {
      while (next < work.ids.length && !over()) {
        const ids = work.ids.slice(next, (next += TOGETHER));
        await this.#seats.within(async () => {
          await persistently(() => work.prepare(ids), over);
          await Promise.all(
            ids.map(async (id) => {
              const result = await persistently(() => this.#one(work, id), over);
              if (!result) return;
              run.add(result);
              this.#onStep('bulk:answered');
            }),
          );
        });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE_IN_A_RUN }, takeTurns));
  }

  /** One token's fault fails no other. */
  async #one(work: BulkWork, id: string): Promise<BulkResult> {
    try {
      return await work.one(id);
    } catch (fault) {
      if (fault instanceof Problem && fault.status === 503) throw fault;
      this.logger.error({ err: fault, tokenId: id }, 'a token of a bulk command failed');
      return { id, result: 'refused', code: fault instanceof Problem ? fault.code : 'internal' };
    }
  }
}

/** Asks what is out of reach again and again. @returns undefined once it is over */
async function persistently<T>(
  work: () => Promise<T>,
  over: () => boolean,
): Promise<T | undefined> {
  for (const ms of backoffDelays({ firstMs: 20, maxMs: 1000 })) {
    if (over()) return undefined;
    try {
      return await work();
    } catch (fault) {
      if (!(fault instanceof Problem) || fault.status !== 503) throw fault;
    }
    await delay(ms);
  }
  return undefined;
}
