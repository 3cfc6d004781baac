import { topics } from '@token-status/contracts';
import { createKafkaEventBus } from '@token-status/event-bus';
import { openEventLog, openMongoLogStore } from '@token-status/event-log';
import {
  closeOnSignals,
  createApp,
  createFailpoints,
  createLogger,
  exitOnBadSettings,
  loadSettings,
  onceOpen,
  startMetrics,
} from '@token-status/platform';
import { EventRelayModule } from './event-relay.module.js';
import { eventRelaySettings } from './settings.js';

const { settings, onStep } = exitOnBadSettings(() => ({
  settings: loadSettings(eventRelaySettings, process.env),
  onStep: createFailpoints(process.env),
}));
const logger = createLogger({ name: 'event-relay', level: settings.LOG_LEVEL });
const signing = settings.SIGNING_KEY_FILE;
if (signing?.othersMayRead) {
  logger.warn('others than its owner may read SIGNING_KEY_FILE: who reads it can sign (mode 600)');
}
logger.info({ keyid: signing?.key.keyid ?? null }, signing ? 'signing' : 'not signing');
const metrics = startMetrics({ service: 'event-relay', version: '0.1.0' });
const log = onceOpen(async () =>
  openEventLog(
    await openMongoLogStore({ uri: settings.MONGODB_URI, database: settings.LOG_DATABASE }),
  ),
);
const bus = createKafkaEventBus({
  brokers: settings.KAFKA_BROKERS,
  clientId: 'event-relay',
  logger,
});
const app = await createApp(
  EventRelayModule.register({
    openLog: log.open,
    bus,
    topics: topics(settings.TOPIC_PREFIX),
    eventPartitions: settings.EVENT_PARTITIONS,
    leaseMs: settings.LEASE_MS,
    heartbeatMs: settings.HEARTBEAT_MS,
    signingKey: signing?.key,
    onStep,
    logger,
    metrics,
  }),
  { logger, metrics, callers: 'none' },
);
closeOnSignals([app, bus, log], { logger });
await app.listen({ host: settings.HOST, port: settings.PORT });
