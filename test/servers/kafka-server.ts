import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import { fetchServer } from './fetch.js';
import { freePort } from './free-port.js';
import { makeServerFolder } from './server-folder.js';
import type { RunningServer } from './server-process.js';
import { runServer } from './server-process.js';

const run = promisify(execFile);

export interface KafkaServer extends RunningServer {
  /** `host:port`, as `KAFKA_BROKERS` has it. */
  readonly brokers: string;
}

/**
 * One broker that is its own controller (KRaft); it takes requests when this resolves.
 * `clusterId` is 16 bytes in base64url.
 */
export async function startKafka(
  clusterId = randomBytes(16).toString('base64url'),
): Promise<KafkaServer> {
  const jars = join(await fetchServer('kafka'), '*');
  const [port, controllerPort] = [await freePort(), await freePort()];
  const brokers = `127.0.0.1:${port}`;
  const folder = makeServerFolder('kafka');
  const settings = join(folder.path, 'server.properties');
  try {
    await writeFile(settings, properties(brokers, controllerPort, join(folder.path, 'data')));
    // In one word: an id may begin with a dash.
    const format = ['format', '--config', settings, '--standalone', `--cluster-id=${clusterId}`];
    const formatting = run(
      'java',
      ['-cp', jars, ...QUICK_START, 'kafka.tools.StorageTool', ...format],
      { timeout: 120_000, cwd: folder.path },
    );
    folder.guard(formatting.child.pid);
    await formatting;
    folder.unguard();
  } catch (error) {
    await folder.remove();
    throw error;
  }

  const server = await runServer({
    name: 'kafka',
    command: 'java',
    folder,
    args: [...['-cp', jars, '-Xms256m', '-Xmx512m', ...LOGGING], 'kafka.Kafka', settings],
    answers: () => knowsItself(brokers),
  });
  return Object.defineProperty(server as KafkaServer, 'brokers', {
    value: brokers,
    enumerable: true,
  });
}

// For a program that lives a second; the broker itself gets the full compiler, since benchmarks use it.
const QUICK_START = ['-Xshare:auto', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];

const LOGGING = [
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
  '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
];

const properties = (brokers: string, controllerPort: number, data: string): string =>
  Object.entries({
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.bootstrap.servers': `127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://${brokers},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://${brokers},CONTROLLER://127.0.0.1:${controllerPort}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': data,
    // No topic by accident (decision 4); a join waits for no other member (precise.md 12).
    'auto.create.topics.enable': false,
    'group.initial.rebalance.delay.ms': 0,
    'unclean.leader.election.enable': false,
    // After kill -9 a broker may register again only once its former session has ended: 9 s by default.
    // Not shorter than this, or a busy machine fences a broker that lives.
    'broker.session.timeout.ms': 5000,
    'broker.heartbeat.interval.ms': 500,
    'offsets.topic.num.partitions': 4,
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'share.coordinator.state.topic.num.partitions': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
  })
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');

/** A broker answers before it may lead partitions; once it lists itself, topics can be made. */
async function knowsItself(brokers: string): Promise<void> {
  const kafka = new Kafka({
    brokers: [brokers],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 2000,
    requestTimeout: 5000,
    retry: { retries: 0 },
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    const cluster = await admin.describeCluster();
    if (cluster.brokers.length === 0) throw new Error('the broker is still fenced');
  } finally {
    await admin.disconnect();
  }
}
