import { connect } from 'node:net';

export interface Load {
  readonly perSecond: number;
  /** Milliseconds, from the request being written to its answer being whole. */
  readonly latencies: readonly number[];
}

export interface LoadOptions {
  readonly port: number;
  readonly connections: number;
  /** What is asked next; null for no more. */
  readonly next: () => Buffer | null;
  readonly forMs: number;
  /** Default 200; any other answer ends it all. */
  readonly status?: number;
  readonly onBody?: (body: string) => void;
}

const HEAD_END = Buffer.from('\r\n\r\n');

/**
 * Asks over so many connections, one request at a time on each, without a break. By hand, since a client
 * that is slower than the server would measure itself: of an answer it reads the status and the length.
 *
 * @throws Error with the beginning of an answer that was not expected.
 */
export async function load({
  port,
  connections,
  next,
  forMs,
  status = 200,
  onBody,
}: LoadOptions): Promise<Load> {
  const latencies: number[] = [];
  const started = performance.now();
  const ends = started + forMs;
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      let asked = 0;
      let got: Buffer | null = null;
      const ask = (): void => {
        const request = performance.now() < ends ? next() : null;
        if (!request) {
          socket.end();
          return;
        }
        asked = performance.now();
        socket.write(request);
      };
      socket.on('connect', ask);
      socket.on('error', reject);
      socket.on('close', () => resolve());
      socket.on('data', (bytes) => {
        got = got ? Buffer.concat([got, bytes]) : bytes;
        const answer = wholeAnswer(got);
        if (!answer) return;
        if (answer.status !== status) {
          reject(new Error(`answered ${got.toString('utf8', 0, 500)}`));
          socket.destroy();
          return;
        }
        onBody?.(got.toString('utf8', answer.bodyAt));
        got = null;
        latencies.push(performance.now() - asked);
        ask();
      });
    });
  await Promise.all(Array.from({ length: connections }, one));
  return { perSecond: (latencies.length / (performance.now() - started)) * 1000, latencies };
}

/** null while something is missing. */
function wholeAnswer(bytes: Buffer): { readonly status: number; readonly bodyAt: number } | null {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd === -1) return null;
  const head = bytes.toString('latin1', 0, headEnd);
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? NaN);
  if (Number.isNaN(length)) throw new Error(`an answer without a length: ${head}`);
  const bodyAt = headEnd + HEAD_END.length;
  return bytes.length < bodyAt + length ? null : { status: Number(head.slice(9, 12)), bodyAt };
}

/** A request as it goes over the wire. */
export function requestBytes(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body?: object,
): Buffer {
  const text = body === undefined ? '' : JSON.stringify(body);
  const lines = [`${method} ${path} HTTP/1.1`, 'host: 127.0.0.1'];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  if (body !== undefined) {
    lines.push('content-type: application/json', `content-length: ${Buffer.byteLength(text)}`);
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${text}`);
}
