import { isFetched } from './fetch.js';
import { startKafka } from './kafka-server.js';
import { startMongo } from './mongo-server.js';
import type { ServerKind } from './tools.js';
import { checkTools } from './tools.js';

export interface RealServers {
  readonly mongodbUri: string;
  /** Comma-separated `host:port`. */
  readonly kafkaBrokers: string;
  /** Ends what was started here; servers that were found go on. */
  stop(): Promise<void>;
}

/**
 * The servers that `MONGODB_URI` and `KAFKA_BROKERS` name; where one is not set, a real one of our own
 * on a free loopback port, with throw-away data, that ends with this process however it ends.
 * Progress goes to standard error.
 * @throws ServersUnavailable where neither the variables nor the tools are there
 */
export async function findOrStartServers(): Promise<RealServers> {
  const { MONGODB_URI: mongodbUri = '', KAFKA_BROKERS: kafkaBrokers = '' } = process.env;
  const kinds: ServerKind[] = [];
  if (mongodbUri === '') kinds.push('mongodb');
  if (kafkaBrokers === '') kinds.push('kafka');
  await checkTools(
    kinds,
    kinds.filter((kind) => !isFetched(kind)),
  );

  const [mongo, kafka] = await Promise.allSettled([
    mongodbUri === '' ? started('MongoDB', startMongo) : found,
    kafkaBrokers === '' ? started('Kafka', () => startKafka()) : found,
  ]);
  const stop = async (): Promise<void> => {
    const running = [mongo, kafka].map((s) => (s.status === 'fulfilled' ? s.value : undefined));
    await Promise.all(running.map(async (server) => server?.stop()));
  };
  for (const start of [mongo, kafka]) {
    if (start.status === 'fulfilled') continue;
    await stop();
    throw start.reason;
  }
  return {
    mongodbUri: (mongo.status === 'fulfilled' ? mongo.value?.uri : undefined) ?? mongodbUri,
    kafkaBrokers: (kafka.status === 'fulfilled' ? kafka.value?.brokers : undefined) ?? kafkaBrokers,
    stop,
  };
}

const found = Promise.resolve(undefined);

async function started<T>(name: string, start: () => Promise<T>): Promise<T> {
  const since = Date.now();
  const server = await start();
  console.error(`${name} answers after ${((Date.now() - since) / 1000).toFixed(1)} s`);
  return server;
}
