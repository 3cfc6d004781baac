/** What became of one token; in a dry run, what would become of it. */
export interface BulkResult {
  readonly id: string;
  readonly result: 'changed' | 'unchanged' | 'refused';
  /** Of a refusal: a problem's. */
  readonly code?: string;
  /** The token's newest version after the command, and the log's position of it; in a dry run, of now. */
  readonly version?: number;
  readonly position?: number;
}

export interface BulkCounts {
  readonly changed: number;
  readonly unchanged: number;
  readonly refused: number;
}

export interface BulkSummary {
  /** How many tokens it is about. */
  readonly of: number;
  /** False where some were not come to; their results are missing. */
  readonly complete: boolean;
  readonly counts: BulkCounts;
  /** The newest of the results': for `minPosition`. */
  readonly position: number;
}

/**
 * A bulk command under way: whoever asked for it reads the results at their own pace, and may go away.
 * It never waits for a reader, since it holds all results itself: at most as many as it has tokens.
 */
export class BulkRun {
  readonly #ids: readonly string[];
  readonly #results: BulkResult[] = [];
  #ended: { readonly fault?: unknown } | null = null;
  #waiting: (() => void)[] = [];

  /** @param ids each once */
  constructor(ids: readonly string[]) {
    this.#ids = ids;
  }

  get of(): number {
    return this.#ids.length;
  }

  add(result: BulkResult): void {
    this.#results.push(result);
    this.#wake();
  }

  /** Once; with what it failed by, where that was. */
  end(fault?: unknown): void {
    this.#ended = fault === undefined ? {} : { fault };
    this.#wake();
  }

  /** The results as they come, in batches, and ends with the run. @throws what the run failed by */
  async *read(): AsyncGenerator<readonly BulkResult[]> {
    for (let from = 0; ;) {
      const batch = this.#results.slice(from);
      from += batch.length;
      if (batch.length > 0) yield batch;
      else if (this.#ended) {
        if ('fault' in this.#ended) throw this.#ended.fault;
        return;
      } else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** All results, in the order of the ids, once it has ended. @throws what the run failed by */
  async whole(): Promise<readonly BulkResult[]> {
    const batches = this.read();
    while (!(await batches.next()).done);
    const byId = new Map(this.#results.map((result) => [result.id, result]));
    return this.#ids.flatMap((id) => byId.get(id) ?? []);
  }

  summary(): BulkSummary {
    const counts = { changed: 0, unchanged: 0, refused: 0 };
    let newest = 0;
    for (const { result, position = 0 } of this.#results) {
      counts[result]++;
      newest = Math.max(newest, position);
    }
    const complete = this.#results.length === this.of;
    return { of: this.of, complete, counts, position: newest };
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
