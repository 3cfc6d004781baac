import { callerAddress } from '../server/caller-address.js';

/**
 * One setting of an app, read from one environment variable. `form` finishes the sentence
 * "must be …"; `parse` throws an Error whose message says what is wrong *without* the value.
 */
export interface Setting<T> {
  readonly description: string;
  readonly form: string;
  readonly parse: (text: string) => T;
  readonly default: T | undefined;
  readonly developmentDefault: T | undefined;
  readonly optional: boolean;
  readonly example: string | undefined;
  readonly secret: boolean;
}

export interface SettingOptions<T> {
  /** What it means, in one sentence. */
  readonly description: string;
  readonly default?: T;
  /** Stands in where NODE_ENV is set and is not `production`; in production the setting is required. */
  readonly developmentDefault?: T;
  /** May be left out with no default; its value is then undefined. */
  readonly optional?: true;
  readonly example?: string;
  /** A secret's value is never printed. */
  readonly secret?: boolean;
}

export type SettingsSchema = Readonly<Record<string, Setting<unknown>>>;

/** What `loadSettings` returns for a schema. */
export type SettingsOf<S extends SettingsSchema> = {
  readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never;
};

type Value<T, O> = O extends { readonly optional: true } ? T | undefined : T;

function setting<T, O extends SettingOptions<T>>(
  options: O,
  form: string,
  parse: (text: string) => T,
): Setting<Value<T, O>> {
  return {
    description: options.description,
    form,
    parse: parse,
    default: options.default,
    developmentDefault: options.developmentDefault,
    optional: options.optional ?? false,
    example: options.example,
    secret: options.secret ?? false,
  };
}

interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

function wholeNumber(text: string, { min = 0, max = Number.MAX_SAFE_INTEGER }: Bounds): number {
  if (!/^-?\d{1,16}$/.test(text)) throw new Error('is not a whole number');
  const value = Number(text);
  if (value < min) throw new Error(`is below ${min}`);
  if (value > max) throw new Error(`is above ${max}`);
  return value;
}

const range = ({ min = 0, max }: Bounds): string =>
  max === undefined ? `of at least ${min}` : `from ${min} to ${max}`;

/** A whole number within bounds (both included; at least 0 where no `min` is given). */
export const integer = <O extends SettingOptions<number> & Bounds>(
  options: O,
): Setting<Value<number, O>> =>
  setting(options, `a whole number ${range(options)}`, (text) => wholeNumber(text, options));

/** A duration in whole milliseconds, within bounds. No units: `5000`, never `5s`. */
export const durationMs = <O extends SettingOptions<number> & Bounds>(
  options: O,
): Setting<Value<number, O>> =>
  setting(options, `a whole number of milliseconds ${range(options)}`, (text) =>
    wholeNumber(text, options),
  );

/** A TCP port to listen on; 0 takes a free one. */
export const port = <O extends SettingOptions<number>>(options: O): Setting<Value<number, O>> =>
  setting(options, 'a port from 0 to 65535', (text) => wholeNumber(text, { max: 65_535 }));

export const nonEmpty = <O extends SettingOptions<string>>(options: O): Setting<Value<string, O>> =>
  setting(options, 'a text that is not blank', (text) => {
    if (text.trim() === '') throw new Error('is blank');
    return text;
  });

/** A text of a form of its own; `form` finishes the sentence "must be …". */
export const matching = <O extends SettingOptions<string>>(
  pattern: RegExp,
  form: string,
  options: O,
): Setting<Value<string, O>> =>
  setting(options, form, (text) => {
    if (!pattern.test(text)) throw new Error('is not of that form');
    return text;
  });

/** What MongoDB takes for a database's name on every system, and what needs no quoting anywhere. */
export const databaseName = <O extends SettingOptions<string>>(
  options: O,
): Setting<Value<string, O>> =>
  matching(/^[A-Za-z0-9_-]{1,63}$/, '1 to 63 letters, digits, `_` and `-`', options);

/** What Kafka takes for the beginning of a topic's name. */
export const topicPrefix = <O extends SettingOptions<string>>(
  options: O,
): Setting<Value<string, O>> =>
  matching(/^[A-Za-z0-9._-]{1,200}$/, '1 to 200 letters, digits, `.`, `_` and `-`', options);

