import {
  closeOnSignals,
  createLogger,
  exitOnBadSettings,
  loadSettings,
} from '@token-status/platform';
import { pino } from 'pino';
import { standaloneSettings } from './settings.js';
import { startStandalone } from './standalone.js';
import { welcome } from './welcome.js';

const settings = exitOnBadSettings(() => loadSettings(standaloneSettings, process.env));
// Standard output is for the person who starts it; the log goes beside.
const logger = createLogger({
  name: 'standalone',
  level: settings.LOG_LEVEL,
  destination: pino.destination({ fd: 2, sync: true }),
});
try {
  const standalone = await startStandalone({
    dataDir: settings.DATA_DIR,
    host: settings.HOST,
    ports: {
      api: settings.API_PORT,
      gateway: settings.GATEWAY_PORT,
      gatewayGrpc: settings.GATEWAY_GRPC_PORT === 'off' ? null : settings.GATEWAY_GRPC_PORT,
      issuer: settings.ISSUER_PORT,
    },
    leakReportKeysFile: settings.LEAK_REPORT_KEYS_FILE,
    logger,
  });
  closeOnSignals([standalone], { logger });
  process.stdout.write(welcome(standalone));
} catch (fault) {
  process.stderr.write(`Token Status could not start: ${explain(fault)}\n`);
  process.exit(1);
}

/** What went wrong at start is mostly a port that is taken: say which setting gives another. */
function explain(fault: unknown): string {
  const message = fault instanceof Error ? fault.message : String(fault);
  if (!(fault instanceof Error && 'code' in fault && fault.code === 'EADDRINUSE')) return message;
  return `${message}\nAnother process has that port. Choose others with API_PORT, GATEWAY_PORT, GATEWAY_GRPC_PORT and ISSUER_PORT.`;
}
