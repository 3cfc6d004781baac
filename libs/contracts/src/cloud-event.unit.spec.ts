import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fromEventRecord, readEnvelope } from './cloud-event.js';
import type { EventRecord } from './cloud-event.js';
import { UnreadableEvent } from './events/upcast.js';

const record = JSON.parse(
  readFileSync(
    new URL('../../../test/golden/events/TokenDisabled.v1.json', import.meta.url),
    'utf8',
  ),
) as EventRecord;
const { key, headers, value } = record;

/** What no message may repeat, whatever it complains of. */
const MARK = 'tst_MARKmarkMARKmarkMARKmarkMARKmark';

interface Read {
  readonly key: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly value: string;
}

const without = (name: string): Read => ({
  key,
  value,
  headers: Object.fromEntries(Object.entries(headers).filter(([other]) => other !== name)),
});
const withHeader = (name: string, text: string): Read => ({
  key,
  value,
  headers: { ...headers, [name]: text },
});
const withData = (change: Readonly<Record<string, unknown>>): Read => ({
  key,
  headers,
  value: JSON.stringify({ ...(JSON.parse(value) as object), ...change }),
});

const OTHER_TOKEN = 'tok_00000000000000000000000000000000';
const unreadable: readonly (readonly [string, Read])[] = [
  ...['ce_specversion', 'ce_id', 'ce_source', 'ce_type', 'ce_subject', 'ce_dataschema'].map(
    (name) => [`without ${name}`, without(name)] as const,
  ),
  ['without ce_position', without('ce_position')],
  ['without ce_tokenversion', without('ce_tokenversion')],
  ...Object.keys(headers)
    .filter((name) => !['content-type', 'ce_time', 'ce_traceparent'].includes(name))
    .flatMap((name) => [
      [`with an empty ${name}`, withHeader(name, '')] as const,
      [`with something else as ${name}`, withHeader(name, MARK)] as const,
      [`with white space around ${name}`, withHeader(name, ` ${headers[name] ?? ''}`)] as const,
      [`with a line break after ${name}`, withHeader(name, `${headers[name] ?? ''}\n`)] as const,
    ]),
  ['of another version of CloudEvents', withHeader('ce_specversion', '0.3')],
  ['of the source of no epoch', withHeader('ce_source', 'urn:token-status:log:')],
  ['of the source of a malformed epoch', withHeader('ce_source', `urn:token-status:log:${MARK}`)],
  ['of another source', withHeader('ce_source', 'urn:other:log:0c4d1f7e92ab4f6d8e35b7a019c2d6f4')],
  ['of an id in capitals', withHeader('ce_id', (headers.ce_id ?? '').toUpperCase())],
  ...['0', '-1', '1.0', '1e3', '01', '0x10', '9007199254740992', '99999999999999999999'].map(
    (text) => [`of the position ${text}`, withHeader('ce_position', text)] as const,
  ),
  ['of another type than its schema', withHeader('ce_type', 'TokenEnabled')],
  [
    'of a version that is not known yet',
    withHeader('ce_dataschema', 'urn:token-status:event:TokenDisabled:v2'),
  ],
  [
    'of a version written otherwise',
    withHeader('ce_dataschema', 'urn:token-status:event:TokenDisabled:v01'),
  ],
  [
    'of a type that is not known, with a schema to match',
    {
      key,
      value,
      headers: {
        ...headers,
        ce_type: MARK,
        ce_dataschema: `urn:token-status:event:${MARK}:v1`,
      },
    },
  ],
  ['without a key', { ...record, key: null }],
  ['with an empty key', { ...record, key: '' }],
  ["with another token's key", { ...record, key: OTHER_TOKEN }],
  ["with another token's subject", withHeader('ce_subject', OTHER_TOKEN)],
  [
    "with another token's key and subject",
    { key: OTHER_TOKEN, value, headers: { ...headers, ce_subject: OTHER_TOKEN } },
  ],
  ["with another token's data", withData({ tokenId: OTHER_TOKEN })],
  ["with another version's data", withData({ tokenVersion: 4 })],
  ['with another version in the headers', withHeader('ce_tokenversion', '4')],
  ['without a value', { ...record, value: '' }],
  ['whose value is not JSON', { ...record, value: `{"${MARK}"` }],
  ['whose value is JSON and more', { ...record, value: `${value} ${MARK}` }],
  ['whose value is a list', { ...record, value: `[${value}]` }],
  ['whose value is null', { ...record, value: 'null' }],
  ['with a property that its version does not have', withData({ [MARK]: MARK })],
  [
    'with a property of a property that its version does not have',
    withData({ by: { kind: 'user', id: 'u', [MARK]: 1 } }),
  ],
  ['with a property less', withData({ reason: undefined })],
  ['with a reason that is not on the list', withData({ reason: MARK })],
  ['with an authority that there is not', withData({ disabledWith: MARK })],
  ['with a time in another form', withData({ until: MARK })],
  ['with a user id that has a space', withData({ userId: `${MARK} ` })],
];