/** `true` or `false`. */
export const flag = <O extends SettingOptions<boolean>>(options: O): Setting<Value<boolean, O>> =>
  setting(options, '`true` or `false`', (text) => {
    if (text !== 'true' && text !== 'false') throw new Error('is neither');
    return text === 'true';
  });

export const oneOf = <const V extends readonly string[], O extends SettingOptions<V[number]>>(
  values: V,
  options: O,
): Setting<Value<V[number], O>> =>
  setting<V[number], O>(options, `one of ${values.map((v) => `\`${v}\``).join(', ')}`, (text) => {
    if (!values.includes(text)) throw new Error('is none of them');
    return text;
  });

/** Servers, separated by commas: `a:9092,[::1]:9092`. Spaces around them are dropped. */
export const hostPorts = <O extends SettingOptions<readonly string[]>>(
  options: O,
): Setting<Value<readonly string[], O>> =>
  setting<readonly string[], O>(options, 'a list of `host:port` separated by commas', (text) => {
    const items = text.split(',').map((item) => item.trim());
    for (const item of items) {
      const port = /^(?:[^\s:/[\]]+|\[[0-9a-f:.]+\]):(\d{1,5})$/i.exec(item)?.[1];
      if (port === undefined) throw new Error('has an entry that is no `host:port`');
      wholeNumber(port, { min: 1, max: 65_535 });
    }
    return Object.freeze(items);
  });

/** Addresses, ranges (`10.0.0.0/8`) and `loopback`, `linklocal`, `uniquelocal`; `none` for nobody. */
export const trustedProxies = <O extends SettingOptions<readonly string[]>>(
  options: O,
): Setting<Value<readonly string[], O>> =>
  setting<readonly string[], O>(
    options,
    '`none`, or a list of addresses, ranges (`10.0.0.0/8`), `loopback`, `linklocal`, `uniquelocal` separated by commas',
    (text) => {
      const items = text === 'none' ? [] : text.split(',').map((item) => item.trim());
      for (const item of items) {
        try {
          callerAddress([item]);
        } catch {
          throw new Error('has an entry that is neither an address, a range nor one of the names');
        }
      }
      return Object.freeze(items);
    },
  );

/**
 * An absolute URL, kept as it was written. MongoDB's may name several hosts
 * (`mongodb://a:27017,b:27017/?replicaSet=rs0`), which no URL parser takes, so only the scheme
 * and a non-empty rest are checked for schemes other than http(s).
 */
export const url = <O extends SettingOptions<string> & { readonly schemes?: readonly string[] }>(
  options: O,
): Setting<Value<string, O>> => {
  const schemes = options.schemes ?? ['http', 'https'];
  return setting(options, `a URL (${schemes.map((s) => `\`${s}://…\``).join(' or ')})`, (text) => {
    const scheme = /^([a-z][a-z0-9+.-]*):\/\/[^\s/]/i.exec(text)?.[1]?.toLowerCase();
    if (scheme === undefined) throw new Error('is not a URL');
    if (!schemes.includes(scheme)) throw new Error('has another scheme');
    if (/^https?$/.test(scheme) && !URL.canParse(text)) throw new Error('is not a URL');
    return text;
  });
};

/** The address of a MongoDB. Always a secret: its user information is a password. */
export const mongodbUri = <O extends Omit<SettingOptions<string>, 'secret'>>(
  options: O,
): Setting<Value<string, O>> =>
  url({ ...options, schemes: ['mongodb', 'mongodb+srv'], secret: true });

/** A key of at least `bytes` bytes (exactly, with `exact`) in hexadecimal. Always a secret. */
export const hexKey = <O extends Omit<SettingOptions<Uint8Array>, 'secret'>>(
  bytes: number,
  options: O & { readonly exact?: boolean },
): Setting<Value<Uint8Array, O>> =>
  setting<Uint8Array, O & { secret: true }>(
    { ...options, secret: true },
    `${options.exact === true ? 'exactly' : 'at least'} ${bytes} bytes in hexadecimal (\`openssl rand -hex ${bytes}\` makes one)`,
    (text) => {
      if (!/^(?:[0-9a-f]{2})+$/i.test(text)) throw new Error('is not hexadecimal');
      const key = Uint8Array.from(Buffer.from(text, 'hex'));
      if (key.length < bytes) throw new Error(`has ${key.length} bytes only`);
      if (options.exact === true && key.length > bytes) throw new Error(`has ${key.length} bytes`);
      return key;
    },
  );
