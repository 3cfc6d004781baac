import { findOrStartServers } from '../servers/index.js';
import { makeStack } from './stack.js';

// `npm run stack`: a real MongoDB and Kafka and every app as its own process, as in production. An app
// that dies is started again, as a supervisor would: try `kill -9` on any of the numbers below.

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => stopping.abort());
}

const servers = await findOrStartServers();
const stack = await makeStack({
  mongodbUri: servers.mongodbUri,
  kafkaBrokers: servers.kafkaBrokers,
  ports: {
    'token-service': 3000,
    'auth-gateway': 3001,
    'demo-identity-provider': 3002,
    'event-relay': 3010,
    projector: 3020,
  },
  env: { NODE_ENV: 'development' },
  onLine: (app, line) => console.error(`${app.padEnd(23)} ${line}`),
});
try {
  await stack.start();
  console.log('\nRunning until Ctrl-C. The data is thrown away then.\n');
  for (const { name, process: app } of stack.all) {
    console.log(`  ${name.padEnd(24)} ${app.url.padEnd(24)} process ${app.pid ?? '?'}`);
  }
  console.log(`\n  MONGODB_URI=${servers.mongodbUri}\n  KAFKA_BROKERS=${servers.kafkaBrokers}`);
  console.log("\nREADME.md's curl walk works on these addresses too.\n");
  await Promise.all(
    stack.all.map(async ({ name, process: app }) => {
      for (;;) {
        await Promise.race([app.ended(), aborted()]);
        if (stopping.signal.aborted) return;
        console.error(`${name} ended; starting it again`);
        await app.start('livez').catch((fault: unknown) => console.error(String(fault)));
      }
    }),
  );
} finally {
  console.error('Stopping …');
  await stack.stop();
  await servers.stop();
}

function aborted(): Promise<void> {
  if (stopping.signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    stopping.signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
