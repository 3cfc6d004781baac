/** Whether a part can do its work now; `why` is for operators and holds no secret. */
export type Check = { readonly ok: true } | { readonly ok: false; readonly why: string };

export interface ReadinessCheck {
  readonly name: string;
  check(): Check | Promise<Check>;
}

export interface ReadinessReport {
  readonly ready: boolean;
  readonly checks: readonly {
    readonly name: string;
    readonly ok: boolean;
    readonly why?: string;
  }[];
}

const TIMED_OUT = Symbol('timed out');

/**
 * Where the parts of an app say whether they are ready. Ready means that every part is; an app that
 * shuts down is not. A check that throws or takes longer than `timeoutMs` counts as not ready.
 */
export class Readiness {
  private readonly checks = new Set<ReadinessCheck>();
  private readonly shutdown = new AbortController();
  private underWay: Promise<ReadinessReport> | null = null;

  constructor(private readonly timeoutMs = 1000) {}

  /** @returns takes the check away again. */
  register(check: ReadinessCheck): () => void {
    this.checks.add(check);
    return () => this.checks.delete(check);
  }

  /** From now on not ready, for good. */
  beginShutdown(): void {
    this.shutdown.abort();
  }

  /** Aborted when the app begins to shut down: for answers that would go on for ever (streams). */
  get shuttingDown(): AbortSignal {
    return this.shutdown.signal;
  }

  /** Callers that ask at the same time share one round of checks. */
  report(): Promise<ReadinessReport> {
    this.underWay ??= this.ask().finally(() => {
      this.underWay = null;
    });
    return this.underWay;
  }

  private async ask(): Promise<ReadinessReport> {
    const checks = await Promise.all(
      [...this.checks].map(async (check) => ({ name: check.name, ...(await this.bounded(check)) })),
    );
    if (this.shutdown.signal.aborted) {
      checks.unshift({ name: 'shutdown', ok: false, why: 'shutting down' });
    }
    return { ready: checks.every(({ ok }) => ok), checks };
  }

  private async bounded(check: ReadinessCheck): Promise<Check> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<typeof TIMED_OUT>((resolve) => {
      timer = setTimeout(resolve, this.timeoutMs, TIMED_OUT);
    });
    try {
      const answer = await Promise.race([Promise.resolve(check.check()), timeout]);
      if (answer !== TIMED_OUT) return answer;
      return { ok: false, why: `no answer within ${this.timeoutMs} ms` };
    } catch {
      // The error itself may hold an address or a credential; the part that threw logs it.
      return { ok: false, why: 'the check failed' };
    } finally {
      clearTimeout(timer);
    }
  }
}
