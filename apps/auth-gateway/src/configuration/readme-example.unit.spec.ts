import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { readConfiguration } from './gateway-configuration.js';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

it('the configuration file in the README is one that is taken', () => {
  const [, example = ''] = /^```json\n(.*?)^```$/ms.exec(readme) ?? [];
  const reading = readConfiguration(Buffer.from(example));
  expect(reading).toMatchObject({
    configuration: {
      failureLimits: { burst: 100, perMinute: 60 },
      verificationKeys: [{ keyid: 'relay-2026', algorithm: 'Ed25519' }],
    },
  });
  if ('faults' in reading) return;
  expect([...reading.configuration.introspectionClients.keys()]).toEqual(['billing']);
  expect(reading.configuration.routes.get('reports')).toEqual({ onStale: 'allow-known' });
});
