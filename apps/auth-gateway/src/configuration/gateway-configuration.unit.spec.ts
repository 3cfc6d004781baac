import { createHash, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { configurationOf, readConfiguration } from './gateway-configuration.js';
import type { GatewayConfiguration } from './gateway-configuration.js';
import type { Fault } from './strict-json.js';

const ed25519 = (kid: string): object => ({
  ...generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }),
  kid,
});
const SECRET_KEY = Buffer.alloc(32, 7).toString('base64url');
const hs256 = (kid: string): object => ({ kty: 'oct', alg: 'HS256', k: SECRET_KEY, kid });
const digestOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');
const client = (id: string, secretSha256: unknown = digestOf('s')): object => ({
  id,
  secretSha256,
});

const whole = {
  introspection: { clients: [client('billing', digestOf('its secret')), client('a.b-c_D')] },
  verificationKeys: { keys: [ed25519('relay-1'), hs256('relay-2')] },
  failureLimits: { burst: 100, perMinute: 0.5 },
  routes: { reports: { onStale: 'allow-known' }, admin: { onStale: 'deny' }, plain: {} },
};

function taken(json: unknown): GatewayConfiguration {
  const reading = configurationOf(json);
  if ('faults' in reading) throw new Error(JSON.stringify(reading.faults));
  return reading.configuration;
}

function faultsOf(reading: ReturnType<typeof readConfiguration>): readonly Fault[] {
  if ('configuration' in reading) throw new Error('it was taken');
  return reading.faults;
}
const pointers = (json: unknown): string[] =>
  faultsOf(configurationOf(json)).map(({ pointer }) => pointer);
const faultsIn = (text: string | Uint8Array): readonly Fault[] =>
  faultsOf(readConfiguration(typeof text === 'string' ? Buffer.from(text) : text));

