import { describe, expect, it } from '@jest/globals';
import { describeSettings, loadSettings } from './load-settings.js';
import {
  databaseName,
  durationMs,
  flag,
  hexKey,
  hostPorts,
  integer,
  matching,
  nonEmpty,
  oneOf,
  port,
  topicPrefix,
  trustedProxies,
  url,
} from './setting.js';
import { SettingsError } from './settings-error.js';

const schema = {
  PORT: port({ description: 'Where it listens.', default: 3000 }),
  HOST: nonEmpty({ description: 'Its address.', default: '127.0.0.1' }),
  MONGODB_URI: url({
    description: 'The database.',
    schemes: ['mongodb', 'mongodb+srv'],
    example: 'mongodb://localhost:27017',
    secret: true,
  }),
  KAFKA_BROKERS: hostPorts({ description: 'The brokers.', default: ['localhost:9092'] }),
  MAX_STALENESS_MS: durationMs({ description: 'Bound.', default: 5000, min: 100, max: 60_000 }),
  LOG_LEVEL: oneOf(['info', 'debug'], { description: 'How much is logged.', default: 'info' }),
  KEY: hexKey(4, { description: 'A key.', developmentDefault: new Uint8Array(4) }),
  LIMIT: integer({ description: 'At most.', default: 5, min: 1 }),
  SIGN: flag({ description: 'Whether.', default: false }),
  EPOCH: matching(/^e\d$/, '`e` and a digit', { description: 'Which log.', optional: true }),
  LOG_DATABASE: databaseName({ description: 'The log.', default: 'log' }),
  TOPIC_PREFIX: topicPrefix({ description: 'Of all topics.', default: 'api-token' }),
  TRUSTED_PROXIES: trustedProxies({ description: 'Believed.', default: ['loopback'] }),
};

const good = { MONGODB_URI: 'mongodb://a:27017,b:27017/?replicaSet=rs0', KEY: 'DEADbeef' };

function faultsOf(env: Record<string, string>): Record<string, string> {
  try {
    loadSettings(schema, { ...good, ...env });
  } catch (error) {
    if (error instanceof SettingsError) {
      return Object.fromEntries(error.faults.map(({ name, message }) => [name, message]));
    }
    throw error;
  }
  return {};
}

