import { STATUS_CODES } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { TokenIdentity } from './decision.js';
import { httpAnswer } from './http-answer.js';
import type { LiveConnections, WhyClosed } from './live-connections.js';
import { checkRequest } from './request.js';
import type { MiddlewareOptions } from './request.js';
import type { TokenGuard } from './token-guard.js';

const OPEN = 1;
/** How long a peer may take to say goodbye before its connection is cut. */
const GOODBYE_MS = 1000;

/**
 * Answers the `upgrade` event of a server: whose the connection will be; or null, where it was refused as
 * any request would be, and the socket is done with.
 */
export function checkUpgrade(
  guard: TokenGuard,
  request: IncomingMessage,
  socket: Duplex,
  { onStale, address }: MiddlewareOptions<IncomingMessage> = {},
): TokenIdentity | null {
  const addressOf = (): string | undefined =>
    address ? address(request) : request.socket.remoteAddress;
  const decision = checkRequest(guard, request, onStale, addressOf);
  if (decision.outcome === 'pass') return decision.token;
  const { status, headers } = httpAnswer(decision);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  // Nobody else listens to it yet, and a peer that is gone already would end the process.
  socket.on('error', () => undefined);
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}` +
      'content-length: 0\r\nconnection: close\r\n\r\n',
    // A peer that goes on sending would keep its half open.
    () => socket.destroy(),
  );
  return null;
}

/** What is needed of a WebSocket: one of the package `ws`, say. */
export interface WebSocketLike {
  /** 2 or 3 once it is closing or closed. */
  readonly readyState: number;
  close(code: number, reason: string): void;
  /** Cuts the connection, without a goodbye. */
  terminate(): void;
  on(event: 'close', listener: () => void): unknown;
  removeAllListeners(event: 'message'): unknown;
}

/**
 * Holds a WebSocket. When its token passes no more, nothing that it sends is heard from then on, and it
 * is closed with 1008 (policy violation) and why; with 1013 (try again later) where the view is stale or
 * the guard is closed. A peer that does not answer that is cut off after a second.
 */
export function holdWebSocket(
  live: LiveConnections,
  token: TokenIdentity,
  socket: WebSocketLike,
): void {
  // Its `close` may have been told already.
  if (socket.readyState > OPEN) return;
  let goodbye: NodeJS.Timeout | undefined;
  const release = live.hold(token, (why) => {
    goodbye = setTimeout(() => socket.terminate(), GOODBYE_MS).unref();
    socket.removeAllListeners('message');
    socket.close(isTokens(why) ? 1008 : 1013, why);
  });
  socket.on('close', () => {
    clearTimeout(goodbye);
    release();
  });
}

/**
 * Holds a response that goes on, as an event stream does: it ends when its token passes no more, and a
 * reader that does not take its end is cut off after a second. Who streams learns of it by the
 * response's `close`.
 */
export function holdResponse(
  live: LiveConnections,
  token: TokenIdentity,
  response: ServerResponse,
): void {
  if (response.destroyed || response.writableFinished) return;
  let goodbye: NodeJS.Timeout | undefined;
  const release = live.hold(token, () => {
    goodbye = setTimeout(() => response.destroy(), GOODBYE_MS).unref();
    response.end();
  });
  response.on('close', () => {
    clearTimeout(goodbye);
    release();
  });
}

const isTokens = (why: WhyClosed): boolean => why !== 'stale' && why !== 'closed';
