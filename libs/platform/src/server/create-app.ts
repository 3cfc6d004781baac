import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import type { DynamicModule, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Readiness } from '../health/readiness.js';
import { NestLogger } from '../logging/nest-logger.js';
import { logRequests, requestIdOf } from '../logging/request-logging.js';
import { requestMetrics } from '../metrics/request-metrics.js';
import { sendProblem, toProblem } from '../problem/problem.filter.js';
import type { AppOptions } from './app-options.js';
import { answerClientError } from './client-errors.js';
import { drain } from './drain.js';
import { readJsonBodies } from './json-body.js';
import { refuseOtherMethods } from './other-methods.js';
import { PlatformModule } from './platform.module.js';
import { RateLimiter } from './rate-limits.js';

export interface App {
  readonly nest: NestFastifyApplication;
  readonly readiness: Readiness;
  /** Host default 127.0.0.1; port 0 takes a free one. Returns where it listens. */
  listen(at: { readonly host?: string; readonly port: number }): Promise<{
    readonly url: string;
    readonly port: number;
  }>;
  /**
   * Not ready, then no new connections, then the requests under way (bounded), then the modules in
   * the reverse order of their start. May be called again; it is one shutdown.
   */
  close(): Promise<void>;
}

/** Makes a Nest app on Fastify with everything that ours have in common. It doesn't listen yet. */
export async function createApp(module: Type | DynamicModule, options: AppOptions): Promise<App> {
  const readiness = options.readiness ?? new Readiness();
  const adapter = new FastifyAdapter({
    bodyLimit: options.bodyLimitBytes ?? 64 * 1024,
    requestTimeout: options.requestTimeoutMs ?? 30_000,
    connectionTimeout: options.connectionTimeoutMs ?? 60_000,
    keepAliveTimeout: options.keepAliveTimeoutMs ?? 72_000,
    trustProxy: trustedProxies(options.trustProxy),
    genReqId: requestIdOf,
    requestIdHeader: false,
    // Ids are up to 128 characters, each of which may be three when encoded.
    routerOptions: { maxParamLength: 512 },
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    clientErrorHandler: answerClientError,
    // An address that the router can't read comes to no hook and no filter.
    frameworkErrors: (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
      reply.header('x-request-id', request.id);
      sendProblem(toProblem(error), request.id, reply, options.problems ?? {});
    },
  });
  const fastify = adapter.getInstance();
  readJsonBodies(fastify);
  logRequests(
    fastify,
    options.logger,
    options.metrics === undefined ? undefined : requestMetrics(options.metrics),
  );
  refuseOtherMethods(fastify, options.problems ?? {});
  const limiter = options.rateLimits ? new RateLimiter(options.rateLimits) : null;
  await limiter?.on(fastify);

  const nest = await NestFactory.create<NestFastifyApplication>(
    PlatformModule.around(module, options, readiness, limiter),
    adapter,
    // Nest declares its options as classes, and expects plain objects all the same.
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment
    {
      logger: new NestLogger(options.logger),
      // Ours is registered above; Nest's would also read forms, and repair broken UTF-8.
      bodyParser: false,
      abortOnError: false,
    },
  );

  const server = nest.getHttpServer();
  let closing: Promise<void> | null = null;
  return {
    nest,
    readiness,
    listen: async ({ host = '127.0.0.1', port }) => {
      await nest.listen({ host, port });
      const { port: bound } = server.address() as AddressInfo;
      const url = `http://${host.includes(':') ? `[${host}]` : host}:${bound}`;
      options.logger.info({ url }, 'listening');
      return { url, port: bound };
    },
    close: () => {
      closing ??= (async () => {
        readiness.beginShutdown();
        await drain(server, {
          lameDuckMs: options.lameDuckMs ?? 0,
          drainMs: options.drainMs ?? 10_000,
        });
        await nest.close();
        await options.metrics?.shutdown();
      })();
      return closing;
    },
  };
}

const trustedProxies = (trust: AppOptions['trustProxy']): boolean | string | string[] =>
  typeof trust === 'boolean' || typeof trust === 'string'
    ? trust
    : trust === undefined
      ? false
      : [...trust];
