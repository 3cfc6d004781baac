import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { UnusableKey, parseVerificationKeys } from '@token-status/contracts';
import type { VerificationKey } from '@token-status/contracts';
import type { FailureLimit, OnStale } from '@token-status/token-guard';
import { validateDocument } from './configuration-document.js';
import type { ConfigurationDocument } from './configuration-document.js';
import { parseStrictJson } from './strict-json.js';
import type { Fault } from './strict-json.js';

/** What may change while the gateway runs: one whole, taken or left as one. */
export interface GatewayConfiguration {
  /** A route that is not in it has the defaults. */
  readonly routes: ReadonlyMap<string, { readonly onStale: OnStale }>;
  /** Who may introspect by Basic: id → SHA-256 of the secret. */
  readonly introspectionClients: ReadonlyMap<string, Uint8Array>;
  /** null = no limit, which has to be said: {@link DEFAULT_FAILURE_LIMITS} hold where it is left out. */
  readonly failureLimits: FailureLimit | null;
  /** null = none are configured. */
  readonly verificationKeys: readonly VerificationKey[] | null;
  /**
   * SHA-256, in hexadecimal, of the document in canonical JSON (RFC 8785): the same for two files that
   * say the same. `jq -cjS . <file> | sha256sum` makes it, too.
   */
  readonly digest: string;
}

/** More than people and clumsy scripts ever need; they cost nothing to who holds a token. */
export const DEFAULT_FAILURE_LIMITS: FailureLimit = { burst: 100, perMinute: 60 };

export type ConfigurationReading =
  { readonly configuration: GatewayConfiguration } | { readonly faults: readonly Fault[] };

/** @param bytes of a file. */
export function readConfiguration(bytes: Uint8Array): ConfigurationReading {
  const parsed = parseStrictJson(bytes);
  return 'faults' in parsed ? parsed : configurationOf(parsed.document);
}

/** @param json a document that has been parsed; `{}` configures nothing. */
export function configurationOf(json: unknown): ConfigurationReading {
  const validated = validateDocument(json);
  if ('faults' in validated) return validated;
  const { document } = validated;
  const keys = verificationKeysOf(document);
  if ('faults' in keys) return keys;
  const { introspection, failureLimits, routes = {} } = document;
  const text = canonicalize(json);
  if (text === undefined) throw new Error('a JSON object has no canonical text');
  return {
    configuration: {
      routes: new Map(
        Object.entries(routes).map(([name, { onStale = 'deny' }]) => [name, { onStale }]),
      ),
      introspectionClients: new Map(
        introspection?.clients.map(({ id, secretSha256 }) => [
          id,
          Uint8Array.from(Buffer.from(secretSha256, 'hex')),
        ]),
      ),
      failureLimits: failureLimits === undefined ? DEFAULT_FAILURE_LIMITS : failureLimits,
      verificationKeys: keys.verificationKeys,
      digest: createHash('sha256').update(text).digest('hex'),
    },
  };
}

function verificationKeysOf({
  verificationKeys: jwks,
}: ConfigurationDocument):
  Pick<GatewayConfiguration, 'verificationKeys'> | { readonly faults: readonly Fault[] } {
  if (jwks === undefined) return { verificationKeys: null };
  const at = '/verificationKeys';
  // One by one first, so that all that are wrong are named.
  const faults = (Array.isArray(jwks.keys) ? jwks.keys : []).flatMap((jwk: unknown, n) =>
    keyFaults({ keys: [jwk] }, `${at}/keys/${n}`),
  );
  if (faults.length === 0) faults.push(...keyFaults(jwks, at));
  return faults.length > 0 ? { faults } : { verificationKeys: parseVerificationKeys(jwks) };
}

function keyFaults(jwks: object, pointer: string): Fault[] {
  try {
    parseVerificationKeys(jwks);
    return [];
  } catch (fault) {
    if (!(fault instanceof UnusableKey)) throw fault;
    return [{ pointer, message: `is no usable key: ${fault.message.replace(/^keys\[0\]: /, '')}` }];
  }
}
