import { describe, expect, it } from '@jest/globals';
import { HeartbeatTrail } from './heartbeat-trail.js';

const heartbeat = (
  position: number,
  offsets: Record<string, string>,
): Parameters<HeartbeatTrail['note']>[0] => ({
  epoch: '0'.repeat(32),
  at: '2026-01-01T00:00:00.000Z',
  position,
  offsets,
  echoes: [],
});

describe('the trail of heartbeats', () => {
  it('gives a partition the newest position whose offset it has passed', () => {
    const trail = new HeartbeatTrail();
    trail.note(heartbeat(10, { 0: '4', 1: '6' }), 1);
    trail.note(heartbeat(20, { 0: '9', 1: '11' }), 2);
    expect(trail.passed(0, 3n)).toBe(0);
    expect(trail.passed(0, 4n)).toBe(10);
    expect(trail.passed(0, 8n)).toBe(10);
    expect(trail.passed(0, 9n)).toBe(20);
    expect(trail.passed(1, 100n)).toBe(20);
  });

  it('proves nothing for a partition that a heartbeat does not name', () => {
    const trail = new HeartbeatTrail();
    trail.note(heartbeat(10, { 0: '4' }), 1);
    expect(trail.passed(1, 100n)).toBe(0);
  });

  it('takes a partition in which nothing was sent as passed from the start', () => {
    const trail = new HeartbeatTrail();
    trail.note(heartbeat(10, { 0: '0' }), 1);
    expect(trail.passed(0, null)).toBe(10);
  });

  it('says since when it is behind', () => {
    const trail = new HeartbeatTrail();
    for (let i = 1; i <= 3; i++) trail.note(heartbeat(10 * i, { 0: `${i}` }), 100 * i);
    expect(trail.oldestBeyond(10)).toBe(200);
    expect(trail.oldestBeyond(30)).toBeNull();
    trail.forgetUpTo(20);
    expect(trail.oldestBeyond(0)).toBe(300);
  });

  it('stays small however long a partition does not move, and never tells too much', () => {
    const trail = new HeartbeatTrail();
    for (let i = 1; i <= 10_000; i++) trail.note(heartbeat(i, { 0: `${i}` }), i);
    expect(trail.newest?.position).toBe(10_000);
    for (const offset of [1n, 500n, 9_999n]) {
      expect(trail.passed(0, offset)).toBeLessThanOrEqual(Number(offset));
    }
    expect(trail.passed(0, 9_999n)).toBeGreaterThan(5_000);
    expect(trail.passed(0, 10_000n)).toBe(10_000);
    trail.forgetUpTo(10_000);
    expect(trail.newest?.position).toBe(10_000);
  });
});
