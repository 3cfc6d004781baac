import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { MAX_ECHOES, readHeartbeat, readProbe } from './freshness.js';
import type { Heartbeat, Probe } from './freshness.js';

const probe: Probe = { gateway: 'gateway-1', nonce: 'abcdefghijklmnopqrstuv' };
const heartbeat: Heartbeat = {
  epoch: '0c4d1f7e92ab4f6d8e35b7a019c2d6f4',
  at: '2026-01-15T12:03:07.014Z',
  position: 57,
  offsets: { '0': '12', '11': '0' },
  echoes: [probe],
};

const text = JSON.stringify;
const heart = (said: object): string => text({ ...heartbeat, ...said });
const omit = (thing: object, property: string): string =>
  text(Object.fromEntries(Object.entries(thing).filter(([name]) => name !== property)));

const noJsonObject = ['', ' ', 'null', '[]', '{', '7', '"text"', '\u0000', '{}'];

describe('a heartbeat', () => {
  it.each([
    ['as the relay writes it', heartbeat],
    ['of an empty log', { ...heartbeat, position: 0, offsets: {} }],
    ['that echoes nobody', { ...heartbeat, echoes: [] }],
    ['of the greatest offset', { ...heartbeat, offsets: { '99999': '9223372036854775807' } }],
    [
      'that echoes as many gateways as it may',
      { ...heartbeat, echoes: Array.from({ length: MAX_ECHOES }, () => probe) },
    ],
  ])('%s is read', (_, given) => {
    expect(readHeartbeat(text(given))).toStrictEqual(given);
  });

  it('of a newer relay, which says more, is read by an older gateway', () => {
    const newer = {
      ...heartbeat,
      signature: 'x',
      echoes: [{ ...probe, readAt: '2026-01-15T12:03:07.000Z' }],
    };
    expect(readHeartbeat(text(newer))).toMatchObject(heartbeat);
  });

  it.each([
    ...noJsonObject.map((value) => [`text ${text(value)}`, value] as const),
    ...Object.keys(heartbeat).map((name) => [`without ${name}`, omit(heartbeat, name)] as const),
    ['of another epoch’s form', heart({ epoch: 'E' })],
    ['of an epoch with a line break', heart({ epoch: `${heartbeat.epoch}\n` })],
    ['at a time that is none', heart({ at: 'noon' })],
    ['at a day that is none', heart({ at: '2026-02-30T12:00:00.000Z' })],
    ['at a second that no clock here shows', heart({ at: '2026-06-30T23:59:60.000Z' })],
    ['at a number', heart({ at: 1768478587014 })],
    ['of a negative position', heart({ position: -1 })],
    ['of a broken position', heart({ position: 1.5 })],
    ['of a position as text', heart({ position: '57' })],
    ['of a position that is not exact', heart({ position: 2 ** 53 })],
    ['with a list of offsets', heart({ offsets: ['12'] })],
    ['with an offset as number', heart({ offsets: { '0': 12 } })],
    ['with a negative offset', heart({ offsets: { '0': '-1' } })],
    ['with a partition that is none', heart({ offsets: { first: '12' } })],
    ['with an echo without a nonce', heart({ echoes: [{ gateway: 'gateway-1' }] })],
    ['with an echo of a short nonce', heart({ echoes: [{ ...probe, nonce: 'abc' }] })],
    ['with an echo as text', heart({ echoes: ['abcdefghijklmnopqrstuv'] })],
    [
      'with too many echoes',
      heart({ echoes: Array.from({ length: MAX_ECHOES + 1 }, () => probe) }),
    ],
  ])('%s is none', (_, value) => {
    expect(readHeartbeat(value)).toBeNull();
  });
});

describe('a probe', () => {
  it.each([
    ['as a gateway writes it', probe],
    ['of any name', { ...probe, gateway: `A.b_c:9-${'x'.repeat(120)}` }],
    ['of a long nonce', { ...probe, nonce: 'A-_9'.repeat(16) }],
  ])('%s is read', (_, given) => {
    expect(readProbe(text(given))).toStrictEqual(given);
  });

  it('of a newer gateway, which says more, is read by an older relay, which echoes no more than it knows', () => {
    expect(readProbe(text({ ...probe, session: 'x'.repeat(10_000) }))).toStrictEqual(probe);
  });

  it.each([
    ...noJsonObject.map((value) => [`text ${text(value)}`, value] as const),
    ['without a gateway', omit(probe, 'gateway')],
    ['without a nonce', omit(probe, 'nonce')],
    ['of a gateway without a name', text({ ...probe, gateway: '' })],
    ['of a name with a line break', text({ ...probe, gateway: 'gateway-1\n' })],
    ['of a name too long', text({ ...probe, gateway: 'x'.repeat(129) })],
    ['of a name with a space', text({ ...probe, gateway: 'gateway 1' })],
    ['of a nonce that can be guessed', text({ ...probe, nonce: 'x'.repeat(21) })],
    ['of a nonce too long', text({ ...probe, nonce: 'x'.repeat(65) })],
    ['of a nonce that is a number', text({ ...probe, nonce: 1 })],
  ])('%s is none', (_, value) => {
    expect(readProbe(value)).toBeNull();
  });
});

describe('whatever else comes on their topics', () => {
  it('is null and never thrown', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), (value) => {
        expect(readHeartbeat(value)).toBeNull();
        expect(readProbe(value)).toBeNull();
      }),
    );
  });
});
