import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
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
import { createKafkaEventBus } from '@token-status/event-bus';
import type { BusRecord, EventBus, Publisher } from '@token-status/event-bus';
import { createApp, createLogger, startMetrics } from '@token-status/platform';
import type { App } from '@token-status/platform';
import { createTokenGuard } from '@token-status/token-guard';
import { AuthGatewayModule } from './auth-gateway.module.js';
import { until } from '../../../test/contracts/until.js';

const EPOCH = randomBytes(16).toString('hex');
const names = topics(`test-${randomBytes(6).toString('hex')}`);
const specs = topicSpecs(names, 3);

interface Token {
  readonly id: string;
  readonly user: string;
  readonly secret: string;
}

const newToken = (user: string): Token => ({
  id: `tok_${randomBytes(16).toString('hex')}`,
  user,
  secret: newSecret(),
});

let position = 0;
/** Milliseconds by which every clock, the relay's too, is ahead of the real ones. */
const MAX_STALENESS_MS = 60_000;
let passed = 0;

function eventRecord(token: Token, type: EventType, version: number, own: object = {}): BusRecord {
  const id = createHash('sha256').update(`${token.id} ${version}`).digest('hex').slice(0, 32);
  const why = type === 'TokenAdded' ? {} : { reason: null, note: null };
  const data = {
    tokenId: token.id,
    tokenVersion: version,
    userId: `u-${token.user}`,
    accountId: 'acme',
    at: new Date().toISOString(),
    by: { kind: 'service', id: 'test' },
    authority: 'administrator',
    commandId: id,
    origin: null,
    ...why,
    ...own,
  };
  const event = { id, type, schemaVersion: 1, tags: [], data, traceparent: null, hash: '' };
  return toEventRecord({ ...event, position: ++position }, EPOCH);
}

const added = (token: Token, expiresAt: string | null = null): BusRecord =>
  eventRecord(token, 'TokenAdded', 1, {
    name: 'sealed',
    hint: token.secret.slice(4, 10),
    secretDigest: secretDigest(token.secret),
    userNameDigest: userNameDigest(token.secret, `${token.user}@example.com`),
    expiresAt,
  });
const disabled = (token: Token, version: number): BusRecord =>
  eventRecord(token, 'TokenDisabled', version, { disabledWith: 'administrator', until: null });
const enabled = (token: Token, version: number): BusRecord =>
  eventRecord(token, 'TokenEnabled', version, { cause: 'command' });
const revoked = (token: Token, version: number): BusRecord =>
  eventRecord(token, 'TokenRevoked', version);

const tokens = {
  active: newToken('alice'),
  disabled: newToken('alice'),
  'enabled again': newToken('carol'),
  revoked: newToken('carol'),
  expired: newToken('carol'),
  parked: newToken('carol'),
  unknown: newToken('alice'),
};

let bus: EventBus;
let publisher: Publisher;
let beat: () => void;
let beating: NodeJS.Timeout;
let app: App;
let url: string;

/** The relay's part: heartbeats that echo the newest nonce of each gateway. */
async function relay(): Promise<void> {
  const echoes = new Map<string, Probe>();
  await bus.subscribe({
    topic: names.probes,
    mode: { kind: 'every' },
    startAt: () => Promise.resolve('latest'),
    onBatch: ({ records }) => {
      for (const { value } of records) {
        const probe = readProbe(value);
        if (probe) echoes.set(probe.gateway, probe);
      }
      return Promise.resolve();
    },
  });
  beat = () => {
    const at = new Date(Date.now() + passed).toISOString();
    const heartbeat = { epoch: EPOCH, at, position, offsets: {}, echoes: [...echoes.values()] };
    const record = { key: null, headers: {}, value: JSON.stringify(heartbeat) };
    publisher.publish(names.heartbeats, [record]).catch(() => undefined);
  };
  beating = setInterval(beat, 50);
}

beforeAll(async () => {
  bus = createKafkaEventBus({ brokers: process.env.KAFKA_BROKERS!.split(','), clientId: 'test' });
  await bus.ensureTopics(specs);
  publisher = await bus.publisher();
  await relay();
  const yesterday = new Date(Date.now() - 86_400_000).toISOString();
  const unreadable = { ...enabled(tokens.parked, 2), value: '{' };
  await publisher.publish(names.events, [
    added(tokens.active),
    added(tokens.disabled),
    disabled(tokens.disabled, 2),
    added(tokens['enabled again']),
    disabled(tokens['enabled again'], 2),
    enabled(tokens['enabled again'], 3),
    added(tokens.revoked),
    revoked(tokens.revoked, 2),
    added(tokens.expired, yesterday),
    added(tokens.parked),
    unreadable,
  ]);
  const logger = createLogger({ name: 'auth-gateway', level: 'silent' });
  const metrics = startMetrics({ service: 'auth-gateway', version: '0' });
  app = await createApp(
    AuthGatewayModule.register({
      trustedProxies: ['loopback'],
      guard: (observers) =>
        createTokenGuard({
          bus,
          topics: names,
          ensureTopics: specs,
          gatewayId: 'gw-1',
          probeEveryMs: 50,
          // Far above what a loaded machine can hold up; the clocks are moved where staleness is meant.
          maxStalenessMs: MAX_STALENESS_MS,
          clocks: { monotonic: () => performance.now() + passed, wall: () => Date.now() + passed },
          ...observers,
        }),
      logger,
      metrics,
    }),
    { logger, metrics, callers: 'none' },
  );
  ({ url } = await app.listen({ port: 0 }));
  expect((await verify()).status).toBe(503);
  await readyz(200);
}, 120_000);

