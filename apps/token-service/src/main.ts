import { PROBLEMS } from '@token-status/contracts';
import { openEventLog, openMongoLogStore } from '@token-status/event-log';
import { openMongoPersonalData } from '@token-status/personal-data';
import {
  closeOnSignals,
  createApp,
  createFailpoints,
  createLogger,
  createTokenVerifier,
  exitOnBadSettings,
  loadSettings,
  startMetrics,
} from '@token-status/platform';
import { openMongoReadModel } from '@token-status/read-model';
import { apiTokenCallers } from './api-token-callers/api-token-callers.js';
import { logObserver } from './commands/command-metrics.js';
import { LatePort, latePorts } from './late-port.js';
import { anyReportKeys, reportKeysAtUrl, reportKeysInFile } from './leaks/report-keys.js';
import { tokenServiceSettings } from './settings.js';
import { TokenServiceModule } from './token-service.module.js';

const { settings, onStep } = exitOnBadSettings(() => ({
  settings: loadSettings(tokenServiceSettings, process.env),
  onStep: createFailpoints(process.env),
}));
const logger = createLogger({ name: 'token-service', level: settings.LOG_LEVEL });
const metrics = startMetrics({ service: 'token-service', version: '0.1.0' });
const onFault = (what: string) => (fault: unknown) => logger.warn({ err: fault }, what);

const log = new LatePort(
  async () =>
    openEventLog(
      await openMongoLogStore({
        uri: settings.MONGODB_URI,
        database: settings.LOG_DATABASE,
        onFault: onFault('the event log cannot be watched'),
      }),
      {
        timeoutMs: settings.COMMAND_TIMEOUT_MS,
        observer: logObserver(metrics, onFault('the event log failed; trying again')),
      },
    ),
  onFault("the event log can't be opened yet"),
);
const reads = new LatePort(
  () => openMongoReadModel({ uri: settings.MONGODB_URI, database: settings.READ_MODEL_DATABASE }),
  onFault("the read model can't be opened yet"),
);
const personalData = new LatePort(
  () =>
    openMongoPersonalData({
      uri: settings.KEYS_MONGODB_URI,
      database: settings.KEYS_DATABASE,
      masterKey: settings.PERSONAL_DATA_KEY,
    }),
  onFault("the users' keys can't be opened yet"),
);
const accessTokens = createTokenVerifier({
  issuer: settings.OIDC_ISSUER,
  audience: settings.OIDC_AUDIENCE,
});
// So that no first caller waits for the keys; should the issuer be away, callers are told (503).
void accessTokens.load().catch(onFault("the issuer's keys can't be fetched yet"));

const ports = latePorts(log, reads, personalData);
const callers = apiTokenCallers({
  log: ports.log,
  accessTokens,
  basicPrefix: settings.BASIC_USER_PREFIX,
  timeoutMs: settings.COMMAND_TIMEOUT_MS,
  metrics,
});
const { LEAK_REPORT_KEYS_FILE: keysFile, LEAK_REPORT_KEYS_URL: keysUrl } = settings;
const reportKeys = anyReportKeys([
  ...(keysFile === undefined ? [] : [reportKeysInFile(keysFile)]),
  ...(keysUrl === undefined ? [] : [reportKeysAtUrl({ url: keysUrl })]),
]);

const app = await createApp(
  TokenServiceModule.register(
    { ...ports, reportKeys },
    {
      fingerprintKey: settings.FINGERPRINT_KEY,
      tokensPerUser: settings.TOKENS_PER_USER,
      commandTimeoutMs: settings.COMMAND_TIMEOUT_MS,
      bulkTimeoutMs: settings.BULK_TIMEOUT_MS,
      untilPollMs: settings.UNTIL_POLL_MS,
      onStep,
      basicPrefix: settings.BASIC_USER_PREFIX,
    },
  ),
  {
    logger,
    metrics,
    callers,
    problems: PROBLEMS,
    trustProxy: settings.TRUSTED_PROXIES,
    rateLimits: {
      perCaller: settings.RATE_LIMIT_PER_CALLER,
      perAddress: settings.RATE_LIMIT_PER_ADDRESS,
    },
  },
);
// First to last: what takes requests, then what they need.
closeOnSignals([app, log, reads, personalData], { logger });
await app.listen({ host: settings.HOST, port: settings.PORT });
