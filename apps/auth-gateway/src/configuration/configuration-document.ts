import 'reflect-metadata';
import { Type, plainToInstance } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsIn,
  IsInt,
  IsNumber,
  IsObject,
  IsOptional,
  Matches,
  Max,
  Min,
  ValidateIf,
  ValidateNested,
  validateSync,
} from 'class-validator';
import type { ValidationError } from 'class-validator';
import { maskSecrets } from '@token-status/platform';
import type { OnStale } from '@token-status/token-guard';
import { jsonPointer } from './strict-json.js';
import type { Fault } from './strict-json.js';

// The configuration file's form. Whatever is not named here is refused: a misspelt part that counts for
// nothing would be found out when it is needed.

const MAX_CLIENTS = 1000;
const MAX_ROUTES = 1000;
/** Enough to repair a file by. */
const MAX_FAULTS = 50;
/** Of a route, as it stands in the proxy's configuration; a client's id, as Basic takes it without encoding. */
const ROUTE_NAME = /^[A-Za-z0-9._-]{1,64}$/;
const CLIENT_ID = /^[A-Za-z0-9._-]{1,128}$/;

/** May be left out; `null` is no way to do that. */
const Optional = (): PropertyDecorator => ValidateIf((_, value: unknown) => value !== undefined);

export class IntrospectionClientPart {
  @Matches(CLIENT_ID, { message: 'must be 1 to 128 letters, digits, `.`, `_` and `-`' })
  readonly id: string;

  /** Of a random one: nothing slows down who would guess a chosen one by its digest. */
  @Matches(/^[0-9a-f]{64}$/, {
    message:
      'must be the SHA-256 of the secret in 64 hexadecimal digits in lower case (`printf %s "$SECRET" | sha256sum`)',
  })
  readonly secretSha256: string;
}

class IntrospectionPart {
  @IsArray({ message: 'must be a list' })
  @ArrayMaxSize(MAX_CLIENTS, { message: `must have at most ${MAX_CLIENTS} entries` })
  @ValidateNested({ each: true, message: 'must be a list of objects' })
  @Type(() => IntrospectionClientPart)
  readonly clients: readonly IntrospectionClientPart[];
}

class FailureLimitsPart {
  @IsInt({ message: 'must be a whole number' })
  @Min(1, { message: 'must be at least 1' })
  @Max(1_000_000, { message: 'must be at most 1000000' })
  readonly burst: number;

  @IsNumber({ allowNaN: false, allowInfinity: false }, { message: 'must be a number' })
  @Min(0.01, { message: 'must be at least 0.01' })
  @Max(1_000_000, { message: 'must be at most 1000000' })
  readonly perMinute: number;
}

class RoutePart {
  @Optional()
  @IsIn(['deny', 'allow-known'], { message: 'must be "deny" or "allow-known"' })
  readonly onStale?: OnStale;
}

const AN_OBJECT = { message: 'must be an object' };

export class ConfigurationDocument {
  @Optional()
  @IsObject(AN_OBJECT)
  @ValidateNested(AN_OBJECT)
  @Type(() => IntrospectionPart)
  readonly introspection?: IntrospectionPart;

  /** A JWK set (RFC 7517), whose form is its own. */
  @Optional()
  @IsObject(AN_OBJECT)
  readonly verificationKeys?: { readonly keys?: unknown };

  /** `null` for no limits. */
  @IsOptional()
  @IsObject({ message: 'must be an object or null' })
  @ValidateNested({ message: 'must be an object or null' })
  @Type(() => FailureLimitsPart)
  readonly failureLimits?: FailureLimitsPart | null;

  /** By their names, which are looked at one by one. */
  @Optional()
  @IsObject(AN_OBJECT)
  readonly routes?: Readonly<Record<string, RoutePart>>;
}

export type Validated =
  { readonly document: ConfigurationDocument } | { readonly faults: readonly Fault[] };

/** Everything that is wrong with its form, at once. */
export function validateDocument(json: unknown): Validated {
  if (!isObject(json)) return { faults: [{ pointer: '', message: 'must be an object' }] };
  const { instance: document, faults } = validated(ConfigurationDocument, json, []);
  if (isObject(document.routes)) faults.push(...routeFaults(document.routes));
  if (faults.length === 0) faults.push(...repeatedClients(document));
  return faults.length === 0 ? { document } : { faults: faults.slice(0, MAX_FAULTS) };
}

function routeFaults(routes: Readonly<Record<string, unknown>>): Fault[] {
  const all = Object.entries(routes);
  if (all.length > MAX_ROUTES) {
    return [{ pointer: '/routes', message: `must have at most ${MAX_ROUTES} members` }];
  }
  return all.flatMap(([name, route]) => {
    const path = ['routes', name];
    if (!ROUTE_NAME.test(name)) {
      return faultAt(path, 'must have a name of 1 to 64 letters, digits, `.`, `_` and `-`');
    }
    return isObject(route)
      ? validated(RoutePart, route, path).faults
      : faultAt(path, 'must be an object');
  });
}

function repeatedClients({ introspection }: ConfigurationDocument): Fault[] {
  const ids = introspection?.clients.map(({ id }) => id) ?? [];
  return ids.flatMap((id, at) => {
    const first = ids.indexOf(id);
    const path = (n: number): string[] => ['introspection', 'clients', String(n), 'id'];
    return first === at ? [] : faultAt(path(at), `must not be that of ${jsonPointer(path(first))}`);
  });
}

function validated<T extends object>(
  type: new () => T,
  json: object,
  path: readonly string[],
): { instance: T; faults: Fault[] } {
  const instance = plainToInstance(type, json, { enableImplicitConversion: false });
  const errors = validateSync(instance, {
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    validationError: { target: false, value: false },
  });
  return { instance, faults: faultsIn(errors, path) };
}

const faultsIn = (errors: readonly ValidationError[], above: readonly string[]): Fault[] =>
  errors.flatMap(({ property, constraints = {}, children = [] }) => {
    const path = [...above, property];
    const { whitelistValidation: unknown, ...others } = constraints;
    const own =
      unknown === undefined ? Object.values(others) : ['is not known; it may be misspelt'];
    return [...own.flatMap((message) => faultAt(path, message)), ...faultsIn(children, path)];
  });

/** A member's name is what somebody wrote, which may be long, or a secret in the wrong place. */
const faultAt = (path: readonly string[], message: string): Fault[] => [
  { pointer: maskSecrets(jsonPointer(path)).slice(0, 200), message },
];

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
