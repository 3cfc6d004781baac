import { createHash } from 'node:crypto';
import {
  newSecret,
  readProbe,
  secretDigest,
  toEventRecord,
  topicSpecs,
  topics,
  userNameDigest,
} from '@token-status/contracts';
import type { EventType, Probe } from '@token-status/contracts';
import { createInProcessEventBus } from '@token-status/event-bus';
import type { BusRecord, Publisher } from '@token-status/event-bus';
import { createApp, createLogger, startMetrics } from '@token-status/platform';
import type { App } from '@token-status/platform';
import { createTokenGuard } from '@token-status/token-guard';
import type { Clocks, TokenGuard } from '@token-status/token-guard';
import { AuthGatewayModule } from './auth-gateway.module.js';
import type { AuthGatewayPorts } from './auth-gateway.module.js';

/** What the gateway's specs start from. Not a test: the runner takes `.unit.` and `.int.` only. */

const EPOCH = 'e'.repeat(32);

export interface GivenToken {
  readonly id: string;
  readonly user: string;
  readonly secret: string;
}

export const token = (user: string): GivenToken => {
  const secret = newSecret();
  const id = createHash('sha256').update(secret).digest('hex').slice(0, 32);
  return { id: `tok_${id}`, user, secret };
};

/** The log and the relay, as a gateway sees them: events on a bus within the process, and heartbeats. */
export class LogOfTheTest {
  readonly topics = topics('test');
  /** Of the gateway and the relay; both can be moved on. */
  readonly clocks: Clocks = {
    monotonic: () => performance.now() + this.#passed,
    wall: () => Date.now() + this.#passed,
  };
  #passed = 0;
  readonly #events: BusRecord[] = [];
  readonly bus = createInProcessEventBus({
    durable: {
      [this.topics.events]: {
        id: EPOCH,
        read: (from, limit) =>
          Promise.resolve(
            this.#events
              .slice(Number(from), Number(from) + limit)
              .map((record, n) => ({ offset: from + BigInt(n), record })),
          ),
        end: () => Promise.resolve(BigInt(this.#events.length)),
      },
    },
  });
  readonly #echoes = new Map<string, Probe>();
  #publisher!: Publisher;
  #timer: NodeJS.Timeout | undefined;

  async start(): Promise<this> {
    await this.bus.ensureTopics(topicSpecs(this.topics, 1));
    this.#publisher = await this.bus.publisher();
    await this.bus.subscribe({
      topic: this.topics.probes,
      mode: { kind: 'every' },
      startAt: () => Promise.resolve('latest'),
      onBatch: ({ records }) => {
        for (const { value } of records) {
          const probe = readProbe(value);
          if (probe) this.#echoes.set(probe.gateway, probe);
        }
        return Promise.resolve();
      },
    });
    this.beat();
    return this;
  }

  /** Heartbeats, from now on. */
  beat(): void {
    this.#timer = setInterval(() => {
      const heartbeat = {
        epoch: EPOCH,
        at: new Date(this.clocks.wall()).toISOString(),
        position: this.#events.length,
        offsets: {},
        echoes: [...this.#echoes.values()],
      };
      const record = { key: null, headers: {}, value: JSON.stringify(heartbeat) };
      this.#publisher.publish(this.topics.heartbeats, [record]).catch(() => undefined);
    }, 10);
  }

  /** No heartbeat any more, and so much later. */
  silence(forMs: number): void {
    clearInterval(this.#timer);
    this.#passed += forMs;
  }

  /** @returns the log's position after it. */
  async append(of: GivenToken, type: EventType, version: number): Promise<number> {
    const id = createHash('sha256').update(`${of.id} ${version}`).digest('hex').slice(0, 32);
    const data = {
      tokenId: of.id,
      tokenVersion: version,
      userId: `u-${of.user}`,
      accountId: 'acme',
      at: new Date().toISOString(),
      by: { kind: 'service', id: 'test' },
      authority: 'owner',
      commandId: id,
      origin: null,
      ...(type === 'TokenAdded' ? {} : { reason: null, note: null }),
      ...this.#own(of, type),
    };
    const position = this.#events.length + 1;
    const event = { id, type, schemaVersion: 1, tags: [], data, traceparent: null, hash: '' };
    const record = toEventRecord({ ...event, position }, EPOCH);
    this.#events.push(record);
    await this.#publisher.publish(this.topics.events, [record]);
    return position;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.bus.close();
  }

  #own({ secret, user }: GivenToken, type: EventType): object {
    switch (type) {
      case 'TokenAdded':
        return {
          name: 'sealed',
          hint: secret.slice(4, 10),
          secretDigest: secretDigest(secret),
          userNameDigest: userNameDigest(secret, `${user}@example.com`),
          expiresAt: null,
        };
      case 'TokenDisabled':
        return { disabledWith: 'owner', until: null };
      case 'TokenEnabled':
        return { cause: 'command' };
      case 'TokenRenamed':
        return { name: 'sealed-new-name' };
      case 'TokenRevoked':
        return {};
    }
  }
}

/** Far above what a loaded machine can hold up; the clocks are moved where staleness is meant. */
export const MAX_STALENESS_MS = 60_000;

/** The gateway's app on that log, with a guard of its own; it does not listen yet. */
export async function givenGateway(
  log: LogOfTheTest,
  ports: Partial<AuthGatewayPorts>,
  lines: string[] = [],
): Promise<{ readonly app: App; readonly guard: TokenGuard }> {
  const logger = createLogger({
    name: 'auth-gateway',
    level: 'trace',
    destination: { write: (line: string) => lines.push(line) },
  });
  const metrics = startMetrics({ service: 'auth-gateway', version: '0' });
  let guard!: TokenGuard;
  const app = await createApp(
    AuthGatewayModule.register({
      guard: (observers) =>
        (guard = createTokenGuard({
          bus: log.bus,
          topics: log.topics,
          gatewayId: 'gw-1',
          probeEveryMs: 20,
          maxStalenessMs: MAX_STALENESS_MS,
          clocks: log.clocks,
          ...observers,
        })),
      logger,
      metrics,
      trustedProxies: ['loopback'],
      ...ports,
    }),
    { logger, metrics, callers: 'none' },
  );
  return { app, guard };
}
