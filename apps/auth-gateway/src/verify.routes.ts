import { METHODS } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { httpAnswer } from '@token-status/token-guard';
import type { Finding, HttpAnswer, TokenGuard } from '@token-status/token-guard';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    quiet?: boolean;
  }
}

/** How a request to `/verify` ended, for counting. */
export type VerifyResult = Finding | 'malformed-position';

export interface VerifyObserver {
  verified(result: VerifyResult, seconds: number): void;
}

/** What a proxy may send along is thrown away, up to here; a connection that brings more is closed. */
const MAX_BODY_BYTES = 64 * 1024;

const MALFORMED_POSITION: HttpAnswer = {
  status: 400,
  headers: { 'cache-control': 'no-store' },
};

/**
 * `/verify` and `/verify/*`, by any method, as `api.md` says.
 *
 * Not a Nest controller: every request of every protected API comes through here. A route of Fastify's
 * own, answered in its first hook — before a body is looked at, let alone parsed — leaves out Nest's
 * guards, pipes, interceptors and request context, none of which would decide anything.
 */
export function verifyRoutes(
  fastify: FastifyInstance,
  guard: TokenGuard,
  observer: VerifyObserver,
): void {
  ignoreWhatIsBehindVerify(fastify);
  for (const method of METHODS) {
    if (method !== 'CONNECT' && !fastify.supportedMethods.includes(method)) {
      fastify.addHttpMethod(method);
    }
  }
  const onRequest = (request: FastifyRequest, reply: FastifyReply): void => {
    const start = performance.now();
    const minPosition = readPosition(request.headers['x-min-position']);
    let answer: HttpAnswer;
    let result: VerifyResult;
    if (minPosition === null) {
      answer = MALFORMED_POSITION;
      result = 'malformed-position';
    } else {
      const decision = guard.check({ authorization: authorizationOf(request.raw), minPosition });
      answer = httpAnswer(decision);
      result = decision.finding;
    }
    observer.verified(result, (performance.now() - start) / 1000);
    throwBodyAway(request.raw, reply);
    reply.code(answer.status).headers(answer.headers).send();
  };
  for (const url of ['/verify', '/verify/*']) {
    fastify.route({
      method: fastify.supportedMethods.filter((method) => method !== 'CONNECT'),
      url,
      config: { quiet: true },
      exposeHeadRoute: false,
      onRequest,
      handler: () => {
        throw new Error('answered in onRequest');
      },
    });
  }
}

/**
 * Proxies append the address that was asked for (Envoy does), which may be anything: nothing in it is
 * read, so nothing in it may lead to another answer — no router can stumble over it, and no log line
 * or metric can tell it on.
 */
function ignoreWhatIsBehindVerify(fastify: FastifyInstance): void {
  fastify.server.prependListener('request', (request) => {
    if (/^\/verify[/?]/.test(request.url ?? '')) request.url = '/verify';
  });
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

function throwBodyAway(request: IncomingMessage, reply: FastifyReply): void {
  const length = request.headers['content-length'];
  if (length === undefined && request.headers['transfer-encoding'] === undefined) return;
  if (Number(length) > MAX_BODY_BYTES) {
    reply.header('connection', 'close');
    return;
  }
  let left = MAX_BODY_BYTES;
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) request.socket.destroy();
  });
}
