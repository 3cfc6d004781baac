import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { SettingsSchema } from '@token-status/platform';
import { loadSettings } from '@token-status/platform';
import type { ValidateFunction } from 'ajv';
import { Ajv } from 'ajv';
import { parse } from 'yaml';

interface Service {
  readonly build?: string;
  readonly image?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly ports?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly [option: string]: unknown;
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
}

const root = join(import.meta.dirname, '../..');
const compose = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), {
  merge: true,
}) as Compose;
const services = Object.entries(compose.services);

/** The apps that run as processes; standalone is all of them in one and has no place beside them. */
const apps = readdirSync(join(root, 'apps')).filter(
  (app) => app !== 'standalone' && existsSync(join(root, 'apps', app, 'src/main.ts')),
);
const appServices = services.filter(([, service]) => service.build !== undefined);

describe('docker-compose.yml', () => {
  const wellFormed = composeSpecification();

  it('is well formed by the Compose specification', () => {
    wellFormed(compose);
    expect(wellFormed.errors ?? []).toEqual([]);
  });

  it('would not be, with a misspelt option', () => {
    const { mongodb } = compose.services;
    expect(wellFormed({ services: { mongodb: { ...mongodb, comand: [] } } })).toBe(false);
  });

  it.each(apps)('runs %s as a service of its own', (app) => {
    expect(compose.services[app]?.command).toEqual(['node', `apps/${app}/dist/main.js`]);
  });

  it('takes released images of others, never the latest', () => {
    const images = services.filter(([, s]) => s.build === undefined).map(([, s]) => s.image);
    expect(images.length).toBeGreaterThan(0);
    for (const image of images) expect(image).toMatch(/:\d+\.\d+/);
  });

  it.each(services)('%s is reachable from this machine only', (_name, service) => {
    for (const published of service.ports ?? [])
      expect(published).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  it.each(appServices)(
    '%s has the least privilege and starts again after a fault',
    (_name, app) => {
      expect(app).toMatchObject({
        user: 'node',
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        restart: 'unless-stopped',
      });
      expect(app).not.toHaveProperty('privileged');
      expect(app).not.toHaveProperty('cap_add');
    },
  );

  it.each(appServices)('%s waits for services that exist', (_name, app) => {
    for (const other of Object.keys(app.depends_on ?? {})) {
      expect(compose.services).toHaveProperty(other);
    }
  });

  describe.each(appServices.filter(([name]) => apps.includes(name)))('%s', (name, service) => {
    it('is given settings that it knows and accepts', async () => {
      const schema = await settingsOf(name);
      const environment = interpolated(service.environment ?? {});
      const unknown = Object.keys(environment).filter((key) => !(key in schema));
      expect(unknown.filter((key) => key !== 'NODE_ENV')).toEqual([]);
      expect(() => loadSettings(schema, { NODE_ENV: 'production', ...environment })).not.toThrow();
    });

    it('listens where its port is published and its health is asked', () => {
      const environment = interpolated(service.environment ?? {});
      const of = (suffix: string): string | undefined =>
        Object.entries(environment).find(([key]) => new RegExp(`(^|_)${suffix}$`).test(key))?.[1];
      const port = of('PORT');
      expect(of('HOST')).toBe('0.0.0.0');
      expect(service.ports).toEqual([`127.0.0.1:${String(port)}:${String(port)}`]);
      expect(service.healthcheck?.test.join(' ')).toContain(
        `'http://127.0.0.1:${String(port)}/readyz'`,
      );
    });
  });
});

/** The specification's own JSON Schema; the linter package is a maintained carrier of it. */
function composeSpecification(): ValidateFunction {
  const carrier = dirname(createRequire(import.meta.url).resolve('dclint/package.json'));
  const text = readFileSync(join(carrier, 'schemas/compose.schema.json'), 'utf8');
  const schema = JSON.parse(text) as Record<string, unknown>;
  // Its `$schema` has https where draft 7's name has http, so that no validator knows it.
  delete schema.$schema;
  return new Ajv({ strict: false, validateFormats: false, allErrors: true }).compile(schema);
}

/** What Compose puts in where nothing is set outside: `${NAME:-default}`. */
const interpolated = (environment: Readonly<Record<string, string | number>>) =>
  Object.fromEntries(
    Object.entries(environment).map(([key, value]) => [
      key,
      String(value).replace(/\$\{\w+:-([^}]*)\}/g, '$1'),
    ]),
  );

async function settingsOf(app: string): Promise<SettingsSchema> {
  const path = `../../apps/${app}/src/settings.js`;
  const module = (await import(path)) as Record<string, unknown>;
  const [schema, ...more] = Object.entries(module).filter(([name]) => name.endsWith('Settings'));
  if (schema === undefined || more.length > 0) {
    throw new Error(`apps/${app}/src/settings.ts must export one schema, named …Settings`);
  }
  return schema[1] as SettingsSchema;
}
