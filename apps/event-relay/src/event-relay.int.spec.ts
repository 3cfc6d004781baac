import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  SignatureVerifier,
  fromEventRecord,
  parseSigningKey,
  readHeartbeat,
  tag,
  topics,
  verificationKeyOf,
} from '@token-status/contracts';
import type { Heartbeat, PublishedEvent } from '@token-status/contracts';
import { createKafkaEventBus } from '@token-status/event-bus';
import type { EventBus, Publisher } from '@token-status/event-bus';
import { newCommandId, openEventLog, openMongoLogStore } from '@token-status/event-log';
import type { EventLog } from '@token-status/event-log';
import { until } from '../../../test/contracts/until.js';
import { deleteTopics } from '../../../test/servers/delete-topics.js';
import { dropDatabases } from '../../../test/servers/drop-databases.js';
import { EventRelay } from './event-relay.js';
import type { EventRelayOptions, RelayStep } from './event-relay.js';

const uri = process.env.MONGODB_URI ?? '';
const brokers = (process.env.KAFKA_BROKERS ?? '').split(',');

describe('the relay, on real MongoDB and Kafka', () => {
  let database: string;
  let log: EventLog;
  let bus: EventBus;
  let names: ReturnType<typeof topics>;
  let relays: EventRelay[];
  let published: PublishedEvent[];
  let heartbeats: Heartbeat[];

  beforeEach(async () => {
    const random = randomBytes(6).toString('hex');
    database = `test_relay_${random}`;
    names = topics(`test-relay-${random}`);
    relays = [];
    published = [];
    heartbeats = [];
    log = openEventLog(await openMongoLogStore({ uri, database }));
    bus = createKafkaEventBus({ brokers, clientId: 'relay-test' });
  });

  afterEach(async () => {
    await Promise.all(relays.map((relay) => relay.close()));
    await bus.close();
    await log.close();
    await dropDatabases(uri, database);
    // Some tests end before they are made.
    await deleteTopics(brokers, names.events, names.heartbeats, names.probes).catch(() => null);
  });

  const startRelay = (options: Partial<EventRelayOptions> = {}): EventRelay => {
    const relay = new EventRelay({
      openLog: () => Promise.resolve(log),
      bus,
      topics: names,
      eventPartitions: 3,
      heartbeatMs: 50,
      // No lease runs out because this machine is busy.
      leaseMs: 6000,
      ...options,
    });
    relays.push(relay);
    relay.start();
    return relay;
  };

  /** Reads both topics from their beginning, as a gateway that has just started does. */
  const listen = async (): Promise<void> => {
    const startAt = (): Promise<'earliest'> => Promise.resolve('earliest');
    const from = { mode: { kind: 'every' }, startAt } as const;
    await bus.subscribe({
      ...from,
      topic: names.events,
      onBatch: ({ records }) =>
        Promise.resolve(void published.push(...records.map(fromEventRecord))),
    });
    await bus.subscribe({
      ...from,
      topic: names.heartbeats,
      onBatch: ({ records }) =>
        Promise.resolve(
          void heartbeats.push(...records.flatMap(({ value }) => readHeartbeat(value) ?? [])),
        ),
    });
  };

  const positions = (): number[] =>
    [...new Set(published.map(({ position }) => position))].toSorted((a, b) => a - b);
  const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

  it('publishes the whole log, each token in its order, as CloudEvents with their positions', async () => {
    for (let n = 0; n < 20; n++) await rename(log, n % 4);
    startRelay();
    await until(() => relays[0]!.state().published === 20);
    await listen();
    await until(() => positions().length === 20);
    expect(positions()).toEqual(upTo(20));
    for (let n = 0; n < 4; n++) {
      const versions = published
        .filter(({ event }) => event.tokenId === idOf(n))
        .map(({ event }) => event.tokenVersion);
      expect(versions).toEqual([1, 2, 3, 4, 5]);
    }
    expect(published.every(({ epoch }) => epoch === log.epoch)).toBe(true);
  });

  it('publishes what is appended while it runs', async () => {
    const relay = startRelay();
    await until(() => relay.state().leading);
    await listen();
    for (let n = 0; n < 5; n++) {
      await rename(log, n);
      await until(() => positions().length === n + 1);
    }
  });

  it('goes on from its stored position, and sends nothing again', async () => {
    const first = startRelay();
    for (let n = 0; n < 5; n++) await rename(log, n);
    await until(() => first.state().published === 5);
    await first.close();
    const second = startRelay();
    await rename(log, 0);
    await until(() => second.state().published === 6);
    await listen();
    await until(() => positions().length === 6);
    expect(published).toHaveLength(6);
  });

  it.each<RelayStep>([
    'relay.read',
    'relay.published',
    'relay.stored',
    'relay.beat-fenced',
    'relay.beat-published',
  ])('repeats, and skips nothing, when it fails at %s', async (step) => {
    let failures = 0;
    const relay = startRelay({
      onStep: (reached) => {
        if (reached === step && failures++ === 0) throw new Error(`failed at ${step}`);
      },
    });
    for (let n = 0; n < 6; n++) await rename(log, n % 2);
    await until(() => failures > 0);
    await rename(log, 0);
    await until(() => relay.state().published === 7);
    await listen();
    await until(() => positions().length === 7);
    for (const token of [0, 1]) {
      const seen = published
        .filter(({ event }) => event.tokenId === idOf(token))
        .map(({ event }) => event.tokenVersion);
      const first = [...new Set(seen)];
      expect(first).toEqual(first.map((_, i) => i + 1));
    }
  });

  it('proves with a heartbeat that all up to a position was published before', async () => {
    const relay = startRelay();
    for (let n = 0; n < 5; n++) await rename(log, n);
    await until(() => relay.state().published === 5);
    await listen();
    await until(() => heartbeats.some(({ position }) => position === 5));
    const proof = heartbeats.find(({ position }) => position === 5)!;
    expect(proof.epoch).toBe(log.epoch);
    const ends = await bus.ends(names.events);
    expect(proof.offsets).toEqual(
      Object.fromEntries([...ends].map(([partition, end]) => [String(partition), String(end)])),
    );
  });

  it('echoes each nonce in a heartbeat whose clock was read after the nonce', async () => {
    let clock = 1_000;
    const relay = startRelay({ now: () => clock });
    await until(() => relay.state().leading);
    await listen();
    await until(() => heartbeats.length > 0);
    clock = 2_000;
    const probe = { gateway: 'gateway-1', nonce: randomBytes(16).toString('base64url') };
    const sender = await bus.publisher();
    await sender.publish(names.probes, [
      { key: 'gateway-1', headers: {}, value: 'no probe at all' },
      { key: 'gateway-1', headers: {}, value: JSON.stringify(probe) },
    ]);
    await until(() => heartbeats.some(({ echoes }) => echoes.length > 0));
    const echo = heartbeats.find(({ echoes }) => echoes.length > 0)!;
    expect(echo.echoes).toEqual([probe]);
    expect(echo.at).toBe('1970-01-01T00:00:02.000Z');
    expect(heartbeats.filter(({ echoes }) => echoes.length > 0)).toHaveLength(1);
  });

  it('signs every event and heartbeat where it has a key, sent again or not', async () => {
    const signingKey = parseSigningKey({
      ...generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }),
      kid: 'relay-1',
    });
    const verifier = new SignatureVerifier([verificationKeyOf(signingKey)]);
    for (let n = 0; n < 250; n++) await rename(log, n % 50);
    let failures = 0;
    const relay = startRelay({
      signingKey,
      onStep: (reached) => {
        if (reached === 'relay.published' && failures++ === 0) throw new Error('failed once');
      },
    });
    await until(() => relay.state().published === 250);
    const verdicts: { events: string[]; heartbeats: string[] } = { events: [], heartbeats: [] };
    for (const kind of ['events', 'heartbeats'] as const) {
      await bus.subscribe({
        topic: names[kind],
        mode: { kind: 'every' },
        startAt: () => Promise.resolve('earliest'),
        onBatch: async ({ records }) => {
          for (const record of records) {
            verdicts[kind].push(
              await (kind === 'events'
                ? verifier.verifyEvent(record, names.events)
                : verifier.verifyHeartbeat(record, names.heartbeats)),
            );
          }
        },
      });
    }
    await listen();
    await until(() => positions().length === 250 && verdicts.events.length === published.length);
    await until(() => verdicts.heartbeats.length > 0);
    expect(published.length).toBeGreaterThan(250);
    expect(new Set([...verdicts.events, ...verdicts.heartbeats])).toEqual(new Set(['verified']));
  });

  it('signs nothing where it has no key', async () => {
    const relay = startRelay();
    await rename(log, 0);
    await until(() => relay.state().published === 1);
    const headers: string[] = [];
    for (const topic of [names.events, names.heartbeats]) {
      await bus.subscribe({
        topic,
        mode: { kind: 'every' },
        startAt: () => Promise.resolve('earliest'),
        onBatch: ({ records }) =>
          Promise.resolve(void headers.push(...records.flatMap((r) => Object.keys(r.headers)))),
      });
    }
    await until(
      () =>
        headers.includes('ce_position') && headers.filter((h) => h === 'content-type').length > 1,
    );
    expect(headers.filter((name) => /signature|keyid/.test(name))).toEqual([]);
  });

  it('leads alone, and a standby takes over when it is gone', async () => {
    const terms: (number | null)[] = [];
    const observer = {
      led: (leading: boolean, term: number | null) => {
        if (leading) terms.push(term);
      },
    };
    const first = startRelay({ observer });
    await until(() => first.state().leading);
    const second = startRelay({ observer });
    await rename(log, 0);
    await until(() => first.state().published === 1);
    expect(second.state().leading).toBe(false);
    await first.close();
    await until(() => second.state().leading);
    await rename(log, 0);
    await until(() => second.state().published === 2);
    expect(terms).toEqual([1, 2]);
  });

  it("sends nothing more once its lease is another's", async () => {
    let answer: () => void = () => undefined;
    const silence = new Promise<void>((resolve) => (answer = resolve));
    const slow: EventLog = {
      ...log,
      leases: {
        // The database answers this relay no more: its lease runs out behind its back.
        acquire: async (name, holder, ttlMs) => {
          if (first.state().leading) await silence;
          return log.leases.acquire(name, holder, ttlMs);
        },
        release: () => Promise.resolve(),
      },
    };
    let sentByFirst = 0;
    const first: EventRelay = startRelay({
      openLog: () => Promise.resolve(slow),
      leaseMs: 1500,
      observer: { published: ({ events }) => (sentByFirst += events) },
    });
    await until(() => first.state().leading);
    const second = startRelay();
    await until(() => second.state().leading);
    await rename(log, 0);
    await until(() => second.state().published === 1);
    await until(() => !first.state().leading);
    answer();
    await rename(log, 0);
    await until(() => second.state().published === 2);
    expect(sentByFirst).toBe(0);
  });

  it('sends all of the log to a topic that was made again under the same name', async () => {
    const relay = startRelay();
    for (let n = 0; n < 3; n++) await rename(log, 0);
    await until(() => relay.state().published === 3);
    await deleteTopics(brokers, names.events);
    await until(async () => {
      await bus.ensureTopics([{ name: names.events, partitions: 3, retention: 'for-ever' }]);
      // A broker may list the old one for a moment still.
      const ends = await bus.ends(names.events).catch(() => new Map([[0, 3n]]));
      return [...ends.values()].every((end) => end === 0n);
    });
    await rename(log, 0);
    await listen();
    await until(() => positions().length === 4);
    expect(positions()).toEqual(upTo(4));
  });

  describe('while the broker is silent', () => {
    const never = new Promise<never>(() => undefined);

    it('ends when it is told to, though it has not come to lead', async () => {
      const relay = startRelay({ bus: { ...bus, publisher: () => never } });
      await until(() => relay.state().leaseAskedMsAgo !== null);
      await relay.close();
    });

    it('ends when it is told to, though a batch is in hand', async () => {
      let sending = false;
      const silent = async (): Promise<Publisher> => {
        const publisher = await bus.publisher();
        return {
          publish: () => {
            sending = true;
            return never;
          },
          close: () => publisher.close(),
        };
      };
      await rename(log, 0);
      const relay = startRelay({ bus: { ...bus, publisher: silent } });
      await until(() => sending);
      await relay.close();
    });
  });
});

const idOf = (n: number): string => `tok_${n.toString(16).padStart(32, '0')}`;

/** The next event of a token, whatever it means. */
async function rename(log: EventLog, n: number): Promise<void> {
  const tokenId = idOf(n);
  await log.decideAndAppend<number, never>({
    commandId: newCommandId(),
    tags: [tag.token(tokenId)],
    fold: { name: 'versions', initial: 0, evolve: (version) => version + 1 },
    decide: (version) => [
      {
        type: 'TokenRenamed',
        schemaVersion: 1,
        tags: [tag.token(tokenId)],
        data: {
          tokenId,
          tokenVersion: version + 1,
          userId: 'u-1',
          accountId: 'acme',
          at: new Date().toISOString(),
          by: { kind: 'user', id: 'u-1' },
          authority: 'owner',
          commandId: newCommandId(),
          origin: null,
          name: 'v1.name',
        },
      },
    ],
  });
}
