import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import { dropDatabases } from '../servers/drop-databases.js';
import { freePort } from '../servers/index.js';
import { AppProcess } from '../stack/app-process.js';
import type { AppName } from '../stack/app-process.js';

let app: AppProcess;
const uri = process.env.MONGODB_URI ?? '';
const database = (room: string): string => `test_away_${room}_${suffix}`;
const suffix = randomBytes(4).toString('hex');

afterEach(async () => {
  await app.kill9();
  await dropDatabases(uri, ...['log', 'keys', 'read'].map(database));
});

/** A supervisor that restarts what does not live would restart all of them, and help nobody. */
describe.each<[AppName, string, 'there' | 'away']>([
  ['token-service', 'MongoDB and the issuer', 'away'],
  ['event-relay', 'MongoDB and Kafka', 'away'],
  ['event-relay', 'Kafka', 'there'],
  ['projector', 'MongoDB and Kafka', 'away'],
  ['projector', 'Kafka', 'there'],
  ['auth-gateway', 'Kafka', 'there'],
])('%s, started while %s cannot be reached', (name, _, mongodb) => {
  it('lives, says that it is not ready, and ends when it is told to', async () => {
    const nobody = `127.0.0.1:${await freePort()}`;
    const port = await freePort();
    const server = mongodb === 'there' ? uri : `mongodb://${nobody}/?directConnection=true`;
    app = new AppProcess({
      app: name,
      url: `http://127.0.0.1:${port}`,
      env: {
        PORT: String(port),
        MONGODB_URI: server,
        KEYS_MONGODB_URI: server,
        LOG_DATABASE: database('log'),
        KEYS_DATABASE: database('keys'),
        READ_MODEL_DATABASE: database('read'),
        KAFKA_BROKERS: nobody,
        OIDC_ISSUER: `http://${nobody}`,
        PERSONAL_DATA_KEY: 'ab'.repeat(32),
        FINGERPRINT_KEY: 'cd'.repeat(32),
      },
    });
    await app.start('livez');
    const ready = await fetch(`${app.url}/readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ ready: false });
    expect((await fetch(`${app.url}/metrics`)).status).toBe(200);
    expect(await app.stop()).toBe(0);
  }, 120_000);
});
