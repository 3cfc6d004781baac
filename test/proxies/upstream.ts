import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as it reached the API behind the proxy. */
export interface Reached {
  readonly method: string;
  /** With its query. */
  readonly url: string;
  /** Name (lower case) and value of each header, in order, repeats included. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: { readonly bytes: number; readonly sha256: string };
}

/** The API that a proxy protects. It remembers what reached it by the header `x-ask`. */
export interface Upstream {
  readonly port: number;
  reachedBy(ask: string): Reached | undefined;
  close(): Promise<void>;
}

/** Answers 200, or what `x-answer-with` asks for; and `www-authenticate: API` with its own 401. */
export async function startUpstream(): Promise<Upstream> {
  const reached = new Map<string, Reached>();
  const server = createServer((request, response) => {
    const hash = createHash('sha256');
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      hash.update(chunk);
      bytes += chunk.length;
    });
    request.on('end', () => {
      const { method = '', url = '', rawHeaders } = request;
      const headers: [string, string][] = [];
      for (let i = 0; i < rawHeaders.length; i += 2) {
        headers.push([(rawHeaders[i] ?? '').toLowerCase(), rawHeaders[i + 1] ?? '']);
      }
      const ask = request.headers['x-ask'];
      const body = { bytes, sha256: hash.digest('hex') };
      if (typeof ask === 'string') reached.set(ask, { method, url, headers, body });
      const status = Number(request.headers['x-answer-with'] ?? 200);
      response.writeHead(status, {
        'content-type': 'text/plain',
        ...(status === 401 ? { 'www-authenticate': 'API' } : {}),
      });
      response.end('the API');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    reachedBy: (ask) => reached.get(ask),
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
