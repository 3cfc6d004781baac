import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from './logger.js';
import { runInRequest } from './request-context.js';
import type { RequestContext } from './request-context.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Null until the request was taken in. */
    requestContext: RequestContext | null;
  }
  interface FastifyContextConfig {
    /** For a route that is asked all the time: no log line unless it fails, and no request context. */
    quiet?: boolean;
  }
}

const SAFE_REQUEST_ID = /^[\w.:@=+/-]{1,64}$/;
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
const PROBES = new Set(['/livez', '/readyz', '/metrics']);

/** The caller's `x-request-id` if it is safe to print and to send back, else a new one. */
export function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && SAFE_REQUEST_ID.test(given) ? given : randomUUID();
}

export type RequestObserver = (request: FastifyRequest, reply: FastifyReply) => void;

/**
 * Gives every request its id (answered as `x-request-id`) and context, and writes one line when it
 * was answered. `observe` is told then too, for metrics.
 */
export function logRequests(
  fastify: FastifyInstance,
  logger: Logger,
  observe: RequestObserver | undefined,
): void {
  fastify.decorateRequest('requestContext', null);

  fastify.addHook('onRequest', (request, reply, done) => {
    if (request.routeOptions.config.quiet !== true) {
      request.requestContext = contextOf(request);
      reply.header('x-request-id', request.id);
    }
    done();
  });

  // Here and not in onRequest: a body is read in the connection's own context, so what had been set
  // before it would be lost to the handler.
  fastify.addHook('preValidation', (request, _reply, done) => {
    if (request.requestContext === null) done();
    else runInRequest(request.requestContext, done);
  });

  fastify.addHook('onResponse', (request, reply, done) => {
    observe?.(request, reply);
    // 503 is an answer, not a fault of ours: a gateway that is stale gives it to everybody.
    const failed = reply.statusCode >= 500 && reply.statusCode !== 503;
    if (failed || request.routeOptions.config.quiet !== true) {
      const path = pathOf(request);
      const level = PROBES.has(path) ? 'debug' : failed ? 'error' : 'info';
      if (logger.isLevelEnabled(level)) {
        logger[level](
          {
            requestId: request.id,
            ...request.requestContext?.log,
            method: request.method,
            path,
            status: reply.statusCode,
            ms: Math.round(reply.elapsedTime * 1000) / 1000,
          },
          'answered',
        );
      }
    }
    done();
  });

  // The caller went away before the answer; onResponse does not always follow.
  fastify.addHook('onRequestAbort', (request, done) => {
    logger.info(
      {
        requestId: request.id,
        ...request.requestContext?.log,
        method: request.method,
        path: pathOf(request),
      },
      'the caller hung up',
    );
    done();
  });
}

function contextOf(request: FastifyRequest): RequestContext {
  const traceparent = request.headers.traceparent;
  return {
    requestId: request.id,
    traceparent:
      typeof traceparent === 'string' && TRACEPARENT.test(traceparent) ? traceparent : undefined,
    log: {},
  };
}

/** Without the query: filters hold names of people. */
const pathOf = (request: FastifyRequest): string => request.url.split('?', 1)[0] ?? '';
