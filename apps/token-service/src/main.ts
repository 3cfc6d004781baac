import { PROBLEMS } from '@token-status/contracts';
import { openEventLog, openMongoLogStore } from '@token-status/event-log';
import { openMongoPersonalData } from '@token-status/personal-data';
import {
  closeOnSignals,
  createApp,
  createLogger,
  createTokenVerifier,
  exitOnBadSettings,
  keepTrying,
  loadSettings,
  startMetrics,
} from '@token-status/platform';
import type { Closable } from '@token-status/platform';
import { openMongoReadModel } from '@token-status/read-model';
import { logObserver } from './commands/command-metrics.js';
import { tokenServiceSettings } from './settings.js';
import { TokenServiceModule } from './token-service.module.js';

const settings = exitOnBadSettings(() => loadSettings(tokenServiceSettings, process.env));
const logger = createLogger({ name: 'token-service', level: settings.LOG_LEVEL });
const metrics = startMetrics({ service: 'token-service', version: '0.1.0' });
const onFault = (what: string) => (fault: unknown) => logger.warn({ err: fault }, what);

// Closed first to last: what takes requests, then what they need.
const starting = new AbortController();
const stopStarting = (): Promise<void> => {
  starting.abort();
  return Promise.resolve();
};
const open: Closable[] = [{ close: stopStarting }];
closeOnSignals(open, { logger });

/** A database that is away when we start is waited for: starting over would not bring it back. */
async function opened<T extends Closable>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    const part = await keepTrying(work, {
      signal: starting.signal,
      onFault: onFault(`${what} can't be opened yet`),
    });
    open.push(part);
    return part;
  } catch (fault) {
    // Told to stop while waiting: whoever closes the rest ends the process.
    if (starting.signal.aborted) return new Promise<never>(() => undefined);
    throw fault;
  }
}

const log = await opened('the event log', async () =>
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
);
const reads = await opened('the read model', () =>
  openMongoReadModel({ uri: settings.MONGODB_URI, database: settings.READ_MODEL_DATABASE }),
);
const personalData = await opened("the users' keys", () =>
  openMongoPersonalData({
    uri: settings.KEYS_MONGODB_URI,
    database: settings.KEYS_DATABASE,
    masterKey: settings.PERSONAL_DATA_KEY,
  }),
);
const callers = createTokenVerifier({
  issuer: settings.OIDC_ISSUER,
  audience: settings.OIDC_AUDIENCE,
});
// So that no first caller waits for the keys; should the issuer be away, callers are told (503).
await callers.load().catch(onFault("the issuer's keys can't be fetched yet"));

const app = await createApp(
  TokenServiceModule.register(
    { log, reads, personalData },
    {
      fingerprintKey: settings.FINGERPRINT_KEY,
      tokensPerUser: settings.TOKENS_PER_USER,
      commandTimeoutMs: settings.COMMAND_TIMEOUT_MS,
    },
  ),
  { logger, metrics, callers, problems: PROBLEMS },
);
open.splice(1, 0, app);
await app.listen({ host: settings.HOST, port: settings.PORT });
