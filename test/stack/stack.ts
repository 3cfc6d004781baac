import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEMO_CONFIGURATION } from '@token-status/standalone';
import { freePort } from '../servers/index.js';
import { AppProcess } from './app-process.js';
import type { AppName } from './app-process.js';

export interface StackOptions {
  readonly mongodbUri: string;
  readonly kafkaBrokers: string;
  /** Fixed ports for people; free ones where it is left out. */
  readonly ports?: Readonly<Partial<Record<AppName, number>>>;
  /** Beside another stack on the same servers: its own databases and topics. */
  readonly name?: string;
  readonly gateways?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly onLine?: (app: string, line: string) => void;
}

/** Every app as its own process, as in production, on one MongoDB and one Kafka. */
export interface Stack {
  readonly tokenService: AppProcess;
  readonly eventRelay: AppProcess;
  readonly projector: AppProcess;
  readonly gateways: readonly AppProcess[];
  readonly identityProvider: AppProcess;
  readonly issuer: string;
  /** Of all gateways, which follow it. */
  readonly configurationFile: string;
  readonly topicPrefix: string;
  readonly databases: readonly string[];
  readonly all: readonly { readonly name: string; readonly process: AppProcess }[];
  /** The environment that a further process of an app needs: a standby relay, a second projector. */
  process(app: AppName, env?: Readonly<Record<string, string>>): Promise<AppProcess>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export async function makeStack(options: StackOptions): Promise<Stack> {
  const name = options.name ?? randomBytes(4).toString('hex');
  const folder = await mkdtemp(join(tmpdir(), 'token-status-stack-'));
  const topicPrefix = `api-token-${name}`;
  const databases = {
    LOG_DATABASE: `token_status_log_${name}`,
    READ_MODEL_DATABASE: `token_status_read_model_${name}`,
    KEYS_DATABASE: `token_status_keys_${name}`,
  };
  const portOf = async (app: AppName): Promise<number> => options.ports?.[app] ?? freePort();
  const issuerPort = await portOf('demo-identity-provider');
  const issuer = `http://localhost:${issuerPort}`;
  const configurationFile = join(folder, 'gateway.json');
  await writeFile(configurationFile, JSON.stringify(DEMO_CONFIGURATION));
  const shared = {
    NODE_ENV: 'test',
    MONGODB_URI: options.mongodbUri,
    KEYS_MONGODB_URI: options.mongodbUri,
    KAFKA_BROKERS: options.kafkaBrokers,
    TOPIC_PREFIX: topicPrefix,
    PERSONAL_DATA_KEY: randomBytes(32).toString('hex'),
    FINGERPRINT_KEY: randomBytes(32).toString('hex'),
    CONFIGURATION_FILE: configurationFile,
    PROJECTOR_GROUP: `token-status.projector.${name}`,
    OIDC_ISSUER: issuer,
    DEMO_IDP_ISSUER: issuer,
    DEMO_IDP_PORT: String(issuerPort),
    // A restart of the provider must not make the tests' access tokens invalid.
    DEMO_IDP_KEYS_FILE: join(folder, 'issuer-keys.json'),
    ...databases,
    ...options.env,
  };
  const make = async (
    app: AppName,
    label: string,
    port: number,
    env: Readonly<Record<string, string>> = {},
  ): Promise<AppProcess> =>
    Promise.resolve(
      new AppProcess({
        app,
        url: `http://127.0.0.1:${port}`,
        env: { ...shared, PORT: String(port), ...env },
        ...(options.onLine ? { onLine: (line: string) => options.onLine?.(label, line) } : {}),
      }),
    );

  const identityProvider = await make(
    'demo-identity-provider',
    'demo-identity-provider',
    issuerPort,
  );
  const tokenService = await make('token-service', 'token-service', await portOf('token-service'));
  const eventRelay = await make('event-relay', 'event-relay', await portOf('event-relay'));
  const projector = await make('projector', 'projector', await portOf('projector'));
  const gateways: AppProcess[] = [];
  for (let n = 1; n <= (options.gateways ?? 1); n++) {
    const port = n === 1 ? await portOf('auth-gateway') : await freePort();
    gateways.push(
      await make('auth-gateway', `auth-gateway-${n}`, port, { GATEWAY_ID: `gateway-${n}` }),
    );
  }
  const all = [
    { name: 'demo-identity-provider', process: identityProvider },
    { name: 'token-service', process: tokenService },
    { name: 'event-relay', process: eventRelay },
    { name: 'projector', process: projector },
    ...gateways.map((process, n) => ({ name: `auth-gateway-${n + 1}`, process })),
  ];
  const further: AppProcess[] = [];
  return {
    tokenService,
    eventRelay,
    projector,
    gateways,
    identityProvider,
    issuer,
    configurationFile,
    topicPrefix,
    databases: Object.values(databases),
    all,
    async process(app, env) {
      const process = await make(app, app, await freePort(), env);
      further.push(process);
      return process;
    },
    async start() {
      await Promise.all(all.map(({ process }) => process.start()));
    },
    async stop() {
      await Promise.all([...all.map(({ process }) => process), ...further].map((p) => p.stop()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
