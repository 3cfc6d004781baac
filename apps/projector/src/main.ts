import { topics } from '@token-status/contracts';
import { createKafkaEventBus } from '@token-status/event-bus';
import { openMongoPersonalData } from '@token-status/personal-data';
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
import { openMongoReadModel } from '@token-status/read-model';
import { ProjectorModule } from './projector.module.js';
import { projectorSettings } from './settings.js';

const { settings, onStep } = exitOnBadSettings(() => ({
  settings: loadSettings(projectorSettings, process.env),
  onStep: createFailpoints(process.env),
}));
const logger = createLogger({ name: 'projector', level: settings.LOG_LEVEL });
const metrics = startMetrics({ service: 'projector', version: '0.1.0' });
const readModel = onceOpen(() =>
  openMongoReadModel({
    uri: settings.MONGODB_URI,
    database: settings.READ_MODEL_DATABASE,
    onStep,
  }),
);
const personalData = onceOpen(() =>
  openMongoPersonalData({
    uri: settings.KEYS_MONGODB_URI,
    database: settings.KEYS_DATABASE,
    masterKey: settings.PERSONAL_DATA_KEY,
  }),
);
const bus = createKafkaEventBus({
  brokers: settings.KAFKA_BROKERS,
  clientId: 'projector',
  // The least that brokers allow: so long the partitions of one that died wait for another.
  sessionTimeoutMs: 6000,
  logger,
});
const app = await createApp(
  ProjectorModule.register({
    bus,
    topics: topics(settings.TOPIC_PREFIX),
    eventPartitions: settings.EVENT_PARTITIONS,
    group: settings.PROJECTOR_GROUP,
    openRepository: readModel.open,
    openPersonalData: personalData.open,
    onStep,
    logger,
    metrics,
  }),
  { logger, metrics, callers: 'none' },
);
closeOnSignals([app, bus, readModel, personalData], { logger });
await app.listen({ host: settings.HOST, port: settings.PORT });
