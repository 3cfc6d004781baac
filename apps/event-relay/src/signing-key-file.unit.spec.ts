import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SettingsError, loadSettings } from '@token-status/platform';
import { eventRelaySettings } from './settings.js';

describe('SIGNING_KEY_FILE', () => {
  const jwk = {
    ...generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }),
    kid: 'relay-1',
  };
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'signing-key-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const fileWith = (content: unknown, mode = 0o600): string => {
    const file = join(folder, 'key.json');
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
    chmodSync(file, mode);
    return file;
  };
  const load = (
    file: string,
    more: Readonly<Record<string, string>> = {},
  ): ReturnType<typeof loadSettings<typeof eventRelaySettings>> =>
    loadSettings(eventRelaySettings, {
      MONGODB_URI: 'mongodb://127.0.0.1:27017/?replicaSet=rs0',
      KAFKA_BROKERS: '127.0.0.1:9092',
      SIGNING_KEY_FILE: file,
      ...more,
    });
  const messageOf = (work: () => unknown): string => {
    try {
      work();
    } catch (fault) {
      if (fault instanceof SettingsError) return fault.message;
      throw fault;
    }
    return 'it was taken';
  };

  it('is read when the settings are, and says whether others may read it, too', () => {
    expect(load(fileWith(jwk)).SIGNING_KEY_FILE).toMatchObject({
      key: { keyid: 'relay-1', algorithm: 'Ed25519' },
      othersMayRead: false,
    });
    expect(load(fileWith(jwk, 0o644)).SIGNING_KEY_FILE?.othersMayRead).toBe(true);
  });

  it('may be left out: nothing is signed then', () => {
    expect(load('').SIGNING_KEY_FILE).toBeUndefined();
  });

  it.each([
    ['is not there', () => join(folder, 'nothing.json'), "can't be read: ENOENT"],
    ['is a folder', () => folder, "can't be read: EISDIR"],
    ['is not JSON', () => fileWith(`${JSON.stringify(jwk)}}`), 'is not JSON'],
    ['is large', () => fileWith(' '.repeat(65_537)), 'is too large for a key'],
    ['holds a public key', () => fileWith({ ...jwk, d: undefined }), 'it is a public key'],
    ['holds a key without an id', () => fileWith({ ...jwk, kid: undefined }), 'it needs a kid'],
    ['is the key itself, put there by mistake', () => JSON.stringify(jwk), "can't be read: ENOENT"],
  ])(
    'is a fault beside the other settings’ where it %s, and nothing of it is told',
    (_, file, why) => {
      const message = messageOf(() => load(file(), { PORT: 'none' }));
      expect(message).toContain('SIGNING_KEY_FILE');
      expect(message).toContain(why);
      expect(message).toContain('PORT');
      for (const part of [jwk.d, jwk.x]) expect(message).not.toContain(String(part).slice(0, 8));
    },
  );
});
