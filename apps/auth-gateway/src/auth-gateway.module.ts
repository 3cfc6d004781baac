import type { Server } from 'node:http';
import { Inject, Module } from '@nestjs/common';
import type { DynamicModule, OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { Readiness, callerAddress } from '@token-status/platform';
import type { Check, Logger, Metrics } from '@token-status/platform';
import type { OnStale, TokenGuard, TokenGuardOptions } from '@token-status/token-guard';
import { gatewayMetrics } from './gateway-metrics.js';
import type { GatewayMetrics } from './gateway-metrics.js';
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
  /** Default: `deny`, whatever the route. */
  readonly onStale?: (route: string | null) => OnStale;
}

type VerifyPorts = Pick<VerifyOptions, 'onStale' | 'addressOf'>;

const VERIFY_PORTS = Symbol('verify ports');
const GATEWAY_METRICS = Symbol('gateway metrics');

/**
 * The gateway as a part of a Nest app on Fastify: of its own, or of the standalone process. Make the
 * app with `callers: 'none'`: whoever asks is a proxy, and the credential in question is not the asker's.
 */
@Module({})
export class AuthGatewayModule implements OnModuleInit, OnApplicationShutdown {
  constructor(
    @Inject(TOKEN_GUARD) private readonly guard: TokenGuard,
    @Inject(GATEWAY_METRICS) private readonly metrics: GatewayMetrics,
    @Inject(VERIFY_PORTS) private readonly ports: VerifyPorts,
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
    onStale = () => 'deny',
  }: AuthGatewayPorts): DynamicModule {
    const counted = gatewayMetrics(metrics);
    return {
      module: AuthGatewayModule,
      controllers: [StatusController],
      providers: [
        { provide: GATEWAY_METRICS, useValue: counted },
        {
          provide: VERIFY_PORTS,
          useValue: { onStale, addressOf: callerAddress(trustedProxies) } satisfies VerifyPorts,
        },
        {
          provide: TOKEN_GUARD,
          useFactory: () => logTransitions(guard(observers(logger, counted)), logger),
        },
      ],
      exports: [TOKEN_GUARD],
    };
  }

  onModuleInit(): void {
    const server = this.adapter.httpAdapter.getHttpServer() as Server;
    verifyRoutes(server, { guard: this.guard, observer: this.metrics, ...this.ports });
  }

  async onApplicationShutdown(): Promise<void> {
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
