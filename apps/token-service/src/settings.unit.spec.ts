import { expect, it } from '@jest/globals';
import { loadSettings, SettingsError } from '@token-status/platform';
import { tokenServiceSettings } from './settings.js';

const given = {
  MONGODB_URI: 'mongodb://localhost:27017/?replicaSet=rs0',
  KEYS_MONGODB_URI: 'mongodb://localhost:27018',
  PERSONAL_DATA_KEY: 'ab'.repeat(32),
  FINGERPRINT_KEY: 'cd'.repeat(32),
  OIDC_ISSUER: 'https://login.example.com',
};

it('what has no sensible default must be set, and all of it is named at once', () => {
  let message = '';
  try {
    loadSettings(tokenServiceSettings, {});
  } catch (error) {
    if (error instanceof SettingsError) message = error.message;
  }
  for (const name of Object.keys(given)) expect(message).toContain(name);
});

it('the defaults are those of the documents', () => {
  expect(loadSettings(tokenServiceSettings, given)).toMatchObject({
    LOG_DATABASE: 'token_status_log',
    READ_MODEL_DATABASE: 'token_status_read_model',
    KEYS_DATABASE: 'token_status_keys',
    OIDC_AUDIENCE: 'urn:token-status:api',
    TOKENS_PER_USER: 5,
    COMMAND_TIMEOUT_MS: 5000,
    HOST: '127.0.0.1',
    PORT: 3000,
    LOG_LEVEL: 'info',
  });
});
