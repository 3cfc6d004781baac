import {
  closeOnSignals,
  createLogger,
  exitOnBadSettings,
  loadSettings,
  startMetrics,
} from '@token-status/platform';
import { createDemoIdentityProvider } from './demo-identity-provider.js';
import { demoIdentityProviderSettings, notInProduction } from './settings.js';

const settings = exitOnBadSettings(() =>
  loadSettings(demoIdentityProviderSettings, process.env, notInProduction),
);
const logger = createLogger({ name: 'demo-identity-provider', level: settings.LOG_LEVEL });
const provider = await createDemoIdentityProvider({
  port: settings.DEMO_IDP_PORT,
  host: settings.DEMO_IDP_HOST,
  issuer: settings.DEMO_IDP_ISSUER,
  apiAudience: settings.DEMO_IDP_AUDIENCE,
  consoleUrl: settings.DEMO_IDP_CONSOLE_URL,
  keysFile: settings.DEMO_IDP_KEYS_FILE,
  metrics: startMetrics({ service: 'demo-identity-provider', version: '0.1.0' }),
  onFault: (error) => logger.error({ err: error }, 'a fault, answered as server_error'),
});
closeOnSignals([provider], { logger });
logger.info({ issuer: provider.issuer, port: provider.port }, 'listening, with demo users');
