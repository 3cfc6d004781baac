import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  newSecret,
  parseSigningKey,
  parseVerificationKeys,
  secretDigest,
  signEvent,
  tag,
  topics,
  userNameDigest,
} from '@token-status/contracts';
import { createKafkaEventBus } from '@token-status/event-bus';
import type { BusRecord, EventBus } from '@token-status/event-bus';
import { newCommandId, openEventLog, openMongoLogStore } from '@token-status/event-log';
import type { EventLog } from '@token-status/event-log';
import { createTokenGuard } from '@token-status/token-guard';
import type { Alarm, TokenGuard } from '@token-status/token-guard';
import { until } from '../../../test/contracts/until.js';
import { deleteTopics } from '../../../test/servers/delete-topics.js';
import { dropDatabases } from '../../../test/servers/drop-databases.js';
import { EventRelay } from './event-relay.js';

const uri = process.env.MONGODB_URI ?? '';
const brokers = (process.env.KAFKA_BROKERS ?? '').split(',');

const keyPair = (kid: string): { readonly private: object; readonly public: object } => {
  const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const { d, ...rest } = jwk;
  return { private: { ...rest, d, kid }, public: { ...rest, kid } };
};
const hmacKey = (kid: string): { readonly private: object; readonly public: object } => {
  const jwk = { kty: 'oct', alg: 'HS256', k: randomBytes(32).toString('base64url'), kid };
  return { private: jwk, public: jwk };
};

describe.each([
  ['Ed25519', keyPair('relay-1')],
  ['HMAC-SHA-256', hmacKey('relay-1')],
])(
  'a relay that signs by %s and a guard that has the key, on real MongoDB and Kafka',
  (_, jwks) => {
    const names = topics(`test-signing-${randomBytes(6).toString('hex')}`);
    const database = `test_signing_${randomBytes(6).toString('hex')}`;
    const secret = newSecret();
    const tokenId = `tok_${randomBytes(16).toString('hex')}`;
    const alarms: Alarm[] = [];
    let log: EventLog;
    let bus: EventBus;
    let relay: EventRelay;
    let guard: TokenGuard;

    beforeEach(async () => {
      log = openEventLog(await openMongoLogStore({ uri, database }));
      bus = createKafkaEventBus({ brokers, clientId: 'signing-test' });
      const signingKey = parseSigningKey(jwks.private);
      const common = { bus, topics: names };
      const openLog = (): Promise<EventLog> => Promise.resolve(log);
      relay = new EventRelay({ ...common, openLog, eventPartitions: 3, leaseMs: 6000, signingKey });
      relay.start();
      guard = createTokenGuard({
        ...common,
        gatewayId: 'gw-1',
        // A busy machine is no silent consumer.
        silentAfterMs: 15_000,
        verificationKeys: parseVerificationKeys({ keys: [jwks.public] }),
        onAlarm: (alarm) => alarms.push(alarm),
      });
    });

    afterEach(async () => {
      await guard.close();
      await relay.close();
      await bus.close();
      await log.close();
      await dropDatabases(uri, database);
      await deleteTopics(brokers, names.events, names.heartbeats, names.probes);
    });

    const append = async (type: string, more: Readonly<Record<string, unknown>>): Promise<void> => {
      const commandId = newCommandId();
      await log.decideAndAppend<number, never>({
        commandId,
        tags: [tag.token(tokenId)],
        fold: { name: 'versions', initial: 0, evolve: (version) => version + 1 },
        decide: (version) => [
          {
            type,
            schemaVersion: 1,
            tags: [tag.token(tokenId)],
            data: {
              ...{
                tokenId,
                tokenVersion: version + 1,
                userId: 'u-1',
                accountId: 'acme',
                commandId,
              },
              ...{ at: new Date().toISOString(), by: { kind: 'user', id: 'u-1' } },
              ...{ authority: 'owner', origin: null, ...more },
            },
          },
        ],
      });
    };
    const finding = (): string => guard.check({ authorization: `Bearer ${secret}` }).finding;

    it('pass no disabled token by a TokenEnabled that somebody wrote straight to the topic', async () => {
      await append('TokenAdded', {
        ...{ name: 'v1.name', hint: secret.slice(4, 10), secretDigest: secretDigest(secret) },
        ...{ userNameDigest: userNameDigest(secret, 'a@example.com'), expiresAt: null },
      });
      await guard.ready();
      await until(() => finding() === 'active');
      const why = { reason: null, note: null };
      await append('TokenDisabled', { ...why, disabledWith: 'owner', until: null });
      await until(() => finding() === 'disabled');
      expect(alarms).toEqual([]);

      const written: BusRecord[] = [];
      await bus.subscribe({
        topic: names.events,
        mode: { kind: 'every' },
        startAt: () => Promise.resolve('earliest'),
        onBatch: ({ records }) => Promise.resolve(void written.push(...records)),
      });
      await until(() => written.length === 2);
      const disabled = written.find(({ headers }) => headers.ce_type === 'TokenDisabled')!;
      const facts = JSON.parse(disabled.value) as Record<string, unknown>;
      delete facts.disabledWith;
      delete facts.until;
      // All that a writer of the topic can know: everything but the key.
      const forged = {
        key: disabled.key,
        headers: {
          ...disabled.headers,
          ce_id: createHash('sha256').update('forged').digest('hex').slice(0, 32),
          ce_type: 'TokenEnabled',
          ce_dataschema: 'urn:token-status:event:TokenEnabled:v1',
          ce_position: '3',
          ce_tokenversion: '3',
        },
        value: JSON.stringify({ ...facts, tokenVersion: 3, cause: 'command' }),
      };
      const publisher = await bus.publisher();
      const own = parseSigningKey(hmacKey('relay-1').private);
      await publisher.publish(names.events, [forged, signEvent(forged, names.events, own)]);
      await until(() => guard.state().events.unverified === 2);
      expect(finding()).toBe('parked');
      expect(alarms.map(({ code, tokenId }) => [code, tokenId])).toEqual(
        Array(2).fill(['event-unverified', tokenId]),
      );
      expect(guard.state()).toMatchObject({ watermark: 2, alarms: 2, state: 'fresh' });

      // The same record is believed by who has no keys: it is the signature that it fails by, nothing else.
      const trusting = createTokenGuard({
        bus,
        topics: names,
        gatewayId: 'gw-2',
        silentAfterMs: 15_000,
      });
      try {
        await trusting.ready();
        await until(
          () => trusting.check({ authorization: `Bearer ${secret}` }).finding === 'active',
        );
      } finally {
        await trusting.close();
      }
    }, 60_000);
  },
);
