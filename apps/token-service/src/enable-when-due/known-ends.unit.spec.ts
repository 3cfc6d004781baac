import { describe, expect, it } from '@jest/globals';
import { KnownEnds } from './known-ends.js';
import type { End } from './enable-token-when-due.command.js';

const at = (minute: number): string => `2030-01-01T12:${String(minute).padStart(2, '0')}:00.000Z`;
const end = (tokenId: string, minute: number): End => ({
  tokenId,
  disabledAtVersion: 2,
  until: at(minute),
});
const given = (...ends: End[]): KnownEnds => {
  const known = new KnownEnds();
  for (const each of ends) known.note(each);
  return known;
};
const ids = (ends: readonly End[]): string[] => ends.map(({ tokenId }) => tokenId);

describe('the ends that a process knows of', () => {
  it('are taken once they have come, the earliest first, in whatever order they were noted', () => {
    const known = given(end('c', 30), end('a', 10), end('d', 40), end('b', 20));
    expect(known.earliest).toBe(at(10));
    expect(known.dueBy(at(30))).toBe(3);
    expect(ids(known.take(at(30), 2))).toEqual(['a', 'b']);
    expect(ids(known.take(at(30), 2))).toEqual(['c']);
    expect(known.take(at(30), 2)).toEqual([]);
    expect(known.earliest).toBe(at(40));
  });

  it('have come at their very time and not before', () => {
    const known = given(end('a', 10));
    expect(known.take('2030-01-01T12:09:59.999Z', 9)).toEqual([]);
    expect(ids(known.take('2030-01-01T12:10:00.000Z', 9))).toEqual(['a']);
    expect(known.earliest).toBeNull();
  });

  it('are bounded: what comes last is left to the read model', () => {
    const known = new KnownEnds(3);
    for (const minute of [50, 20, 40, 10, 30, 55]) known.note(end(`at ${minute}`, minute));
    expect(ids(known.take(at(59), 9))).toEqual(['at 10', 'at 20', 'at 30']);
  });

  it('tell when another one is the earliest, and only then', () => {
    const known = new KnownEnds();
    let told = 0;
    known.onEarliest(() => told++);
    const after = (minute: number): number => {
      known.note(end('x', minute));
      return told;
    };
    expect([after(30), after(40), after(20), after(20)]).toEqual([1, 1, 2, 2]);
  });
});
