import { createHmac, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { HmacOfTexts } from './signature-hmac.js';
import type { SignatureAlgorithm, SigningKey, VerificationKey } from './signature-keys.js';

/**
 * What is signed, and how (`precise.md` 27): so that who can write to a topic, and has no key, can't
 * make a gateway believe anything.
 *
 * The signed bytes are UTF-8 text: a line that says what it is of, then parts in a fixed order, each as
 * `<bytes of the part>:<part>,` and one that is missing as `-,`. So no two records have the same bytes.
 *
 *     token-status event v1          token-status heartbeat v1
 *     algorithm, key id, topic       algorithm, key id, topic
 *     Kafka's key                    value
 *     ce_specversion, ce_id, ce_source, ce_type, ce_subject, ce_time,
 *     ce_dataschema, ce_position, ce_tokenversion
 *     value
 *
 * The first line keeps an event's signature from ever being a heartbeat's; the topic and `ce_source`
 * keep it to one topic and one log. The algorithm is the key's, never the record's, and is signed: one
 * kind of signature can't be taken for the other. Left out are `content-type`, which nothing believes,
 * and `ce_traceparent`: it decides nothing, and who passes records on may continue a trace.
 *
 * Events carry it as CloudEvents extensions (`ce_signature`, `ce_keyid`), heartbeats in `signature` and
 * `keyid`; Ed25519 (RFC 8032) or HMAC-SHA-256, as base64url without padding.
 */
type Kind = 'event' | 'heartbeat';

/** Each part is read once: a record may make them anew each time. */
export interface SignableRecord {
  readonly key: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly value: string;
}

const HEADERS = {
  event: { signature: 'ce_signature', keyid: 'ce_keyid' },
  heartbeat: { signature: 'signature', keyid: 'keyid' },
} as const;

/** Of 64 bytes. */
const ED25519_FORM = /^[A-Za-z0-9_-]{86}$/;

/** The record with its signature, for this topic and no other. */
export const signEvent = (record: SignableRecord, topic: string, key: SigningKey): SignableRecord =>
  signed('event', record, topic, key);

/** As {@link signEvent}, for the topic of heartbeats. */
export const signHeartbeat = (
  record: SignableRecord,
  topic: string,
  key: SigningKey,
): SignableRecord => signed('heartbeat', record, topic, key);

function signed(
  kind: Kind,
  record: SignableRecord,
  topic: string,
  { keyid, algorithm, key: by }: SigningKey,
): SignableRecord {
  const { key, headers, value } = record;
  const text = signedText(kind, algorithm, keyid, topic, { key, headers, value });
  const signature =
    algorithm === 'HS256'
      ? createHmac('sha256', by).update(text).digest('base64url')
      : sign(null, Buffer.from(text), by).toString('base64url');
  const names = HEADERS[kind];
  return {
    key,
    headers: { ...headers, [names.keyid]: keyid, [names.signature]: signature },
    value,
  };
}

export type Verdict =
  | 'verified'
  | 'unsigned'
  /** Signed, it says, by a key that is not one of ours. */
  | 'unknown-key'
  | 'wrong-signature';

/** Verdicts by a fixed set of keys; without any, nothing is verified. */
export class SignatureVerifier {
  readonly #keys: ReadonlyMap<string, KeyObject | HmacOfTexts>;

  constructor(keys: readonly VerificationKey[]) {
    this.#keys = new Map(
      keys.map(({ keyid, algorithm, key }) => [
        keyid,
        algorithm === 'HS256' ? new HmacOfTexts(key) : key,
      ]),
    );
  }

  /**
   * At once where that takes microseconds (HMAC, and whatever is refused unseen); Ed25519, of which
   * one takes a hundred, off the event loop. Never throws on what a record holds.
   */
  verifyEvent(record: SignableRecord, topic: string): Verdict | Promise<Verdict> {
    return this.#verify('event', record, topic);
  }

  /** As {@link verifyEvent}. */
  verifyHeartbeat(record: SignableRecord, topic: string): Verdict | Promise<Verdict> {
    return this.#verify('heartbeat', record, topic);
  }

  #verify(kind: Kind, record: SignableRecord, topic: string): Verdict | Promise<Verdict> {
    const { headers } = record;
    const signature = headers[HEADERS[kind].signature];
    const keyid = headers[HEADERS[kind].keyid];
    if (signature === undefined || keyid === undefined) return 'unsigned';
    const by = this.#keys.get(keyid);
    if (!by) return 'unknown-key';
    const { key, value } = record;
    if (by instanceof HmacOfTexts) {
      const text = signedText(kind, 'HS256', keyid, topic, { key, headers, value });
      return by.is(text, signature) ? 'verified' : 'wrong-signature';
    }
    if (!ED25519_FORM.test(signature)) return 'wrong-signature';
    const bytes = Buffer.from(signedText(kind, 'Ed25519', keyid, topic, { key, headers, value }));
    return new Promise((resolve, reject) => {
      verify(null, bytes, by, Buffer.from(signature, 'base64url'), (fault, right) => {
        if (fault) reject(fault);
        else resolve(right ? 'verified' : 'wrong-signature');
      });
    });
  }
}

function signedText(
  kind: Kind,
  algorithm: SignatureAlgorithm,
  keyid: string,
  topic: string,
  { key, headers, value }: SignableRecord,
): string {
  const begin = `token-status ${kind} v1\n${part(algorithm)}${part(keyid)}${part(topic)}`;
  if (kind === 'heartbeat') return begin + part(value);
  return (
    begin +
    part(key ?? undefined) +
    part(headers.ce_specversion) +
    part(headers.ce_id) +
    part(headers.ce_source) +
    part(headers.ce_type) +
    part(headers.ce_subject) +
    part(headers.ce_time) +
    part(headers.ce_dataschema) +
    part(headers.ce_position) +
    part(headers.ce_tokenversion) +
    part(value)
  );
}

const part = (text: string | undefined): string =>
  text === undefined ? '-,' : `${Buffer.byteLength(text)}:${text},`;
