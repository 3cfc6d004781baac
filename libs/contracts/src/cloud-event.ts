import { currentVersion, dataSchema } from './events/schemas.js';
import { UnreadableEvent, upcastInPlace } from './events/upcast.js';
import type { RecordedEvent } from './events/recorded-event.js';
import type { WireEvent } from './events/wire-events.js';
import { epoch as epochForm } from './forms.js';

/**
 * CloudEvents 1.0 in Kafka's binary content mode: attributes in `ce_` headers, the data as JSON in
 * the value, the token id as key. Extensions: `position`, `tokenversion`, `traceparent`.
 */
export interface EventRecord {
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly value: string;
}

/** `source` names the log and its epoch: a restored database is another source (`precise.md` 5). */
const SOURCE = 'urn:token-status:log:';

export function toEventRecord(event: RecordedEvent, epoch: string): EventRecord {
  const { tokenId, tokenVersion, at } = event.data;
  return {
    key: String(tokenId),
    headers: {
      'content-type': 'application/json',
      ce_specversion: '1.0',
      ce_id: event.id,
      ce_source: SOURCE + epoch,
      ce_type: event.type,
      ce_subject: String(tokenId),
      ce_time: String(at),
      ce_dataschema: dataSchema(event.type, event.schemaVersion),
      ce_position: String(event.position),
      ce_tokenversion: String(tokenVersion),
      ...(event.traceparent === null ? {} : { ce_traceparent: event.traceparent }),
    },
    value: JSON.stringify(event.data),
  };
}

/** An event as a subscriber reads it. */
export interface PublishedEvent {
  readonly id: string;
  readonly epoch: string;
  readonly position: number;
  readonly traceparent: string | null;
  readonly event: WireEvent;
}

/** What can be read of a record whose event can't be: enough to park it (decision 8). */
export interface Envelope {
  readonly id: string | null;
  readonly epoch: string | null;
  readonly position: number | null;
  readonly tokenId: string | null;
  readonly tokenVersion: number | null;
}

interface AnyRecord {
  readonly key: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly value: string;
}

const TOKEN_ID = /^tok_[0-9a-f]{32}$/;
const EVENT_ID = /^[0-9a-f]{32}$/;
const EPOCH = new RegExp(epochForm.pattern);
/** W3C Trace Context, as far as version 00 goes; `ff` is forbidden. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Reads no more than the headers and never throws; each part is null where it is not as it should be. */
export function readEnvelope({ key, headers }: Omit<AnyRecord, 'value'>): Envelope {
  const subject = headers.ce_subject ?? '';
  const id = headers.ce_id ?? '';
  return {
    id: EVENT_ID.test(id) ? id : null,
    epoch: epochIn(headers.ce_source ?? ''),
    position: positiveInteger(headers.ce_position),
    // The key chose the partition, so an event under another token's key is out of that token's order.
    tokenId: TOKEN_ID.test(subject) && subject === key ? subject : null,
    tokenVersion: positiveInteger(headers.ce_tokenversion),
  };
}

/** Nearly all records that a process reads are of one log. */
let newest = { source: '', epoch: null as string | null };

function epochIn(source: string): string | null {
  if (source !== newest.source) {
    const epoch = source.startsWith(SOURCE) ? source.slice(SOURCE.length) : '';
    newest = { source, epoch: EPOCH.test(epoch) ? epoch : null };
  }
  return newest.epoch;
}

/**
 * Reads a record of the events topic, whatever version it was written in. Nothing of ours relies on
 * `content-type` and `ce_time`, which are there for other readers.
 *
 * @throws UnreadableEvent saying what is wrong, never a value.
 */
export function fromEventRecord(record: AnyRecord): PublishedEvent {
  const { key, headers, value } = record;
  if (headers.ce_specversion !== '1.0') throw new UnreadableEvent('ce_specversion is not 1.0');
  const { id, epoch, position, tokenId, tokenVersion } = readEnvelope({ key, headers });
  if (id === null) throw new UnreadableEvent('ce_id is not an event id');
  if (epoch === null) throw new UnreadableEvent('ce_source is not a log of token-status');
  if (position === null) throw new UnreadableEvent('ce_position is not a position');
  if (tokenId === null) throw new UnreadableEvent('ce_subject and key are not one token id');
  const type = headers.ce_type ?? '';
  const version = versionIn(type, headers.ce_dataschema);
  let data: unknown;
  try {
    data = JSON.parse(value);
  } catch {
    throw new UnreadableEvent('the value is not JSON');
  }
  const event = upcastInPlace(type, version, data);
  if (event.tokenId !== tokenId || event.tokenVersion !== tokenVersion) {
    throw new UnreadableEvent('the headers and the data name different tokens or versions');
  }
  // A trace proves nothing: a malformed one is dropped, and the event still read.
  const trace = headers.ce_traceparent ?? '';
  return { id, epoch, position, traceparent: TRACEPARENT.test(trace) ? trace : null, event };
}

/** By type, what `ce_dataschema` says today; others are looked at more closely. */
const TODAY = new Map(
  Object.entries(currentVersion).map(([type, version]) => [
    type,
    { version, dataschema: dataSchema(type, version) },
  ]),
);

function versionIn(type: string, dataschema: string | undefined): number {
  const today = TODAY.get(type);
  if (today?.dataschema === dataschema && today) return today.version;
  const version = positiveInteger(/:v(\d{1,4})$/.exec(dataschema ?? '')?.[1]);
  if (version === null || dataschema !== dataSchema(type, version)) {
    throw new UnreadableEvent('ce_dataschema does not name a schema of ce_type');
  }
  return version;
}

function positiveInteger(text: string | undefined): number | null {
  if (text === undefined || !/^[1-9]\d{0,15}$/.test(text)) return null;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : null;
}
