import { walk } from '@token-status/standalone';
import { findOrStartServers, isFree } from '../servers/index.js';
import { makeStack } from './stack.js';

// `npm run stack`: a real MongoDB and Kafka and every app as its own process, as in production. An app
// that dies is started again, as a supervisor would: try `kill -9` on any of the numbers below.

const PORTS = {
  'token-service': 3000,
  'auth-gateway': 3001,
  'demo-identity-provider': 3002,
  'event-relay': 3010,
  projector: 3020,
};
for (const [app, port] of Object.entries(PORTS)) {
  if (await isFree(port)) continue;
  // Whoever is there would be taken for ours.
  console.error(
    `Port ${port}, which ${app} needs, is taken: end what listens there, then start again.`,
  );
  process.exit(1);
}

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => stopping.abort());
}

const servers = await findOrStartServers();
const stack = await makeStack({
  mongodbUri: servers.mongodbUri,
  kafkaBrokers: servers.kafkaBrokers,
  ports: PORTS,
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
  console.log(
    walk({
      api: stack.tokenService.url,
      gateway: stack.gateways[0]?.url ?? '',
      issuer: stack.issuer,
    }),
  );
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
