import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { freshnessSchemas } from '../freshness.js';
import { currentVersion, dataSchema, eventSchemas } from './schemas.js';
import { tagsOf } from './recorded-event.js';
import { UnreadableEvent, upcast } from './upcast.js';

const data = (name: string): Record<string, unknown> => {
  const file = new URL(`../../../../test/golden/events/${name}.json`, import.meta.url);
  const { value } = JSON.parse(readFileSync(file, 'utf8')) as { value: string };
  return JSON.parse(value) as Record<string, unknown>;
};

const all = Object.entries(eventSchemas);
interface Schema {
  readonly $id: string;
  readonly additionalProperties: boolean;
  readonly properties: Record<string, { enum?: unknown[]; type?: string | string[] }>;
  readonly required: string[];
}

describe('the schemas', () => {
  it.each([...all, ...Object.entries(freshnessSchemas)])('%s compiles, strictly', (_, schema) => {
    const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, validateSchema: true });
    formats.default(ajv);
    expect(ajv.validateSchema(schema)).toBe(true);
    expect(typeof ajv.compile(schema)).toBe('function');
  });

  it.each(all)('%s is named by its own dataschema', (name, schema) => {
    const [type, version] = name.split('.v') as [string, string];
    expect((schema as Schema).$id).toBe(dataSchema(type, Number(version)));
  });

  it.each(all)('%s asks for every property and admits no other', (_, schema) => {
    const { properties, required, additionalProperties } = schema as Schema;
    expect([...required].sort()).toStrictEqual(Object.keys(properties).sort());
    expect(additionalProperties).toBe(false);
  });
});

describe.each(all)('the data of %s', (name, schema) => {
  const [type, version] = name.split('.v') as [string, string];
  const read = (given: unknown): unknown => upcast(type, Number(version), given);
  const { properties } = schema as Schema;
  const mayBeNull = (property: string): boolean => {
    const { type, enum: values } = properties[property]!;
    return (Array.isArray(type) && type.includes('null')) || (values?.includes(null) ?? false);
  };

  it('is read as it is written', () => {
    expect(read(data(name))).toStrictEqual({ type, ...data(name) });
  });

  it.each(Object.keys(properties))(
    'is refused without %s, and with one of another kind',
    (property) => {
      const rest = data(name);
      Reflect.deleteProperty(rest, property);
      expect(() => read(rest)).toThrow(UnreadableEvent);
      for (const wrong of [
        7.5,
        true,
        [],
        {},
        '',
        ' ',
        'é',
        'x\u0000',
        '\u202e',
        'a'.repeat(5000),
      ]) {
        expect(() => read({ ...data(name), [property]: wrong })).toThrow(UnreadableEvent);
      }
    },
  );

  it.each(Object.keys(properties))('has a null for %s only where there may be none', (property) => {
    const given = { ...data(name), [property]: null };
    if (mayBeNull(property)) expect(read(given)).toStrictEqual({ type, ...given });
    else expect(() => read(given)).toThrow(UnreadableEvent);
  });

  it.each(['secret', 'userName', 'type', 'constructor', '__proto__'])(
    'is refused with a property %s that the version does not have',
    (property) => {
      const text = JSON.stringify(data(name)).replace('{', `{"${property}":"x",`);
      expect(() => read(JSON.parse(text))).toThrow(UnreadableEvent);
    },
  );

  it.each([undefined, null, 1, 'text', [], [data(name)]].map((other) => ({ other })))(
    'is an object, not $other',
    ({ other }) => {
      expect(() => read(other)).toThrow(UnreadableEvent);
    },
  );

  it.each([
    '2026-01-15T12:00:00Z',
    '2026-01-15T12:00:00.0000Z',
    '2026-01-15T12:00:00.000+00:00',
    '2026-01-15t12:00:00.000z',
    '2026-01-15 12:00:00.000Z',
    '2026-02-30T12:00:00.000Z',
    '2026-13-01T12:00:00.000Z',
    '2026-01-15T24:00:00.000Z',
    '2026-01-15T23:59:60.000Z',
    '+010000-01-01T00:00:00.000Z',
    '2026-01-15T12:00:00.000Z\n',
  ])('has no other form of time than the one whose order is that of its text: not %j', (at) => {
    expect(() => read({ ...data(name), at })).toThrow(UnreadableEvent);
  });
});

describe('the version of a token', () => {
  it('is 1 in the event that adds it, and in that alone can it begin', () => {
    const added = data('TokenAdded.v1');
    for (const tokenVersion of [0, -1, 2, 1.5, '1', null, Number.MAX_VALUE]) {
      expect(() => upcast('TokenAdded', 1, { ...added, tokenVersion })).toThrow(UnreadableEvent);
    }
  });

  it.each(['TokenRenamed', 'TokenDisabled', 'TokenEnabled', 'TokenRevoked'] as const)(
    'is a positive integer in %s',
    (type) => {
      const given = data(`${type}.v1`);
      for (const tokenVersion of [0, -1, 2.5, '2', null]) {
        expect(() => upcast(type, 1, { ...given, tokenVersion })).toThrow(UnreadableEvent);
      }
    },
  );
});

describe('an event of a type or version that was never written', () => {
  it.each([
    ['TokenForgotten', 1],
    ['TokenAdded', 0],
    ['TokenAdded', currentVersion.TokenAdded + 1],
    ['tokenAdded', 1],
    ['constructor', 1],
    ['__proto__', 1],
    ['', 1],
    ['TokenAdded', Number.NaN],
  ])('%s, version %s, is refused', (type, version) => {
    expect(() => upcast(type, version, data('TokenAdded.v1'))).toThrow(UnreadableEvent);
  });
});

describe('the tags of an event', () => {
  it('are whose it is, at each level, and for a new token the digest of its secret', () => {
    const whose = ['token:tok_3f2a9c41d7e84b06a1c5590de7b2f834', 'user:u-alice', 'account:acme'];
    expect(tagsOf(upcast('TokenDisabled', 1, data('TokenDisabled.v1')))).toStrictEqual(whose);
    expect(tagsOf(upcast('TokenAdded', 1, data('TokenAdded.v1')))).toStrictEqual([
      ...whose,
      'secret:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    ]);
  });
});
