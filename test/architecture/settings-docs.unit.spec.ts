import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { authGatewaySettings } from '@token-status/auth-gateway';
import { demoIdentityProviderSettings } from '@token-status/demo-identity-provider';
import { eventRelaySettings } from '@token-status/event-relay';
import { describeSettings } from '@token-status/platform';
import type { SettingsSchema } from '@token-status/platform';
import { projectorSettings } from '@token-status/projector';
import { standaloneSettings } from '@token-status/standalone';
import { tokenServiceSettings } from '@token-status/token-service';

const schemas: Readonly<Record<string, SettingsSchema>> = {
  'auth-gateway': authGatewaySettings,
  'demo-identity-provider': demoIdentityProviderSettings,
  'event-relay': eventRelaySettings,
  projector: projectorSettings,
  standalone: standaloneSettings,
  'token-service': tokenServiceSettings,
};

const apps = new URL('../../apps/', import.meta.url);

it('every app that has settings is looked at here', () => {
  const withSettings = readdirSync(apps).filter((app) =>
    existsSync(new URL(`${app}/src/settings.ts`, apps)),
  );
  expect(Object.keys(schemas).sort()).toEqual(withSettings.sort());
});

describe.each(Object.entries(schemas))('the settings of %s', (app, schema) => {
  it('stand in its README as they are', () => {
    const readme = readFileSync(new URL(`${app}/README.md`, apps), 'utf8');
    const [table] = /^\| setting \|.*$(?:\n^\|.*$)*/m.exec(readme) ?? [];
    expect(table).toBe(describeSettings(schema));
  });

  it('that name a database server are secret: user information in an address is a password', () => {
    for (const [name, { secret }] of Object.entries(schema)) {
      if (name.endsWith('MONGODB_URI')) expect([name, secret]).toEqual([name, true]);
    }
  });
});

it('a setting that several apps have is of one form, with one default', () => {
  const own = new Set(['PORT', 'LOG_LEVEL', 'HOST']);
  const seen = new Map<string, unknown>();
  for (const schema of Object.values(schemas)) {
    for (const [name, { form, default: fallback, secret }] of Object.entries(schema)) {
      const facts = { name, form, fallback, secret };
      if (!own.has(name)) expect(seen.get(name) ?? facts).toEqual(facts);
      seen.set(name, facts);
    }
  }
});
