import { findOrStartServers } from './real-servers.js';
import { ServersUnavailable } from './tools.js';

// `npm run servers`: two lines on standard output that a shell can read, everything else on standard error.

const asked = new Promise<NodeJS.Signals>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, resolve);
});

try {
  const servers = await findOrStartServers();
  console.log(`MONGODB_URI=${servers.mongodbUri}`);
  console.log(`KAFKA_BROKERS=${servers.kafkaBrokers}`);
  console.error('Running until Ctrl-C. The data is thrown away then.');
  // Waiting for a signal alone does not keep a process alive.
  const alive = setInterval(() => undefined, 2 ** 30);
  await asked;
  clearInterval(alive);
  console.error('Stopping …');
  await servers.stop();
} catch (error) {
  console.error(error instanceof ServersUnavailable ? error.message : error);
  process.exitCode = 1;
}
