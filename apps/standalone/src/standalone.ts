import { AuthGatewayModule, Configuration, GRPC_SERVER } from '@token-status/auth-gateway';
import type { GrpcServer } from '@token-status/auth-gateway';
import { PROBLEMS, topicSpecs, topics } from '@token-status/contracts';
import { createDemoIdentityProvider } from '@token-status/demo-identity-provider';
import { createInProcessEventBus } from '@token-status/event-bus';
import { openEventLog, openSqliteLogStore } from '@token-status/event-log';
import { EventRelayModule } from '@token-status/event-relay';
import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { openSqlitePersonalData } from '@token-status/personal-data';
import { createApp, createTokenVerifier, startMetrics } from '@token-status/platform';
import type { Closable, Logger } from '@token-status/platform';
import { ProjectorModule } from '@token-status/projector';
import { openSqliteReadModel } from '@token-status/read-model';
import { createTokenGuard } from '@token-status/token-guard';
import {
  TokenServiceModule,
  apiTokenCallers,
  logObserver,
  reportKeysInFile,
} from '@token-status/token-service';
import { openDataFolder } from './data-folder.js';
import { DEMO_CONFIGURATION } from './demo-configuration.js';
import { logAsTopic } from './log-as-topic.js';

export interface StandaloneOptions {
  readonly dataDir: string;
  readonly host: string;
  /** 0 takes a free one. */
  readonly ports: {
    readonly api: number;
    readonly gateway: number;
    /** null = the gateway takes no gRPC. */
    readonly gatewayGrpc: number | null;
    readonly issuer: number;
  };
  /** The public keys of who reports leaked secrets; without it no report is taken. */
  readonly leakReportKeysFile?: string | undefined;
  readonly logger: Logger;
}

export interface Standalone {
  readonly api: string;
  readonly gateway: string;
  /** `host:port`; null where it takes no gRPC. */
  readonly gatewayGrpc: string | null;
  readonly issuer: string;
  readonly dataDir: string;
  close(): Promise<void>;
}

/** As token-service has them by default. */
const RATE_LIMITS = { perCaller: 60_000, perAddress: 6000 };

/** The module of the app on the API's port; what it is made of is given to {@link startStandalone}. */
@Module({})
class StandaloneModule {}

/**
 * Every app in one process, on SQLite: the same modules as in production, on the other adapters. The
 * relay, the projector and the gateway talk over the in-process bus, heartbeats and probes included.
 */
export async function startStandalone(options: StandaloneOptions): Promise<Standalone> {
  const { host, ports, logger } = options;
  const opened: Closable[] = [];
  const keep = <T extends Closable>(part: T): T => {
    // Closed in the reverse order: what takes requests first, the files last.
    opened.unshift(part);
    return part;
  };
  const close = async (): Promise<void> => {
    for (const part of opened.splice(0)) await part.close();
  };
  try {
    const data = await openDataFolder(options.dataDir);
    const metrics = startMetrics({ service: 'standalone', version: '0.1.0' });
    const observer = logObserver(metrics, (fault) =>
      logger.warn({ err: fault }, 'the event log failed; trying again'),
    );
    const log = keep(openEventLog(openSqliteLogStore({ file: data.log }), { observer }));
    const reads = keep(await openSqliteReadModel({ file: data.readModel }));
    const personalData = keep(
      await openSqlitePersonalData({ file: data.personalData, masterKey: data.personalDataKey }),
    );
    const names = topics();
    const bus = keep(createInProcessEventBus({ durable: { [names.events]: logAsTopic(log) } }));
    await bus.ensureTopics(topicSpecs(names, 1));
    const issuer = keep(
      await createDemoIdentityProvider({
        host,
        port: ports.issuer,
        keysFile: data.issuerKeys,
        onFault: (fault) => logger.error({ err: fault }, 'a fault of the identity provider'),
      }),
    );
    const accessTokens = createTokenVerifier({
      issuer: issuer.issuer,
      audience: issuer.apiAudience,
    });
    await accessTokens.load();
    const callers = apiTokenCallers({ log, accessTokens, metrics });

    const api: DynamicModule = {
      module: StandaloneModule,
      imports: [
        TokenServiceModule.register(
          {
            log,
            reads,
            personalData,
            reportKeys:
              options.leakReportKeysFile === undefined
                ? undefined
                : reportKeysInFile(options.leakReportKeysFile),
          },
          { fingerprintKey: data.fingerprintKey },
        ),
        EventRelayModule.register({
          openLog: () => Promise.resolve(log),
          bus,
          topics: names,
          eventPartitions: 1,
          logger,
          metrics,
        }),
        ProjectorModule.register({
          bus,
          topics: names,
          eventPartitions: 1,
          group: 'projector',
          openRepository: () => Promise.resolve(reads),
          openPersonalData: () => Promise.resolve(personalData),
          logger,
          metrics,
        }),
      ],
    };
    const apiApp = keep(
      await createApp(api, {
        logger,
        metrics,
        callers,
        problems: PROBLEMS,
        rateLimits: RATE_LIMITS,
      }),
    );
    const gatewayMetrics = startMetrics({ service: 'auth-gateway', version: '0.1.0' });
    const gatewayApp = keep(
      await createApp(
        AuthGatewayModule.register({
          trustedProxies: ['loopback'],
          configuration: Configuration.of(DEMO_CONFIGURATION),
          accessTokens,
          grpc: ports.gatewayGrpc === null ? null : { host, port: ports.gatewayGrpc },
          guard: (observers) =>
            createTokenGuard({
              bus,
              topics: names,
              gatewayId: 'standalone',
              epoch: log.epoch,
              ...observers,
            }),
          logger,
          metrics: gatewayMetrics,
        }),
        { logger, metrics: gatewayMetrics, callers: 'none' },
      ),
    );
    return {
      api: (await apiApp.listen({ host, port: ports.api })).url,
      gateway: (await gatewayApp.listen({ host, port: ports.gateway })).url,
      gatewayGrpc: gatewayApp.nest.get<GrpcServer | null>(GRPC_SERVER)?.address ?? null,
      issuer: issuer.issuer,
      dataDir: data.path,
      close,
    };
  } catch (fault) {
    await close();
    throw fault;
  }
}
