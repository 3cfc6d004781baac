import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ServerFolder } from './server-folder.js';

/** Kafka was seen to need 22 s on a machine with a load of 17 on 2 cores; alone it takes 4 s. */
const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 15_000;

/** A server that we started. Its data lives in a temporary folder until `stop()`. */
export interface RunningServer {
  /** Of the process that runs now; a restart changes it. */
  readonly pid: number;
  readonly logFile: string;
  /** Ends it cleanly (by force after 15 s) and deletes its data. May be called again. */
  stop(): Promise<void>;
  /** `SIGKILL`, and waits until the process is gone. The data stays, for `restart()`. */
  kill9(): Promise<void>;
  /** `SIGSTOP`: connections stay open and nothing answers, as with a long pause or a lost network. */
  pause(): void;
  resume(): void;
  /** Starts it on the same data and port (ends it cleanly first, if it runs) and waits until it answers. */
  restart(): Promise<void>;
}

interface Program {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Holds data and log; removed by `stop()`, or when a start fails. */
  readonly folder: ServerFolder;
  /** One try: resolves when the server answers, rejects when it does not yet. */
  readonly answers: () => Promise<void>;
}

/** @throws Error with the end of the server's log, when it ends or does not answer within 120 s */
export async function runServer(program: Program): Promise<RunningServer> {
  const { name, folder } = program;
  const logFile = join(folder.path, `${name}.log`);
  let child: ChildProcess;
  let stopped: Promise<void> | undefined;

  const start = async (): Promise<void> => {
    const log = openSync(logFile, 'a');
    // Its own process group: Ctrl-C is for the parent, which then ends its servers in order.
    child = spawn(program.command, program.args, {
      stdio: ['ignore', log, log],
      detached: true,
      cwd: folder.path,
    });
    closeSync(log);
    await once(child, 'spawn');
    folder.guard(child.pid);
    child.once('exit', () => folder.unguard());
    child.unref();

    const deadline = Date.now() + START_TIMEOUT_MS;
    let last: unknown;
    while (!hasEnded(child) && Date.now() < deadline) {
      try {
        await program.answers();
        return;
      } catch (error) {
        last = error;
        await delay(50);
      }
    }
    const how = hasEnded(child)
      ? `ended with ${child.exitCode ?? child.signalCode ?? 'an error'}`
      : `did not answer within ${START_TIMEOUT_MS / 1000} s`;
    const tail = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-15).join('\n');
    await kill(child, 'SIGKILL');
    throw new Error(`${name} ${how}. The end of its log:\n${tail}`, { cause: last });
  };

  const end = async (): Promise<void> => {
    // A paused process gets the signal only once it goes on.
    signal(child, 'SIGCONT');
    await kill(child, 'SIGTERM', STOP_TIMEOUT_MS);
  };

  try {
    await start();
  } catch (error) {
    await folder.remove();
    throw error;
  }

  return {
    get pid() {
      return child.pid ?? NaN;
    },
    logFile,
    stop: () =>
      (stopped ??= (async () => {
        await end();
        await folder.remove();
      })()),
    kill9: () => kill(child, 'SIGKILL'),
    pause: () => signal(child, 'SIGSTOP'),
    resume: () => signal(child, 'SIGCONT'),
    async restart() {
      if (stopped !== undefined) throw new Error(`${name} is stopped and its data deleted`);
      await end();
      await start();
    },
  };
}

const hasEnded = (child: ChildProcess): boolean =>
  child.exitCode !== null || child.signalCode !== null;

function signal(child: ChildProcess, name: NodeJS.Signals): void {
  if (!hasEnded(child)) child.kill(name);
}

async function kill(child: ChildProcess, name: NodeJS.Signals, patienceMs?: number): Promise<void> {
  if (hasEnded(child)) return;
  child.ref();
  const gone = once(child, 'exit');
  child.kill(name);
  const timer =
    patienceMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), patienceMs);
  await gone;
  clearTimeout(timer);
}
