import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { authorizationOf, httpAnswer } from '@token-status/token-guard';
import { MALFORMED, check } from './check.js';
import type { CheckPorts } from './check.js';

export interface VerifyOptions extends CheckPorts {
  /** Of who asked the proxy. */
  readonly addressOf: (request: IncomingMessage) => string | undefined;
}

/** What a proxy may send along is thrown away, up to here; a connection that brings more is closed. */
const MAX_BODY_BYTES = 64 * 1024;

/**
 * Answers `/verify` and `/verify/*` by any method, as `api.md` says, and the same below
 * `/routes/{name}`; leaves everything else to whom the server asked before.
 *
 * In front of the framework and not a route of it: every request of every protected API comes through
 * here, and routing, hooks and reply objects would cost as much again as the answer, and decide nothing.
 * What is behind `/verify` is the address that was asked for, which Envoy appends: nothing reads it, so
 * that nothing in it leads to another answer, comes into a log line, or trips a router.
 */
export function verifyRoutes(server: Server, options: VerifyOptions): void {
  const others = server.listeners('request') as ((
    request: IncomingMessage,
    response: ServerResponse,
  ) => void)[];
  server.removeAllListeners('request');
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const route = routeOf(request.url ?? '');
    if (route === undefined) {
      for (const other of others) other.call(server, request, response);
    } else {
      verify(request, response, route, options);
    }
  });
}

function verify(
  request: IncomingMessage,
  response: ServerResponse,
  route: string | null,
  options: VerifyOptions,
): void {
  const question = {
    authorization: authorizationOf(request),
    minPosition: request.headers['x-min-position'],
    route,
    address: () => options.addressOf(request),
  };
  const decision = check(question, options);
  const answer = decision ? httpAnswer(decision) : MALFORMED;
  const headers = ['content-length', '0'];
  if (!throwBodyAway(request)) headers.push('connection', 'close');
  for (const name in answer.headers) headers.push(name, answer.headers[name] ?? '');
  response.writeHead(answer.status, headers).end();
}

/** Named by whoever configured the proxy, in front of what the caller asked for, who so can't name one. */
const NAMED = /^\/routes\/([A-Za-z0-9._-]{1,64})\/verify(?:$|[/?])/;

/** @returns the route's name, null for the one without a name, undefined for what is no `/verify`. */
function routeOf(url: string): string | null | undefined {
  if (url.startsWith('/verify')) {
    return url.length === 7 || url[7] === '/' || url[7] === '?' ? null : undefined;
  }
  return url.startsWith('/routes/') ? NAMED.exec(url)?.[1] : undefined;
}

/** @returns false where more is coming than is worth reading: the connection is to end. */
function throwBodyAway(request: IncomingMessage): boolean {
  const length = request.headers['content-length'];
  if (length === undefined && request.headers['transfer-encoding'] === undefined) return true;
  if (Number(length) > MAX_BODY_BYTES) return false;
  let left = MAX_BODY_BYTES;
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) request.socket.destroy();
  });
  return true;
}
