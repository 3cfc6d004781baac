import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { httpAnswer } from '@token-status/token-guard';
import type { Finding, HttpAnswer, OnStale, TokenGuard } from '@token-status/token-guard';

/** How a request to `/verify` ended, for counting. */
export type VerifyResult = Finding | 'malformed-position' | 'limited';

export interface VerifyObserver {
  verified(result: VerifyResult, seconds: number): void;
  /** Somebody passed by a view that is too old, since the route allows it. */
  allowedStale(route: string): void;
}

export interface VerifyOptions {
  readonly guard: TokenGuard;
  readonly observer: VerifyObserver;
  /** By the route's name; null for a request that names none. */
  readonly onStale: (route: string | null) => OnStale;
  /** Of who asked the proxy; asked for failures only. */
  readonly addressOf: (request: IncomingMessage) => string | undefined;
}

/** What a proxy may send along is thrown away, up to here; a connection that brings more is closed. */
const MAX_BODY_BYTES = 64 * 1024;

const MALFORMED_POSITION: HttpAnswer = {
  status: 400,
  headers: { 'cache-control': 'no-store' },
};

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
  { guard, observer, onStale, addressOf }: VerifyOptions,
): void {
  const start = performance.now();
  const minPosition = readPosition(request.headers['x-min-position']);
  let answer: HttpAnswer;
  let result: VerifyResult;
  if (minPosition === null) {
    answer = MALFORMED_POSITION;
    result = 'malformed-position';
  } else {
    const decision = guard.check({
      authorization: authorizationOf(request),
      minPosition,
      onStale: onStale(route),
      address: () => addressOf(request),
    });
    answer = httpAnswer(decision);
    result = decision.outcome === 'limited' ? 'limited' : decision.finding;
    if (result === 'active-stale') observer.allowedStale(route ?? '');
  }
  observer.verified(result, (performance.now() - start) / 1000);
  const goesOn = throwBodyAway(request);
  const headers = ['content-length', '0'];
  if (!goesOn) headers.push('connection', 'close');
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

/** All values that came: Node itself would show the first one only. */
function authorizationOf({ headers, rawHeaders }: IncomingMessage): string | string[] | undefined {
  const first = headers.authorization;
  if (first === undefined) return undefined;
  let all: string[] | null = null;
  let seen = false;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    if (name?.length !== 13 || name.toLowerCase() !== 'authorization') continue;
    if (seen) (all ??= [first]).push(rawHeaders[i + 1] ?? '');
    seen = true;
  }
  return all ?? first;
}

/** A position of the log; 0 where none is asked for; null for what is no position. */
function readPosition(header: string | string[] | undefined): number | null {
  if (header === undefined) return 0;
  if (typeof header !== 'string' || !/^\d{1,16}$/.test(header)) return null;
  const position = Number(header);
  return Number.isSafeInteger(position) ? position : null;
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
