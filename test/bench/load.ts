import { connect } from 'node:net';
import { percentile } from './report.js';

/**
 * Asks `/verify` over so many connections, one request at a time on each, without a break. By hand,
 * since a client that is slower than the server would measure itself: it reads no more of an answer
 * than its first bytes and its end, which is right for answers without a body.
 *
 * @returns what was answered with 200; anything else throws.
 */
export async function load(
  port: number,
  secrets: readonly string[],
  { connections, forMs }: { readonly connections: number; readonly forMs: number },
): Promise<{ readonly perSecond: number; readonly p99Ms: number }> {
  const requests = secrets.map((secret) =>
    Buffer.from(
      `GET /verify HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nauthorization: Bearer ${secret}\r\n\r\n`,
    ),
  );
  const times: number[] = [];
  const started = performance.now();
  const ends = started + forMs;
  let next = 0;
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      let asked = 0;
      const ask = (): void => {
        asked = performance.now();
        socket.write(requests[next++ % requests.length] ?? '');
      };
      socket.on('connect', ask);
      socket.on('error', reject);
      socket.on('close', resolve);
      socket.on('data', (bytes) => {
        if (bytes.toString('latin1', 0, 12) !== 'HTTP/1.1 200') {
          reject(new Error(`answered ${bytes.toString('latin1', 0, 30)}`));
          socket.destroy();
        }
        // An answer of this size comes whole.
        if (bytes.toString('latin1', bytes.length - 4) !== '\r\n\r\n') {
          reject(new Error('an answer came in parts'));
          socket.destroy();
        }
        const now = performance.now();
        times.push(now - asked);
        if (now < ends) ask();
        else socket.end();
      });
    });
  await Promise.all(Array.from({ length: connections }, one));
  return {
    perSecond: (times.length / (performance.now() - started)) * 1000,
    p99Ms: percentile(times, 0.99),
  };
}
