import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { App } from '@token-status/platform';
import type { TokenGuard } from '@token-status/token-guard';
import { LogOfTheTest, MAX_STALENESS_MS, givenGateway, token } from '../given-gateway.spec.js';
import type { GivenToken } from '../given-gateway.spec.js';
import { Configuration } from './configuration.js';
import { configurationOf } from './gateway-configuration.js';
import { until } from '../../../../test/contracts/until.js';

const log = new LogOfTheTest();
const configuration = Configuration.of({});
const tokens = { active: token('alice'), unknown: token('carol') };
let guard: TokenGuard;
let app: App;
let url: string;

beforeAll(async () => {
  await log.start();
  await log.append(tokens.active, 'TokenAdded', 1);
  ({ app, guard } = await givenGateway(log, { configuration }));
  ({ url } = await app.listen({ port: 0 }));
  await guard.ready();
});
afterAll(async () => {
  await app.close();
  await log.close();
});

function configure(document: object): void {
  const reading = configurationOf(document);
  if ('faults' in reading) throw new Error(JSON.stringify(reading.faults));
  configuration.accept(reading.configuration);
}
async function verify(of: GivenToken, path = '/verify', address = '192.0.2.1'): Promise<number> {
  const headers = { authorization: `Bearer ${of.secret}`, 'x-forwarded-for': address };
  return (await fetch(`${url}${path}`, { headers })).status;
}
const metrics = async (): Promise<string> => (await fetch(`${url}/metrics`)).text();

it('limits failures from the change on, and never who holds a token', async () => {
  for (let n = 0; n < 3; n++) expect(await verify(tokens.unknown)).toBe(401);
  configure({ failureLimits: { burst: 1, perMinute: 0.01 } });
  expect([await verify(tokens.unknown), await verify(tokens.unknown)]).toEqual([401, 429]);
  expect(await verify(tokens.active)).toBe(200);
  expect(await verify(tokens.unknown, '/verify', '192.0.2.2')).toBe(401);
  configure({});
  expect(await verify(tokens.unknown)).toBe(401);
});

it('lets known tokens pass a stale view on the routes that are named, from the change on', async () => {
  log.silence(MAX_STALENESS_MS + 1);
  expect(await verify(tokens.active, '/routes/reports/verify')).toBe(503);
  configure({ routes: { reports: { onStale: 'allow-known' }, plain: {} } });
  expect(await verify(tokens.active, '/routes/reports/verify')).toBe(200);
  expect(await verify(tokens.unknown, '/routes/reports/verify')).toBe(503);
  for (const path of ['/verify', '/routes/plain/verify', '/routes/other/verify']) {
    expect(await verify(tokens.active, path)).toBe(503);
  }
  configure({});
  expect(await verify(tokens.active, '/routes/reports/verify')).toBe(503);
  log.beat();
  await until(async () => (await verify(tokens.active)) === 200, 20_000, 'fresh');
});

it('believes only what is signed by the keys that are named, from the change on', async () => {
  const jwk = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
  expect(guard.state().verificationKeyIds).toBeNull();
  configure({ verificationKeys: { keys: [{ ...jwk, kid: 'relay' }] } });
  expect(guard.state().verificationKeyIds).toEqual(['relay']);
  // Nothing here is signed.
  expect(await verify(tokens.active)).toBe(503);
  configure({});
  expect(guard.state().verificationKeyIds).toBeNull();
});

it('shows operators that a new one was refused, until one is taken', async () => {
  configuration.refuse([{ pointer: '/routes', message: 'must be an object' }]);
  const refused = await metrics();
  expect(refused).toContain('gateway_configuration_faults_total 1');
  expect(refused).toContain('gateway_configuration_refused 1');
  configure({ routes: {} });
  expect(await metrics()).toContain('gateway_configuration_refused 0');
});
