import { describe, expect, it } from '@jest/globals';
import { loadSettings } from '@token-status/platform';
import { projectorSettings } from './settings.js';

describe('the projector’s settings', () => {
  const given = {
    MONGODB_URI: 'mongodb://db:27017/?replicaSet=rs0',
    KEYS_MONGODB_URI: 'mongodb://keys:27017/?replicaSet=rs0',
    PERSONAL_DATA_KEY: '0f'.repeat(32),
    KAFKA_BROKERS: 'a:9092, b:9092',
  };

  it('need addresses and the key, and nothing else', () => {
    expect(loadSettings(projectorSettings, given)).toMatchObject({
      KAFKA_BROKERS: ['a:9092', 'b:9092'],
      READ_MODEL_DATABASE: 'token_status_read_model',
      KEYS_DATABASE: 'token_status_keys',
      TOPIC_PREFIX: 'api-token',
      EVENT_PARTITIONS: 12,
      PROJECTOR_GROUP: 'token-status.projector',
      PORT: 3020,
    });
  });

  it('name every fault at once, and no secret', () => {
    const load = (): unknown =>
      loadSettings(projectorSettings, {
        MONGODB_URI: 'http://user:hunter2@db',
        PERSONAL_DATA_KEY: 'hunter2',
      });
    expect(load).toThrow(/MONGODB_URI[^]*KEYS_MONGODB_URI[^]*PERSONAL_DATA_KEY[^]*KAFKA_BROKERS/);
    expect(load).not.toThrow(/hunter2/);
  });
});
