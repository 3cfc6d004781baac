import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { fromEventRecord, toEventRecord } from '../cloud-event.js';
import type { EventRecord, PublishedEvent } from '../cloud-event.js';
import type { RecordedEvent } from './recorded-event.js';
import { currentVersion, eventSchemas } from './schemas.js';
import { upcast } from './upcast.js';
import type { EventType, WireEvent } from './wire-events.js';

// One record for each version of each event, as it was published; they stay for ever. A file is added
// when a version is released (with its line in SHA256SUMS: `sha256sum events/*.json > SHA256SUMS`),
// and is never edited. What is expected of an old one is today's event: that changes with upcasters.
const GOLDEN = new URL('../../../../test/golden/', import.meta.url);

const golden = (name: string): EventRecord =>
  JSON.parse(readFileSync(new URL(`events/${name}.json`, GOLDEN), 'utf8')) as EventRecord;

const EPOCH = '0c4d1f7e92ab4f6d8e35b7a019c2d6f4';
const facts = {
  tokenId: 'tok_3f2a9c41d7e84b06a1c5590de7b2f834',
  userId: 'u-alice',
  accountId: 'acme',
};
const SEALED = 'v1.k7.c2VhbGVkLWV4YW1wbGU';

/** What each golden record says, in today's events. */
const today: Readonly<Record<string, PublishedEvent>> = {
  'TokenAdded.v1': {
    id: 'a1f0c3d2e4b596878879605142332415',
    epoch: EPOCH,
    position: 41,
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    event: {
      type: 'TokenAdded',
      ...facts,
      tokenVersion: 1,
      at: '2026-01-15T12:00:00.000Z',
      by: { kind: 'user', id: 'u-alice' },
      authority: 'owner',
      commandId: '5b1e07c2a94f4d38b6d1e2f0c3a48795',
      origin: `${SEALED}-origin`,
      name: `${SEALED}-name`,
      hint: 'a1B2c3',
      secretDigest: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
      userNameDigest: '2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae',
      expiresAt: '2027-01-15T12:00:00.000Z',
    },
  },
  'TokenRenamed.v1': {
    id: 'b2f0c3d2e4b596878879605142332415',
    epoch: EPOCH,
    position: 42,
    traceparent: null,
    event: {
      type: 'TokenRenamed',
      ...facts,
      tokenVersion: 2,
      at: '2026-01-15T12:01:00.250Z',
      by: { kind: 'user', id: 'u-alice' },
      authority: 'owner',
      commandId: '6c1e07c2a94f4d38b6d1e2f0c3a48795',
      origin: null,
      name: `${SEALED}-other`,
    },
  },
  'TokenDisabled.v1': {
    id: 'c3f0c3d2e4b596878879605142332415',
    epoch: EPOCH,
    position: 57,
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    event: {
      type: 'TokenDisabled',
      ...facts,
      tokenVersion: 3,
      at: '2026-01-15T12:03:07.014Z',
      by: { kind: 'service', id: 'leak-scanner' },
      authority: 'security',
      commandId: '7d1e07c2a94f4d38b6d1e2f0c3a48795',
      origin: `${SEALED}-origin`,
      disabledWith: 'security',
      reason: 'suspected-leak',
      note: `${SEALED}-note`,
      until: '2026-01-16T00:00:00.000Z',
    },
  },
  'TokenEnabled.v1': {
    id: 'd4f0c3d2e4b596878879605142332415',
    epoch: EPOCH,
    position: 1058,
    traceparent: null,
    event: {
      type: 'TokenEnabled',
      ...facts,
      tokenVersion: 4,
      at: '2026-01-16T00:00:00.031Z',
      by: { kind: 'scheduler', id: 'scheduler' },
      authority: 'security',
      commandId: '8e1e07c2a94f4d38b6d1e2f0c3a48795',
      origin: null,
      cause: 'until',
      reason: null,
      note: null,
    },
  },
  'TokenRevoked.v1': {
    id: 'e5f0c3d2e4b596878879605142332415',
    epoch: EPOCH,
    position: Number.MAX_SAFE_INTEGER,
    traceparent: null,
    event: {
      type: 'TokenRevoked',
      ...facts,
      tokenVersion: 5,
      at: '2026-02-01T08:30:00.000Z',
      by: { kind: 'user', id: 'u-admin' },
      authority: 'administrator',
      commandId: '9f1e07c2a94f4d38b6d1e2f0c3a48795',
      origin: `${SEALED}-origin`,
      reason: 'offboarding',
      note: null,
    },
  },
};

const versions = Object.keys(eventSchemas);

describe('the golden files of the events that were ever written', () => {
  const sums = readFileSync(new URL('SHA256SUMS', GOLDEN), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.split('  ') as [string, string]);

  it('there is one for each version of each schema, and none for another', () => {
    const files = readdirSync(new URL('events/', GOLDEN)).sort();
    expect(files).toStrictEqual(versions.map((name) => `${name}.json`).sort());
    expect(sums.map(([, file]) => file)).toStrictEqual(files.map((file) => `events/${file}`));
    expect(Object.keys(today).sort()).toStrictEqual([...versions].sort());
  });

  it.each(sums)('%s is still what SHA256SUMS says of %s', (sum, file) => {
    const bytes = readFileSync(new URL(file, GOLDEN));
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(sum);
  });

  it.each(versions)('%s is read as the event of today that it means', (name) => {
    expect(fromEventRecord(golden(name))).toStrictEqual(today[name]);
  });

  it.each(versions)('the data of %s alone is read the same way, as from the log', (name) => {
    const { value } = golden(name);
    const [type, version] = name.split('.v') as [string, string];
    expect(upcast(type, Number(version), JSON.parse(value))).toStrictEqual(today[name]?.event);
  });

  it.each(Object.entries(currentVersion))(
    '%s is still written as its version %i was, byte for byte',
    (type, version) => {
      const record = golden(`${type}.v${version}`);
      const recorded: RecordedEvent = {
        position: Number(record.headers.ce_position),
        id: String(record.headers.ce_id),
        type,
        schemaVersion: version,
        tags: [],
        data: JSON.parse(record.value) as RecordedEvent['data'],
        traceparent: record.headers.ce_traceparent ?? null,
        hash: '',
      };
      expect(JSON.stringify(toEventRecord(recorded, EPOCH))).toBe(JSON.stringify(record));
    },
  );
});

describe('the versions of the events', () => {
  const newest = Object.entries(currentVersion) as [EventType, number][];

  it.each(newest)('of %s are 1 to %i without a gap', (type, version) => {
    const there = versions.filter((name) => name.startsWith(`${type}.v`)).sort();
    expect(there).toStrictEqual(Array.from({ length: version }, (_, i) => `${type}.v${i + 1}`));
  });

  it('belong to types that are written today', () => {
    const types = new Set(versions.map((name) => name.split('.v')[0]));
    expect([...types].sort()).toStrictEqual(Object.keys(currentVersion).sort());
  });

  it.each(versions)(
    '%s is read as the same by whoever reads what was read (upcasting is idempotent)',
    (name) => {
      const { type, ...data } = today[name]!.event as WireEvent & Record<string, unknown>;
      expect(upcast(type, currentVersion[type], data)).toStrictEqual({ type, ...data });
    },
  );
});
