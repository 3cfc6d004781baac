import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { ReceivedRecord } from '@token-status/event-bus';
import { CompactTable } from './compact-table.js';
import { EPOCH, eventRecord, token, wireEvent } from './given.spec.js';
import { Intake } from './intake.js';
import type { Alarm } from './intake.js';

function given() {
  const alarms: Alarm[] = [];
  const broken: string[] = [];
  const changes: string[] = [];
  const intake = new Intake(new CompactTable(), {
    acceptsEpoch: (epoch) => epoch === EPOCH,
    onBroken: (why) => broken.push(why),
    onAlarm: (alarm) => alarms.push(alarm),
    onChange: (tokenId, change) => changes.push(`${change} ${tokenId}`),
  });
  const take = (...records: ReceivedRecord[]): void => records.forEach((each) => intake.take(each));
  return { intake, take, alarms, broken, changes };
}

const a = token('a');
const b = token('b');
const added = (of = a, position = 1): ReceivedRecord =>
  eventRecord(wireEvent(of, 'TokenAdded', 1), position);
const disabled = (of = a, position = 2): ReceivedRecord =>
  eventRecord(wireEvent(of, 'TokenDisabled', 2), position);

const without = (record: ReceivedRecord, header: string): ReceivedRecord => {
  const headers = Object.entries(record.headers).filter(([name]) => name !== header);
  return { ...record, headers: Object.fromEntries(headers) };
};

describe('reading the history', () => {
  it('applies events, moves the watermark, and knows where to go on', () => {
    const { intake, take, changes, alarms } = given();
    take(added(), disabled());
    expect(intake.watermark).toBe(2);
    expect(intake.table.counts()).toMatchObject({ disabled: 1 });
    expect(intake.positions).toEqual(new Map([[0, 2n]]));
    expect(changes).toEqual([`added ${a.tokenId}`, `disabled ${a.tokenId}`]);
    expect(alarms).toEqual([]);
  });

  it('changes nothing when it is delivered twice', () => {
    const { intake, take, changes } = given();
    take(added(), disabled(), added(), disabled());
    expect(intake.counts).toEqual({ applied: 2, repeated: 2, parked: 0, rejected: 0 });
    expect(changes).toHaveLength(2);
    expect(intake.positions).toEqual(new Map([[0, 2n]]));
  });

  it('goes on past control records, and never back', () => {
    const { intake } = given();
    intake.goOnFrom(3, 17n);
    intake.goOnFrom(3, 5n);
    expect(intake.positions).toEqual(new Map([[3, 17n]]));
  });

  it.each<[string, (record: ReceivedRecord) => ReceivedRecord]>([
    ['is not JSON', (record) => ({ ...record, value: '{' })],
    [
      'is of a type that nobody knows',
      (r) => ({ ...r, headers: { ...r.headers, ce_type: 'New' } }),
    ],
    ['has no version', (record) => without(record, 'ce_tokenversion')],
    ['has no id', (record) => without(record, 'ce_id')],
  ])('parks the token of an event that %s, counts it as seen, and goes on', (_, spoil) => {
    const { intake, take, alarms, broken } = given();
    take(added(a, 1), spoil(disabled(a, 2)), added(b, 3));
    expect(intake.table.counts()).toEqual({ active: 1, disabled: 0, revoked: 0, parked: 1 });
    expect(intake.watermark).toBe(3);
    expect(alarms).toMatchObject([{ code: 'token-parked', tokenId: a.tokenId }]);
    expect(broken).toEqual([]);
  });

  it('alarms once for a parked token, whatever comes behind', () => {
    const { intake, take, alarms } = given();
    take(added(a, 1), eventRecord(wireEvent(a, 'TokenEnabled', 3), 2));
    take(eventRecord(wireEvent(a, 'TokenEnabled', 4), 3), { ...disabled(a, 4), value: '' });
    expect(alarms).toHaveLength(1);
    expect(intake.watermark).toBe(4);
    expect(intake.counts.parked).toBe(3);
  });

  it.each<[string, (record: ReceivedRecord) => ReceivedRecord]>([
    ['no subject', (record) => without(record, 'ce_subject')],
    ['another key than its subject', (record) => ({ ...record, key: b.tokenId })],
    ['no key', (record) => ({ ...record, key: null })],
  ])('does not trust itself any more after an event with %s', (_, spoil) => {
    const { intake, take, alarms, broken } = given();
    take(added(a, 1), spoil(disabled(a, 2)), added(b, 3));
    expect(broken).toHaveLength(1);
    expect(alarms).toMatchObject([{ code: 'event-without-token' }]);
    expect(intake.watermark).toBe(1);
  });

  it('takes nothing from another log, readable or not, and alarms once', () => {
    const { intake, take, alarms } = given();
    const foreign = eventRecord(wireEvent(a, 'TokenAdded', 1), 1, 'f'.repeat(32));
    take(foreign, { ...foreign, value: '' }, { ...foreign, key: null });
    expect(intake.counts).toEqual({ applied: 0, repeated: 0, parked: 0, rejected: 3 });
    expect(intake.watermark).toBe(0);
    expect(alarms).toMatchObject([{ code: 'foreign-epoch' }]);
  });

  it('does not count a position that it cannot ascribe to its log', () => {
    const { intake, take } = given();
    take(without(added(a, 1), 'ce_source'));
    expect(intake.watermark).toBe(0);
    expect(intake.table.counts().parked).toBe(1);
  });

  it('never throws, whatever a record holds', () => {
    const text = fc.oneof(fc.string(), fc.constantFrom('1.0', '1', EPOCH, a.tokenId));
    const record = fc.record({
      key: fc.oneof(text, fc.constant(null)),
      value: fc.oneof(text, fc.json()),
      headers: fc.dictionary(fc.constantFrom(...Object.keys(added().headers)), text),
    });
    fc.assert(
      fc.property(record, (spoiled) => {
        const { take } = given();
        take({ ...added(), ...spoiled, headers: { ...added().headers, ...spoiled.headers } });
      }),
    );
  });
});