describe('a record of the events topic', () => {
  it('is read with its place in the log, its epoch and its trace', () => {
    expect(fromEventRecord(record)).toMatchObject({
      id: 'c3f0c3d2e4b596878879605142332415',
      epoch: '0c4d1f7e92ab4f6d8e35b7a019c2d6f4',
      position: 57,
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      event: { type: 'TokenDisabled', tokenVersion: 3 },
    });
  });

  it('is read with headers that are not known, as a mirror or a tracer adds them', () => {
    expect(fromEventRecord(withHeader('ce_signature', 'x'))).toStrictEqual(fromEventRecord(record));
    expect(fromEventRecord(withHeader('x-other', MARK))).toStrictEqual(fromEventRecord(record));
  });

  it.each(['content-type', 'ce_time'])(
    'is read whatever its %s, which nothing relies on',
    (name) => {
      expect(fromEventRecord(without(name))).toStrictEqual(fromEventRecord(record));
      expect(fromEventRecord(withHeader(name, MARK))).toStrictEqual(fromEventRecord(record));
    },
  );

  it.each([
    ['none', without('ce_traceparent')],
    ['an empty one', withHeader('ce_traceparent', '')],
    ['something else', withHeader('ce_traceparent', MARK)],
    ['one with a line break', withHeader('ce_traceparent', `${headers.ce_traceparent ?? ''}\n`)],
    [
      'one of the version that is forbidden',
      withHeader('ce_traceparent', 'ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'),
    ],
  ])('is read without a trace where it has %s', (_, given) => {
    expect(fromEventRecord(given)).toStrictEqual({ ...fromEventRecord(record), traceparent: null });
  });

  it.each(unreadable)('is unreadable %s, and nothing that it holds is repeated', (_, given) => {
    expect.hasAssertions();
    try {
      fromEventRecord(given);
      expect('read').toBe('unreadable');
    } catch (error) {
      expect(error).toBeInstanceOf(UnreadableEvent);
      const { message, stack } = error as UnreadableEvent;
      expect(`${message}${stack ?? ''}`).not.toMatch(/MARK|tok_/);
      expect(message).not.toMatch(/[^\x20-\x7e]/);
    }
  });

  it('is read, or unreadable, whatever bytes it holds: nothing else is thrown, and nothing repeated', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fc.constantFrom(MARK, key, value, ...Object.values(headers)),
    );
    fc.assert(
      fc.property(
        fc.option(text),
        fc.dictionary(fc.constantFrom(...Object.keys(headers)), text),
        text,
        fc.boolean(),
        (key, some, value, whole) => {
          const given = { key, headers: whole ? { ...headers, ...some } : some, value };
          const envelope = readEnvelope(given);
          try {
            const { id, epoch, position, event } = fromEventRecord(given);
            const { tokenId, tokenVersion } = event;
            expect(envelope).toStrictEqual({ id, epoch, position, tokenId, tokenVersion });
          } catch (error) {
            expect(error).toBeInstanceOf(UnreadableEvent);
            expect((error as Error).message).not.toContain('MARK');
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('the envelope of a record whose event can not be read', () => {
  it('has all that parking needs, from the headers and the key alone', () => {
    expect(readEnvelope({ key, headers: record.headers })).toStrictEqual({
      id: 'c3f0c3d2e4b596878879605142332415',
      epoch: '0c4d1f7e92ab4f6d8e35b7a019c2d6f4',
      position: 57,
      tokenId: key,
      tokenVersion: 3,
    });
  });

  const nothing = { id: null, epoch: null, position: null, tokenId: null, tokenVersion: null };

  it('has nothing of an empty record', () => {
    expect(readEnvelope({ key: null, headers: {} })).toStrictEqual(nothing);
  });

  it.each([
    ['id', 'ce_id'],
    ['epoch', 'ce_source'],
    ['position', 'ce_position'],
    ['tokenId', 'ce_subject'],
    ['tokenVersion', 'ce_tokenversion'],
  ] as const)('lacks its %s, and only that, where %s is missing or wrong', (part, name) => {
    const whole = readEnvelope(record);
    for (const given of [without(name), withHeader(name, ''), withHeader(name, MARK)]) {
      expect(readEnvelope(given)).toStrictEqual({ ...whole, [part]: null });
    }
  });

  it("names no token where the key is another's: the event is out of that token's order", () => {
    expect(readEnvelope({ ...record, key: OTHER_TOKEN }).tokenId).toBeNull();
    expect(readEnvelope({ ...record, key: null }).tokenId).toBeNull();
  });
});
