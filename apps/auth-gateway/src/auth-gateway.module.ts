import type { Server } from 'node:http';
import { Inject, Module } from '@nestjs/common';
import type {
  DynamicModule,
  OnApplicationBootstrap,
  OnApplicationShutdown,
  OnModuleInit,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import { Readiness, callerAddress } from '@token-status/platform';
import type { Check, Logger, Metrics, TokenVerifier } from '@token-status/platform';
import type { TokenGuard, TokenGuardOptions } from '@token-status/token-guard';
import { Configuration } from './configuration/configuration.js';
import { CONFIGURATION } from './configuration/configuration.provider.js';
import { watchConfiguration } from './configuration/configuration-metrics.js';
import { configureGuard, onStaleOf } from './configuration/configure-guard.js';
import { gatewayMetrics } from './gateway-metrics.js';
import type { GatewayMetrics } from './gateway-metrics.js';
import { GrpcServer } from './grpc/grpc-server.js';
import type { GrpcEndpoint } from './grpc/grpc-server.js';
import {
  ACCESS_TOKENS,
  INTROSPECTION_METRICS,
  IntrospectionController,
} from './introspection/introspection.controller.js';
import { readForms } from './introspection/introspection-form.js';
import { introspectionMetrics } from './introspection/introspection-metrics.js';
import { StatusController } from './status.controller.js';
import { TOKEN_GUARD } from './token-guard.provider.js';
import { verifyRoutes } from './verify.routes.js';
import type { VerifyOptions } from './verify.routes.js';

export interface AuthGatewayPorts {
  /** Makes the guard that decides; the module closes it. */
  readonly guard: (
    observers: Required<Pick<TokenGuardOptions, 'onAlarm' | 'onFault'>>,
  ) => TokenGuard;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Whose `X-Forwarded-For` is believed; {@link callerAddress} says how they are written. */
  readonly trustedProxies: readonly string[];
  /** What may change while it runs; default: nothing is configured. Whoever made it closes what it follows. */
  readonly configuration?: Configuration;
  /** Verifies JWTs of callers that introspect; left out or null, none passes. */
  readonly accessTokens?: Pick<TokenVerifier, 'verify'> | null;
  /** Where it listens for gRPC, too; left out or null, nowhere. */
  readonly grpc?: GrpcEndpoint | null;
}

type VerifyPorts = Pick<VerifyOptions, 'onStale' | 'addressOf'>;

const VERIFY_PORTS = Symbol('verify ports');
const GATEWAY_METRICS = Symbol('gateway metrics');
/** Injection token of the app's `GrpcServer`; null where there is none. */
export const GRPC_SERVER = Symbol('gRPC server');

/**
 * The gateway as a part of a Nest app on Fastify: of its own, or of the standalone process. Make the
 * app with `callers: 'none'`: whoever asks is a proxy, and the credential in question is not the asker's.
 */
@Module({})
export class AuthGatewayModule
  implements OnModuleInit, OnApplicationBootstrap, OnApplicationShutdown
{
  constructor(
    @Inject(TOKEN_GUARD) private readonly guard: TokenGuard,
    @Inject(GATEWAY_METRICS) private readonly metrics: GatewayMetrics,
    @Inject(VERIFY_PORTS) private readonly ports: VerifyPorts,
    @Inject(GRPC_SERVER) private readonly grpc: GrpcServer | null,
    private readonly adapter: HttpAdapterHost,
    readiness: Readiness,
  ) {
    readiness.register({ name: 'fresh', check: () => freshnessCheck(guard) });
    metrics.watch(guard);
  }

  static register({
    guard,
    logger,
    metrics,
    trustedProxies,
    configuration = Configuration.of({}),
    accessTokens = null,
    grpc = null,
  }: AuthGatewayPorts): DynamicModule {
    const counted = gatewayMetrics(metrics);
    const onStale = onStaleOf(configuration);
    watchConfiguration(metrics, configuration);
    return {
      module: AuthGatewayModule,
      controllers: [StatusController, IntrospectionController],
      providers: [
        { provide: GATEWAY_METRICS, useValue: counted },
        { provide: CONFIGURATION, useValue: configuration },
        { provide: ACCESS_TOKENS, useValue: accessTokens },
        { provide: INTROSPECTION_METRICS, useValue: introspectionMetrics(metrics) },
        {
          provide: VERIFY_PORTS,
          useValue: { onStale, addressOf: callerAddress(trustedProxies) } satisfies VerifyPorts,
        },
        {
          provide: TOKEN_GUARD,
          useFactory: () =>
            configureGuard(
              logTransitions(guard(observers(logger, counted)), logger),
              configuration,
            ),
        },
        {
          provide: GRPC_SERVER,
          inject: [TOKEN_GUARD, Readiness],
          useFactory: (made: TokenGuard, { shuttingDown }: Readiness) =>
            grpc &&
            new GrpcServer(grpc, { guard: made, observer: counted, onStale, logger, shuttingDown }),
        },
      ],
      exports: [TOKEN_GUARD, GRPC_SERVER],
    };
  }

  onModuleInit(): void {
    readForms(this.adapter.httpAdapter.getInstance<FastifyInstance>());
    const server = this.adapter.httpAdapter.getHttpServer() as Server;
    verifyRoutes(server, { guard: this.guard, observer: this.metrics, ...this.ports });
  }

  /** Before the app listens over HTTP: whoever finds that port finds this one, too. */
  async onApplicationBootstrap(): Promise<void> {
    await this.grpc?.listen();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.grpc?.close();
    await this.guard.close();
  }
}

function freshnessCheck(guard: TokenGuard): Check {
  const freshness = guard.freshness();
  return freshness.state === 'fresh'
    ? { ok: true }
    : { ok: false, why: `${freshness.state}: ${freshness.why}` };
}

const observers = (
  logger: Logger,
  metrics: GatewayMetrics,
): Required<Pick<TokenGuardOptions, 'onAlarm' | 'onFault'>> => ({
  onAlarm: (alarm) => {
    metrics.alarmed(alarm);
    logger.error({ alarm: alarm.code, tokenId: alarm.tokenId }, alarm.message);
  },
  onFault: (fault) => {
    metrics.faulted();
    logger.warn({ err: fault }, 'the gateway goes on trying');
  },
});

const logTransitions = (guard: TokenGuard, logger: Logger): TokenGuard =>
  guard
    .on('fresh', () => {
      const { watermark, tokens } = guard.state();
      logger.info({ watermark, tokens }, 'fresh: answering');
    })
    .on('stale', (why) =>
      logger.error({ why }, 'not fresh: 503, but where a route allows known tokens'),
    );