describe('a configuration', () => {
  it('has routes, clients of introspection, limits and keys', () => {
    const { routes, introspectionClients, failureLimits, verificationKeys } = taken(whole);
    expect([...routes]).toEqual([
      ['reports', { onStale: 'allow-known' }],
      ['admin', { onStale: 'deny' }],
      ['plain', { onStale: 'deny' }],
    ]);
    expect([...introspectionClients.keys()]).toEqual(['billing', 'a.b-c_D']);
    expect(Buffer.from(introspectionClients.get('billing') ?? []).toString('hex')).toBe(
      digestOf('its secret'),
    );
    expect(failureLimits).toEqual({ burst: 100, perMinute: 0.5 });
    expect(verificationKeys?.map(({ keyid, algorithm }) => [keyid, algorithm])).toEqual([
      ['relay-1', 'Ed25519'],
      ['relay-2', 'HS256'],
    ]);
  });

  it('may ask for no limits on failures, in so many words', () => {
    expect(taken({ failureLimits: null }).failureLimits).toBeNull();
  });

  it('may leave out everything', () => {
    expect(taken({})).toMatchObject({
      routes: new Map(),
      introspectionClients: new Map(),
      failureLimits: { burst: 100, perMinute: 60 },
      verificationKeys: null,
    });
  });

  it('has the digest that its canonical JSON has, however it is written', () => {
    const canonical = '{"failureLimits":{"burst":100,"perMinute":60},"routes":{}}';
    const { digest } = taken(JSON.parse(canonical));
    expect(digest).toBe(digestOf(canonical));
    const other = '\ufeff{ "routes": {},\n "failureLimits": {"perMinute": 6e1, "burst": 100.0} }\n';
    expect(readConfiguration(Buffer.from(other))).toMatchObject({ configuration: { digest } });
    expect(taken({ failureLimits: { burst: 100, perMinute: 61 } }).digest).not.toBe(digest);
  });

  it.each<[string, unknown, string[]]>([
    ['a list', [], ['']],
    ['null', null, ['']],
    ['an unknown part', { limits: {} }, ['/limits']],
    ['a part that is null', { routes: null }, ['/routes']],
    ['a part that is a list', { introspection: [] }, ['/introspection']],
    ['a part that is a text', { routes: 'x' }, ['/routes']],
    ['no clients', { introspection: {} }, ['/introspection/clients']],
    ['a client that is null', { introspection: { clients: [null] } }, ['/introspection/clients/0']],
    [
      'a digest in upper case',
      { introspection: { clients: [client('a', 'A'.repeat(64))] } },
      ['/introspection/clients/0/secretSha256'],
    ],
    [
      'the secret itself',
      { introspection: { clients: [{ id: 'a', secret: 'hunter2' }] } },
      ['/introspection/clients/0/secret', '/introspection/clients/0/secretSha256'],
    ],
    [
      'an id with a colon',
      { introspection: { clients: [client('a:b')] } },
      ['/introspection/clients/0/id'],
    ],
    [
      'an id twice',
      { introspection: { clients: [client('a'), client('b'), client('a', digestOf('t'))] } },
      ['/introspection/clients/2/id'],
    ],
    ['half a limit', { failureLimits: { burst: 1 } }, ['/failureLimits/perMinute']],
    [
      'limits of nothing',
      { failureLimits: { burst: 0, perMinute: 0 } },
      ['/failureLimits/burst', '/failureLimits/perMinute'],
    ],
    [
      'limits as texts',
      { failureLimits: { burst: '1', perMinute: '1' } },
      ['/failureLimits/burst', '/failureLimits/perMinute'],
    ],
    ['an unknown policy', { routes: { a: { onStale: 'allow' } } }, ['/routes/a/onStale']],
    ['a misspelt policy', { routes: { a: { onstale: 'deny' } } }, ['/routes/a/onstale']],
    ['a route that is a text', { routes: { a: 'allow-known' } }, ['/routes/a']],
    ['a route’s name with a slash', { routes: { 'a/b': {} } }, ['/routes/a~1b']],
    ['no keys', { verificationKeys: { keys: [] } }, ['/verificationKeys']],
    ['keys that are no set', { verificationKeys: [ed25519('a')] }, ['/verificationKeys']],
    [
      'keys that can’t be used',
      { verificationKeys: { keys: [{}, ed25519('a'), { ...ed25519('b'), crv: 'X25519' }] } },
      ['/verificationKeys/keys/0', '/verificationKeys/keys/2'],
    ],
    [
      'a key id twice',
      { verificationKeys: { keys: [ed25519('a'), hs256('a')] } },
      ['/verificationKeys'],
    ],
  ])('with %s is refused, and where it is wrong is named', (_, json, expected) => {
    expect([...new Set(pointers(json))].sort()).toEqual([...expected].sort());
  });

  it('that is wrong in several places names all of them at once', () => {
    const wrong = {
      introspection: { clients: [client('a b', 'x'), client('ok')] },
      failureLimits: { burst: 1.5, perMinute: 60, window: 1 },
      routes: { r: { onStale: 7 } },
      more: 1,
    };
    expect(pointers(wrong).sort()).toEqual([
      '/failureLimits/burst',
      '/failureLimits/window',
      '/introspection/clients/0/id',
      '/introspection/clients/0/secretSha256',
      '/more',
      '/routes/r/onStale',
    ]);
  });

  it('never has a value repeated in what is said about it, nor a secret that is a name', () => {
    const secret = `tst_${'a'.repeat(36)}`;
    const said = JSON.stringify([
      faultsOf(configurationOf({ introspection: { clients: [client('x y', 'hunter2')] } })),
      faultsOf(configurationOf({ verificationKeys: { keys: [{ ...hs256('a'), k: 'hunter2' }] } })),
      faultsOf(configurationOf({ [secret]: 1 })),
      faultsIn('{"introspection": hunter2}'),
      faultsIn('{"a": "hunter2", }'),
    ]);
    expect(said).not.toContain('hunter2');
    expect(said).not.toContain('aaaaaaa');
  });
});

describe('a configuration file', () => {
  it.each<[string, string, string]>([
    ['', '', 'not valid JSON'],
    ['{"routes": {\n  "a": {},\n}}', '', 'line 3, column 1'],
    ['// by hand\n{}', '', 'line 1, column 1'],
    ['{} {}', '', 'not valid JSON'],
    ['[['.repeat(200_000), '', 'not valid JSON'],
    ['{"routes":{"a":{},"b":{},"a":{"onStale":"allow-known"}}}', '/routes/a', 'twice'],
    ['{"failureLimits":{"burst":1,"perMinute":1},"failureLimits":{}}', '/failureLimits', 'twice'],
    ['{"__proto__":{"routes":{}}}', '/__proto__', 'not offered'],
    ['{"routes":{"constructor":{}}}', '/routes/constructor', 'not offered'],
    ['{"failureLimits":{"burst":1e999,"perMinute":1}}', '/failureLimits/burst', 'too large'],
    ['{"verificationKeys":{"keys":[{"note":"\\ud800"}]}}', '/verificationKeys/keys/0/note', 'half'],
    [`${'['.repeat(30)}${']'.repeat(30)}`, '', 'nested'],
  ])('is not taken as %j', (text, pointer, message) => {
    expect(faultsIn(text)).toEqual([{ pointer, message: expect.stringContaining(message) }]);
  });

  it('is not taken where it is not UTF-8', () => {
    expect(faultsIn(Uint8Array.of(0x7b, 0xff, 0x7d))).toEqual([
      { pointer: '', message: 'is not valid UTF-8' },
    ]);
  });
});
