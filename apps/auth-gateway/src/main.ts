import { topicSpecs, topics } from '@token-status/contracts';
import { createKafkaEventBus } from '@token-status/event-bus';
import {
  closeOnSignals,
  createApp,
  createLogger,
  createTokenVerifier,
  exitOnBadSettings,
  loadSettings,
  startMetrics,
} from '@token-status/platform';
import { createTokenGuard } from '@token-status/token-guard';
import { AuthGatewayModule } from './auth-gateway.module.js';
import { startConfiguration } from './configuration/start-configuration.js';
import { VERSION } from './version.js';
import { authGatewayRules, authGatewaySettings, newGatewayId } from './settings.js';

const settings = exitOnBadSettings(() =>
  loadSettings(authGatewaySettings, process.env, ...authGatewayRules),
);
const logger = createLogger({ name: 'auth-gateway', level: settings.LOG_LEVEL });
const configured = await startConfiguration(settings.CONFIGURATION_FILE, logger);
const metrics = startMetrics({ service: 'auth-gateway', version: VERSION });
const gatewayId = settings.GATEWAY_ID ?? newGatewayId();
const names = topics(settings.TOPIC_PREFIX);
const bus = createKafkaEventBus({ brokers: settings.KAFKA_BROKERS, clientId: gatewayId, logger });
const { OIDC_ISSUER: issuer, OIDC_AUDIENCE: audience } = settings;
const accessTokens = issuer === undefined ? null : createTokenVerifier({ issuer, audience });
// So that the issuer may go away from then on. It is asked again when the first of its tokens comes.
accessTokens?.load().catch((fault: unknown) => logger.warn({ err: fault }, 'no keys yet'));
const app = await createApp(
  AuthGatewayModule.register({
    guard: (observers) =>
      createTokenGuard({
        bus,
        topics: names,
        ensureTopics: topicSpecs(names, settings.EVENT_PARTITIONS),
        gatewayId,
        basicPrefix: settings.BASIC_USER_PREFIX,
        maxStalenessMs: settings.MAX_STALENESS_MS,
        maxClockErrorMs: settings.MAX_CLOCK_ERROR_MS,
        probeEveryMs: settings.PROBE_EVERY_MS,
        ...(settings.LOG_EPOCH === undefined ? {} : { epoch: settings.LOG_EPOCH }),
        ...(settings.SNAPSHOT_FILE === undefined
          ? {}
          : { snapshot: { file: settings.SNAPSHOT_FILE } }),
        ...observers,
      }),
    logger,
    metrics,
    trustedProxies: settings.TRUSTED_PROXIES,
    configuration: configured.configuration,
    accessTokens,
    grpc:
      settings.GRPC_PORT === 'off' ? null : { host: settings.GRPC_HOST, port: settings.GRPC_PORT },
  }),
  { logger, metrics, callers: 'none' },
);
closeOnSignals([configured, app, bus], { logger });
await app.listen({ host: settings.HOST, port: settings.PORT });
