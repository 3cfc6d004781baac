import net from 'node:net';
import tls from 'node:tls';
import type { ISocketFactoryArgs, KafkaConfig, LogEntry, SASLOptions } from 'kafkajs';
import { Kafka, logLevel } from 'kafkajs';
import { settledWithin } from '../bounded.js';

export type KafkaSasl = SASLOptions;

/** The program's own log, as pino has it. The details never hold a secret, a key or a record's value. */
export type BusLogger = Readonly<
  Record<'debug' | 'info' | 'warn' | 'error', (details: object, message: string) => void>
>;

export interface KafkaConnection {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly ssl: boolean | tls.ConnectionOptions;
  readonly sasl: KafkaSasl | undefined;
  readonly connectionTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly logger: BusLogger;
}

/**
 * A kafkajs instance whose sockets are ours. kafkajs has no way to stop: a disconnect waits for answers
 * that may never come, and a send that was given up goes on being tried. Here {@link kill} ends all of
 * it at once: sockets are destroyed and no new one is made.
 */
export class KafkaClient {
  readonly kafka: Kafka;
  readonly #sockets = new Set<net.Socket>();
  #killed = false;

  constructor(private readonly connection: KafkaConnection) {
    const config: KafkaConfig = {
      brokers: [...connection.brokers],
      clientId: connection.clientId,
      ssl: connection.ssl,
      connectionTimeout: connection.connectionTimeoutMs,
      authenticationTimeout: connection.connectionTimeoutMs,
      requestTimeout: connection.requestTimeoutMs,
      retry: KAFKAJS_RETRIES,
      socketFactory: (args) => this.#openSocket(args),
      // At DEBUG kafkajs would log requests and responses, records included.
      logLevel: logLevel.INFO,
      logCreator: () => (entry) => {
        this.#log(entry);
      },
    };
    if (connection.sasl !== undefined) config.sasl = connection.sasl;
    this.kafka = new Kafka(config);
  }

  /** Lets `leave` end the connections in peace for at most `ms`, then ends them. Never rejects. */
  async close(leave: () => Promise<unknown>, ms: number): Promise<void> {
    await settledWithin(ms, leave());
    this.kill();
  }

  kill(): void {
    this.#killed = true;
    for (const socket of this.#sockets) socket.destroy(new Error('this client was closed'));
  }

  #openSocket({ host, port, ssl, onConnect }: ISocketFactoryArgs): net.Socket {
    if (this.#killed) throw new Error('this client was closed');
    // kafkajs passes `ssl: true` on as it is; its type says otherwise.
    const options: unknown = ssl;
    const socket =
      options === undefined || options === null || options === false
        ? net.connect({ host, port }, onConnect)
        : tls.connect(
            {
              host,
              port,
              ...(net.isIP(host) === 0 ? { servername: host } : {}),
              ...(typeof options === 'object' ? options : {}),
            },
            onConnect,
          );
    // Requests are small and each is waited for: never hold one back to fill a packet.
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  }

  /**
   * kafkajs calls an error what it is about to try again, so each level is taken one down; what is not
   * tried again reaches the caller as a rejection or by `onFault`.
   */
  #log({ level, namespace, log }: LogEntry): void {
    if (this.#killed || level > logLevel.INFO) return;
    const ours = OUR_LEVEL.get(level) ?? 'debug';
    const details: Record<string, unknown> = { namespace };
    for (const name of LOGGED) if (log[name] !== undefined) details[name] = log[name];
    this.connection.logger[log.message.startsWith(EXPECTED) ? 'debug' : ours](details, log.message);
  }
}

/** Few and quick: past them we build a new client, which kafkajs does not. */
export const KAFKAJS_RETRIES = { retries: 3, initialRetryTime: 100, maxRetryTime: 1_000 } as const;

const OUR_LEVEL = new Map<logLevel, 'debug' | 'info' | 'warn'>([
  [logLevel.ERROR, 'warn'],
  [logLevel.WARN, 'info'],
  [logLevel.INFO, 'debug'],
]);

/** Warnings about what is so by intent: a bounded number of retries. */
const EXPECTED = 'Limiting retries for the idempotent producer';

/** By name, so that nothing else that kafkajs may add to an entry gets out. */
const LOGGED = [
  'broker',
  'clientId',
  'groupId',
  'memberId',
  'topic',
  'partition',
  'error',
  'retryCount',
  'retryTime',
] as const;
