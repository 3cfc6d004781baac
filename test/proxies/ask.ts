import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';

export interface Ask {
  readonly method?: string;
  readonly path?: string;
  /** Name and value, as they are written, repeats included. */
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: Buffer;
  /** Sends the body without saying how long it is. */
  readonly chunked?: boolean;
}

export interface Told {
  /** The id under which the upstream knows the request, if it reached it. */
  readonly ask: string;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Proxies are told to give up on a gateway after one second; this much is for a machine under load. */
const DEADLINE_MS = 15_000;

/**
 * A client that sends what `fetch` refuses to: headers twice, in any spelling, and any `Connection`.
 * @throws Error where no whole answer came within 15 s
 */
export function ask(port: number, { method = 'GET', path = '/', ...more }: Ask): Promise<Told> {
  const id = randomUUID();
  return new Promise((resolve, reject) => {
    const headers: string[] = ['Host', `127.0.0.1:${port}`, 'X-Ask', id];
    for (const header of more.headers ?? []) headers.push(...header);
    if (!(more.headers ?? []).some(([name]) => name === 'Connection')) {
      headers.push('Connection', 'close');
    }
    if (more.body) {
      headers.push(
        ...(more.chunked
          ? ['Transfer-Encoding', 'chunked']
          : ['Content-Length', String(more.body.length)]),
      );
    }
    const asking = request({
      host: '127.0.0.1',
      port,
      method,
      path,
      // A list is sent as it is.
      headers: headers as never,
      agent: false,
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    asking.on('error', reject);
    asking.on('response', (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('error', reject);
      response.on('end', () => {
        resolve({ ask: id, status: response.statusCode ?? 0, headers: response.headers, body });
      });
    });
    asking.end(more.body);
  });
}
