import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A temporary folder for one server, that is deleted, and the server in it killed, however we end. */
export interface ServerFolder {
  readonly path: string;
  /** The process that works in it now. */
  guard(pid: number | undefined): void;
  /** It has ended: its number may go to another process. */
  unguard(): void;
  remove(): Promise<void>;
}

// Up to 5 s for the process to go: it may still write into the folder.
const WATCHDOG = `
  pid=
  while read -r line; do pid=$line; done
  if [ -n "$pid" ]; then
    kill -KILL "$pid" 2>/dev/null
    n=0
    while kill -0 "$pid" 2>/dev/null && [ $n -lt 50 ]; do sleep 0.1; n=$((n+1)); done
  fi
  rm -rf -- "$1"`;

/**
 * No orphans: a shell of a few hundred kilobytes, in a process group of its own, reads its standard
 * input, which only we hold open: the number of the process to guard, or nothing. However we end
 * (`kill -9` included), the system closes it, and the shell clears up. Unlike Linux's parent-death
 * signal this works on macOS, and for a server started from a worker thread.
 */
export function makeServerFolder(name: string): ServerFolder {
  const path = mkdtempSync(join(tmpdir(), `token-status-${name}-`));
  const watchdog = spawn('/bin/sh', ['-c', WATCHDOG, 'token-status-watchdog', path], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: '/',
  });
  const { stdin } = watchdog;
  // Neither it nor the pipe to it keeps us alive; and a watchdog that somebody killed is no fault of a test.
  watchdog.unref();
  if (stdin instanceof Socket) stdin.unref();
  stdin.on('error', () => undefined);
  return {
    path,
    guard: (pid) => stdin.write(`${pid ?? ''}\n`),
    unguard: () => stdin.write('\n'),
    async remove() {
      await rm(path, { recursive: true, force: true });
      watchdog.kill('SIGKILL');
    },
  };
}
