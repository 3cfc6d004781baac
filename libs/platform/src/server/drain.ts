import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Stops a server without cutting off anybody who is being answered: `lameDuckMs` for load balancers
 * to notice, then no new connections; connections are closed as they fall idle, and after `drainMs`
 * whatever they do. Nest's own order closes databases before the requests that use them have ended.
 */
export async function drain(
  server: Server,
  { lameDuckMs, drainMs }: { readonly lameDuckMs: number; readonly drainMs: number },
): Promise<void> {
  if (!server.listening) return;
  if (lameDuckMs > 0) await sleep(lameDuckMs);
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  // Node closes those that are idle at close(), not those that fall idle after it.
  const sweep = setInterval(() => server.closeIdleConnections(), 20);
  const cut = setTimeout(() => server.closeAllConnections(), drainMs);
  try {
    await closed;
  } finally {
    clearInterval(sweep);
    clearTimeout(cut);
  }
}
