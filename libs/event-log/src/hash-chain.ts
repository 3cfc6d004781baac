import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { RecordedEvent } from '@token-status/contracts';

/** What the first event's hash goes over: the log's epoch, so that two logs never share a chain. */
export const genesisHash = (epoch: string): string =>
  createHash('sha256').update(`token-status/log/${epoch}`).digest('hex');

/**
 * An event as the chain covers it, in canonical JSON (RFC 8785): everything but its own hash, in
 * these names whatever a store calls its columns.
 */
export function canonicalEvent(event: Omit<RecordedEvent, 'hash'>): string {
  const { position, id, type, schemaVersion, tags, data, traceparent } = event;
  const text = canonicalize({ position, id, type, schemaVersion, tags, data, traceparent });
  if (text === undefined) throw new TypeError('an event must be JSON');
  return text;
}

/** SHA-256, hex, over the 32 bytes of the previous hash and the event in canonical JSON. */
export const chainHash = (previousHash: string, canonical: string): string =>
  createHash('sha256').update(previousHash, 'hex').update(canonical, 'utf8').digest('hex');