afterAll(async () => {
  clearInterval(beating);
  await app.close();
  await bus.close();
}, 120_000);

const bearer = ({ secret }: Token): string => `Bearer ${secret}`;
const basic = ({ user, secret }: Token): string =>
  `Basic ${Buffer.from(`BOOMI_TOKEN.${user}@example.com:${secret}`).toString('base64')}`;

async function verify(authorization?: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}/verify/v1/things`, {
    headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
  });
  const constant = Object.fromEntries(response.headers);
  delete constant.date;
  return { status: response.status, headers: constant, body: await response.text() };
}

const readyz = (status: number): Promise<void> =>
  until(
    async () => (await fetch(`${url}/readyz`)).status === status,
    60_000,
    `/readyz is ${status}`,
  );

const STRANGER = {
  status: 401,
  body: '',
  headers: {
    'cache-control': 'no-store',
    connection: 'keep-alive',
    'keep-alive': expect.any(String),
    'content-length': '0',
    'www-authenticate':
      'Bearer realm="api", error="invalid_token", Basic realm="api", charset="UTF-8"',
    'x-token-age': expect.stringMatching(/^\d+$/),
  },
};
const challenged = (bearerChallenge: string) => ({
  ...STRANGER,
  headers: {
    ...STRANGER.headers,
    'www-authenticate': `${bearerChallenge}, Basic realm="api", charset="UTF-8"`,
  },
});
const DISABLED = challenged(
  'Bearer realm="api", error="invalid_token", error_description="The token is disabled"',
);

describe('the gateway on Kafka', () => {
  describe.each([
    ['Bearer', bearer],
    ['Basic', basic],
  ])('by %s', (_, present) => {
    it.each(['active', 'enabled again'] as const)('passes a token that is %s', async (which) => {
      const { status, headers, body } = await verify(present(tokens[which]));
      expect({ status, body }).toEqual({ status: 200, body: '' });
      expect(headers).toMatchObject({
        'x-token-id': tokens[which].id,
        'x-token-user': `u-${tokens[which].user}`,
        'x-token-account': 'acme',
        'x-token-version': which === 'active' ? '1' : '3',
        'cache-control': 'no-store',
      });
      expect(Number(headers['x-token-age'])).toBeLessThanOrEqual(MAX_STALENESS_MS);
    });

    it('tells who holds it that a token is disabled', async () => {
      expect(await verify(present(tokens.disabled))).toEqual(DISABLED);
    });

    it.each(['revoked', 'expired', 'parked', 'unknown'] as const)(
      'gives the strangers’ answer for a token that is %s',
      async (which) => {
        expect(await verify(present(tokens[which]))).toEqual(STRANGER);
      },
    );

    it('gives the strangers’ answer for a malformed secret', async () => {
      expect(await verify(present({ ...tokens.active, secret: 'nonsense' }))).toEqual(STRANGER);
    });
  });

  it.each(['active', 'disabled'] as const)(
    'gives the strangers’ answer for a wrong user name with a token that is %s',
    async (which) => {
      expect(await verify(basic({ ...tokens[which], user: 'mallory' }))).toEqual(STRANGER);
    },
  );

  it('challenges who brings no credential, without an error', async () => {
    expect(await verify()).toEqual(challenged('Bearer realm="api"'));
  });

  it('refuses a token from its disabling until its enabling, with the same secret', async () => {
    const token = newToken('alice');
    const becomes = (status: number): Promise<void> =>
      until(async () => (await verify(bearer(token))).status === status, 60_000, `it is ${status}`);
    await publisher.publish(names.events, [added(token)]);
    await becomes(200);
    await publisher.publish(names.events, [disabled(token, 2)]);
    await becomes(401);
    expect(await verify(bearer(token))).toEqual(DISABLED);
    await publisher.publish(names.events, [enabled(token, 3)]);
    await becomes(200);
  }, 120_000);

  it('answers 503 until it has read as far as X-Min-Position', async () => {
    const token = newToken('alice');
    const authorization = bearer(token);
    const record = added(token);
    const minPosition = { 'x-min-position': String(position) };
    expect(await verify(authorization, minPosition)).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1' },
    });
    await publisher.publish(names.events, [record]);
    await until(
      async () => (await verify(authorization, minPosition)).status === 200,
      60_000,
      'it passes',
    );
    expect((await verify(authorization, { 'x-min-position': 'soon' })).status).toBe(400);
  }, 120_000);

  it('answers everybody 503 while it is stale', async () => {
    clearInterval(beating);
    passed += MAX_STALENESS_MS + 1;
    const everybody = [undefined, 'nonsense', ...Object.values(tokens).map(bearer)];
    for (const authorization of everybody) {
      expect(await verify(authorization)).toMatchObject({
        status: 503,
        body: '',
        headers: { 'retry-after': '1' },
      });
    }
    await readyz(503);
    beating = setInterval(beat, 50);
    await readyz(200);
    expect((await verify(bearer(tokens.active))).status).toBe(200);
  }, 120_000);
});
