import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { repository } from '../servers/repository.js';

export type AppName =
  | 'token-service'
  | 'event-relay'
  | 'projector'
  | 'auth-gateway'
  | 'demo-identity-provider'
  | 'standalone';

export interface AppProcessOptions {
  readonly app: AppName;
  readonly env: Readonly<Record<string, string>>;
  /** Where `/livez` and `/readyz` answer. */
  readonly url: string;
  /** Each line that it writes; else the last ones are kept for the error when it does not start. */
  readonly onLine?: (line: string) => void;
}

const KEPT_LINES = 40;

/** Of what most tests don't ask; by their defaults, two processes would want the same. */
const FREE_PORTS = { GRPC_PORT: '0', GATEWAY_GRPC_PORT: '0' };

/** One of our apps as its own process, from what `npm run build` made. */
export class AppProcess {
  readonly #options: AppProcessOptions;
  readonly #lines: string[] = [];
  #child: ChildProcess | null = null;
  #closed: Promise<unknown> = Promise.resolve();

  constructor(options: AppProcessOptions) {
    this.#options = options;
  }

  get url(): string {
    return this.#options.url;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get running(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The newest lines that it wrote. */
  get output(): string {
    return this.#lines.join('\n');
  }

  /** Starts it and waits until it lives (`livez`) or can do its work (`readyz`). */
  async start(
    until: 'livez' | 'readyz' | 'spawned' = 'readyz',
    env: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const { app } = this.#options;
    const main = join(repository, 'apps', app, 'dist', 'main.js');
    // Only what is given: a test must not pass because of the developer's own environment.
    const { PATH = '', HOME = '', TMPDIR } = process.env;
    const child = spawn(process.execPath, [main], {
      env: {
        PATH,
        HOME,
        ...(TMPDIR ? { TMPDIR } : {}),
        ...FREE_PORTS,
        ...this.#options.env,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.#closed = once(child, 'close');
    for (const stream of [child.stdout, child.stderr]) {
      let rest = '';
      stream.setEncoding('utf8').on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) this.#note(line);
      });
    }
    // However we end, it ends: an orphan would hold ports and consume events of later tests.
    const endWithUs = (): void => void child.kill('SIGKILL');
    process.once('exit', endWithUs);
    child.once('exit', () => process.off('exit', endWithUs));
    await once(child, 'spawn');
    if (until !== 'spawned') await this.#answers(until, child);
  }

  /** Resolves once it has ended, by whatever, and all that it wrote has been read. */
  async ended(): Promise<void> {
    await this.#closed;
  }

  async kill9(): Promise<void> {
    if (!this.running) return;
    this.#child?.kill('SIGKILL');
    await this.ended();
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** A clean end. @returns its exit code. */
  async stop(): Promise<number | null> {
    const child = this.#child;
    if (!child) return null;
    if (this.running) {
      child.kill('SIGCONT');
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), 40_000);
      await this.ended();
      clearTimeout(force);
    }
    return child.exitCode;
  }

  #note(line: string): void {
    this.#options.onLine?.(line);
    this.#lines.push(line);
    if (this.#lines.length > KEPT_LINES) this.#lines.shift();
  }

  async #answers(path: 'livez' | 'readyz', child: ChildProcess): Promise<void> {
    let last = 'no answer';
    for (const end = Date.now() + 60_000; Date.now() < end;) {
      await delay(20);
      if (child.exitCode !== null || child.signalCode !== null) break;
      try {
        const answer = await fetch(`${this.url}/${path}`, { signal: AbortSignal.timeout(2000) });
        if (answer.ok) return;
        last = await answer.text();
      } catch (fault) {
        last = String(fault);
      }
    }
    const how = this.running ? `is not ${path} within 60 s: ${last}` : 'ended while it started';
    throw new Error(`${this.#options.app} ${how}. Its newest output:\n${this.output}`);
  }
}
