import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Verdict } from '@token-status/contracts';
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
  const take = (...records: ReceivedRecord[]): void => intake.take(records);
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
    expect(intake.counts).toEqual({
      applied: 2,
      repeated: 2,
      parked: 0,
      rejected: 0,
      unverified: 0,
    });
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
    expect(intake.counts).toEqual({
      applied: 0,
      repeated: 0,
      parked: 0,
      rejected: 3,
      unverified: 0,
    });
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

describe('an event that does not verify', () => {
  const WRONG = 'wrong-signature';
  const verified = (intake: Intake, ...records: ReceivedRecord[]): void =>
    intake.take(
      records,
      records.map(() => 'verified'),
    );
  const enabled = (version = 3, position = 3): ReceivedRecord =>
    eventRecord(wireEvent(a, 'TokenEnabled', version), position);
  const statusOf = (intake: Intake, of = a): string => {
    const entry = intake.table.lookup(of.secret);
    if (!entry) return 'unknown';
    if (entry.parked) return 'parked';
    if (entry.revoked) return 'revoked';
    return entry.disabled ? 'disabled' : 'active';
  };

  it.each<Verdict>(['unsigned', 'unknown-key', 'wrong-signature'])(
    'enables nothing, denies its token, and is told, where it is %s',
    (verdict) => {
      const { intake, alarms, changes } = given();
      verified(intake, added(), disabled());
      intake.take([enabled()], [verdict]);
      expect(statusOf(intake)).toBe('parked');
      expect(alarms).toMatchObject([{ code: 'event-unverified', tokenId: a.tokenId }]);
      expect(changes.at(-1)).toBe(`parked ${a.tokenId}`);
      expect(intake.counts).toMatchObject({ applied: 2, parked: 0, unverified: 1 });
    },
  );

  it('is never one of those that were seen, so that one that is missing is missed', () => {
    const { intake } = given();
    verified(intake, added());
    intake.take([disabled()], [WRONG]);
    intake.take([eventRecord(wireEvent(b, 'TokenRenamed', 2), 2)], [WRONG]);
    expect(intake.watermark).toBe(1);
    expect(intake.positions).toEqual(new Map([[0, 2n]]));
    verified(intake, disabled());
    expect(intake.watermark).toBe(2);
  });

  it('adds no token', () => {
    const { intake } = given();
    intake.take([added()], [WRONG]);
    expect(statusOf(intake)).toBe('unknown');
    verified(intake, added());
    // What is genuine comes too late: somebody has to look at it.
    expect(statusOf(intake)).toBe('unknown');
    expect(intake.table.parked(1)).toEqual([{ tokenId: a.tokenId, why: 'its signature is wrong' }]);
  });

  it.each([
    ['disables', 'TokenDisabled', 'disabled'],
    ['revokes', 'TokenRevoked', 'revoked'],
  ] as const)('%s its token, since that denies, and is told', (_, type, status) => {
    const { intake, alarms, changes } = given();
    verified(intake, added());
    intake.take([eventRecord(wireEvent(a, type, 2), 2)], [WRONG]);
    expect(statusOf(intake)).toBe(status);
    expect(changes.at(-1)).toBe(`${status} ${a.tokenId}`);
    expect(alarms).toMatchObject([{ code: 'event-unverified', tokenId: a.tokenId }]);
  });

  it.each([
    ['a rename', 'TokenRenamed'],
    ['an enable', 'TokenEnabled'],
  ] as const)(
    "can't take a disable's place as %s of the same version, id and position",
    (_, type) => {
      const { intake } = given();
      verified(intake, added());
      const genuine = disabled();
      const forged = eventRecord(wireEvent(a, type, 2), 2);
      const { ce_id: id = '' } = genuine.headers;
      intake.take([{ ...forged, headers: { ...forged.headers, ce_id: id } }], [WRONG]);
      verified(intake, genuine);
      expect(statusOf(intake)).not.toBe('active');
    },
  );

  it('brings no epoch, and a foreign one breaks nothing', () => {
    const asked: string[] = [];
    const broken: string[] = [];
    const intake = new Intake(new CompactTable(), {
      acceptsEpoch: (epoch) => asked.push(epoch) > 0,
      onBroken: (why) => broken.push(why),
      onAlarm: () => undefined,
      onChange: () => undefined,
    });
    intake.take([eventRecord(wireEvent(a, 'TokenDisabled', 2), 2, 'f'.repeat(32))], [WRONG]);
    intake.take([{ ...added(), key: null }], [WRONG]);
    expect([asked, broken]).toEqual([[], []]);
    intake.take([{ ...added(), key: null }], ['verified']);
    expect(broken).toHaveLength(1);
  });

  it('is told a hundred times and no more, however many come', () => {
    const { intake, alarms } = given();
    for (let n = 0; n < 300; n++) intake.take([enabled(3, n + 1)], [WRONG]);
    expect(alarms).toHaveLength(100);
    expect(alarms.at(-1)?.message).toMatch(/more of them are counted/);
    expect(intake.readTo.unverified).toBe(300);
  });

  it('can only deny, whatever is forged between whatever is genuine', () => {
    const types = [
      'TokenAdded',
      'TokenRenamed',
      'TokenDisabled',
      'TokenEnabled',
      'TokenRevoked',
    ] as const;
    const genuine = [
      added(),
      disabled(),
      eventRecord(wireEvent(a, 'TokenEnabled', 3), 3),
      eventRecord(wireEvent(a, 'TokenRenamed', 4), 4),
      eventRecord(wireEvent(a, 'TokenDisabled', 5), 5),
    ];
    const forged = fc
      .record({
        type: fc.constantFrom(...types),
        version: fc.integer({ min: 1, max: 7 }),
        position: fc.oneof(fc.integer({ min: 1, max: 7 }), fc.constant(2 ** 40)),
        as: fc.option(fc.integer({ min: 0, max: 4 })),
      })
      .map(({ type, version, position, as }) => {
        const record = eventRecord(wireEvent(a, type, version, 'forged'), position);
        const id = as === null ? undefined : genuine[as]?.headers.ce_id;
        return id === undefined ? record : { ...record, headers: { ...record.headers, ce_id: id } };
      });
    // So many genuine ones, then a forged one, a genuine one that is read again, or none.
    const step = fc.record({ upTo: fc.integer({ min: 0, max: 5 }), forged, again: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
        const { intake } = given();
        const plain = new Intake(new CompactTable(), {
          acceptsEpoch: () => true,
          onBroken: () => undefined,
          onAlarm: () => undefined,
          onChange: () => undefined,
        });
        let next = 0;
        const go = (upTo: number): void => {
          for (; next < upTo; next++) {
            intake.take([genuine[next]!], ['verified']);
            plain.take([genuine[next]!], ['verified']);
          }
        };
        for (const { upTo, forged, again } of steps) {
          go(upTo);
          if (again && next > 0) intake.take([genuine[next - 1]!], ['verified']);
          intake.take([forged], [WRONG]);
          if (statusOf(plain) !== 'active') expect(statusOf(intake)).not.toBe('active');
          expect(intake.watermark).toBe(plain.watermark);
        }
        go(5);
        expect(statusOf(intake)).not.toBe('active');
      }),
    );
  });
});
