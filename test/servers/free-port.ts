import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

const given = new Set<number>();

// Jest's workers choose at the same time, and what one has chosen may not be bound yet, or not at the
// moment (a server between a kill and its restart). So each has ports of its own.
const FIRST = 15_000;
const SLICES = 8;
const SLICE = 2_125;
const from = FIRST + (Number(process.env.JEST_WORKER_ID ?? 0) % SLICES) * SLICE;

/**
 * A free loopback port below the range that the system picks outgoing ports from. A port inside that
 * range could be taken by any client while the server is down between a kill and its restart; a client
 * that tries to reconnect can even connect to itself there.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = randomInt(from, from + SLICE);
    if (!given.has(port) && (await isFree(port))) {
      given.add(port);
      return port;
    }
  }
  throw new Error(`no free loopback port between ${from} and ${from + SLICE}`);
}

/** Whether nobody listens there on loopback, at this moment. */
export const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => {
      resolve(false);
    });
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      probe.close(() => {
        resolve(true);
      });
    });
  });