describe('settings', () => {
  it('are typed, frozen, and have their defaults', () => {
    const settings = loadSettings(schema, good);
    const level: 'info' | 'debug' = settings.LOG_LEVEL;
    const epoch: string | undefined = settings.EPOCH;
    const brokers: readonly string[] = settings.KAFKA_BROKERS;
    expect({ ...settings, level, epoch, brokers }).toEqual({
      PORT: 3000,
      HOST: '127.0.0.1',
      MONGODB_URI: good.MONGODB_URI,
      KAFKA_BROKERS: ['localhost:9092'],
      MAX_STALENESS_MS: 5000,
      LOG_LEVEL: 'info',
      KEY: Uint8Array.of(0xde, 0xad, 0xbe, 0xef),
      LIMIT: 5,
      SIGN: false,
      EPOCH: undefined,
      LOG_DATABASE: 'log',
      TOPIC_PREFIX: 'api-token',
      TRUSTED_PROXIES: ['loopback'],
      level: 'info',
      epoch: undefined,
      brokers: ['localhost:9092'],
    });
    expect(Object.isFrozen(settings)).toBe(true);
  });

  it('are read from the environment', () => {
    const settings = loadSettings(schema, {
      ...good,
      PORT: '0',
      KAFKA_BROKERS: 'a:9092, [::1]:9092',
      MAX_STALENESS_MS: '100',
      LOG_LEVEL: 'debug',
      SIGN: 'true',
      EPOCH: 'e1',
      TRUSTED_PROXIES: '10.0.0.0/8, ::1,uniquelocal',
    });
    expect(settings).toMatchObject({
      PORT: 0,
      KAFKA_BROKERS: ['a:9092', '[::1]:9092'],
      MAX_STALENESS_MS: 100,
      LOG_LEVEL: 'debug',
      SIGN: true,
      EPOCH: 'e1',
      TRUSTED_PROXIES: ['10.0.0.0/8', '::1', 'uniquelocal'],
    });
    expect(loadSettings(schema, { ...good, TRUSTED_PROXIES: 'none' }).TRUSTED_PROXIES).toEqual([]);
  });

  it('that are wrong are all named at once, with what to do', () => {
    const faults = faultsOf({ PORT: '70000', LOG_LEVEL: 'loud', MONGODB_URI: '', LIMIT: '0' });
    expect(Object.keys(faults).sort()).toEqual(['LIMIT', 'LOG_LEVEL', 'MONGODB_URI', 'PORT']);
    expect(faults.PORT).toBe(
      'is above 65535 ("70000"). It must be a port from 0 to 65535. Meaning: Where it listens.',
    );
    expect(faults.MONGODB_URI).toMatch(
      /^is not set\. .*`mongodb:\/\/…`.*for example mongodb:\/\/localhost:27017/,
    );
    expect(new SettingsError([{ name: 'A', message: 'is wrong' }]).message).toContain('A is wrong');
  });

  it.each([
    ['PORT', '-1'],
    ['PORT', '80.5'],
    ['PORT', ' 80'],
    ['PORT', '0x50'],
    ['PORT', '99999999999999999999'],
    ['HOST', '  '],
    ['MONGODB_URI', 'http://localhost'],
    ['MONGODB_URI', 'localhost:27017'],
    ['MONGODB_URI', 'mongodb://'],
    ['KAFKA_BROKERS', 'a:9092,,b:9092'],
    ['KAFKA_BROKERS', 'a'],
    ['KAFKA_BROKERS', 'a:0'],
    ['KAFKA_BROKERS', 'kafka://a:9092'],
    ['KAFKA_BROKERS', 'a:9092 b:9092'],
    ['EPOCH', 'e'],
    ['LOG_DATABASE', 'a.b'],
    ['LOG_DATABASE', 'a'.repeat(64)],
    ['TOPIC_PREFIX', 'a b'],
    ['TOPIC_PREFIX', 'a/b'],
    ['TRUSTED_PROXIES', 'loopback,proxy.example'],
    ['TRUSTED_PROXIES', '10.0.0.0/33'],
    ['TRUSTED_PROXIES', 'none,loopback'],
    ['MAX_STALENESS_MS', '99'],
    ['MAX_STALENESS_MS', '60001'],
    ['MAX_STALENESS_MS', '5s'],
    ['LOG_LEVEL', 'INFO'],
    ['KEY', 'deadbe'],
    ['KEY', 'deadbeeg'],
    ['KEY', 'deadbeef0'],
    ['SIGN', 'yes'],
  ])('refuse %s=%s', (name, value) => {
    expect(Object.keys(faultsOf({ [name]: value }))).toEqual([name]);
  });

  it('count as not set where they are set to nothing', () => {
    expect(loadSettings(schema, { ...good, PORT: '' }).PORT).toBe(3000);
  });

  it('never show a secret, nor one that stands in the wrong variable', () => {
    const secret = `tst_${'a'.repeat(36)}`;
    const faults = JSON.stringify([
      faultsOf({ MONGODB_URI: 'mysql://root:hunter2@localhost' }),
      faultsOf({ KEY: 'hunter2' }),
      faultsOf({ PORT: secret }),
    ]);
    expect(faults).not.toContain('hunter2');
    expect(faults).not.toContain('aaaaaaa');
  });

  it('have development defaults in development only', () => {
    const { MONGODB_URI } = good;
    expect(loadSettings(schema, { MONGODB_URI, NODE_ENV: 'development' }).KEY).toHaveLength(4);
    expect(() => loadSettings(schema, { MONGODB_URI, NODE_ENV: 'production' })).toThrow(
      /KEY is not set/,
    );
    expect(() => loadSettings(schema, { MONGODB_URI })).toThrow(/KEY is not set/);
  });

  it('can be judged together', () => {
    const load = (env: Record<string, string>): unknown =>
      loadSettings(schema, { ...good, ...env }, ({ PORT, LIMIT }) =>
        PORT === LIMIT ? { name: 'LIMIT', message: 'must differ from PORT' } : null,
      );
    expect(() => load({ PORT: '7', LIMIT: '7' })).toThrow('LIMIT must differ from PORT');
    expect(load({ PORT: '7', LIMIT: '8' })).toMatchObject({ PORT: 7 });
  });

  it('are described as a table, without the value of a secret', () => {
    const table = describeSettings({
      ...schema,
      PASSWORD: nonEmpty({ description: 'Sesame.', default: 'open', secret: true }),
    }).split('\n');
    expect(table).toContain('| `PORT` | Where it listens. | a port from 0 to 65535 | `3000` |  |');
    expect(table).toContain(
      '| `PASSWORD` | Sesame. | a text that is not blank | a fixed one | yes |',
    );
    expect(table.find((row) => row.includes('`MONGODB_URI`'))).toContain('| required | yes |');
  });
});
