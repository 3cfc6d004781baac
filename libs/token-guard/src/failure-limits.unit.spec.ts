import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { FailureLimits } from './failure-limits.js';

const failing = (limits: FailureLimits, address: string, times: number, now = 0): number[] =>
  Array.from({ length: times }, () => limits.fail(address, now));

describe('limits on failures', () => {
  it('let a burst be, and then as many a minute as they say', () => {
    const limits = new FailureLimits({ burst: 3, perMinute: 60 });
    const rounded = (times: number[]): number[] => times.map(Math.round);
    expect(rounded(failing(limits, '192.0.2.1', 5))).toEqual([0, 0, 0, 1000, 1000]);
    expect(limits.fail('192.0.2.1', 999)).toBeCloseTo(1, 2);
    expect(rounded(failing(limits, '192.0.2.1', 2, 1000))).toEqual([0, 1000]);
    expect(rounded(failing(limits, '192.0.2.1', 4, 60_000))).toEqual([0, 0, 0, 1000]);
  });

  it('count each address by itself', () => {
    const limits = new FailureLimits({ burst: 1, perMinute: 1 });
    for (const address of ['192.0.2.1', '192.0.2.2']) {
      expect(failing(limits, address, 2).map((ms) => ms > 0)).toEqual([false, true]);
    }
  });

  it.each([
    ['a /64 of IPv6', '2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff', true],
    ['two /64 of IPv6', '2001:db8:1:2::1', '2001:db8:1:3::1', false],
    ['an IPv4 address written as IPv6', '192.0.2.1', '::ffff:192.0.2.1', true],
    ['two IPv4 addresses written as IPv6', '::ffff:192.0.2.2', '::ffff:192.0.2.1', false],
    ['what is no address', 'unknown', 'x'.repeat(10_000), true],
    ['two interfaces of one link', 'fe80::1%eth0', 'fe80::2%eth1', true],
  ])('take %s: %s and %s', (_, one, other, same) => {
    const limits = new FailureLimits({ burst: 1, perMinute: 1 });
    limits.fail(one, 0);
    expect(limits.fail(other, 0) > 0).toBe(same);
  });

  it('let a whole burst be, whatever the time and the rate', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 1000 }),
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        (burst, perMinute, now) => {
          const limits = new FailureLimits({ burst, perMinute });
          const told = failing(limits, '192.0.2.1', burst + 1, now);
          expect(told.slice(0, burst)).toEqual(Array.from({ length: burst }, () => 0));
          expect(told.at(-1)).toBeGreaterThan(0);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('never let more than the burst and the rate be, whatever the times', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 1000 }),
        fc.array(fc.integer({ min: 0, max: 5000 }), { maxLength: 100 }),
        (burst, perMinute, gaps) => {
          const limits = new FailureLimits({ burst, perMinute });
          let now = 0;
          let unlimited = 0;
          for (const gap of gaps) {
            now += gap;
            if (limits.fail('192.0.2.1', now) === 0) unlimited++;
          }
          expect(unlimited).toBeLessThanOrEqual(burst + Math.floor((now * perMinute) / 60_000) + 1);
        },
      ),
    );
  });

  it('remember a bounded number of addresses, and forget who failed longest ago', () => {
    const limits = new FailureLimits({ burst: 1, perMinute: 1 });
    limits.fail('192.0.2.1', 0);
    for (let i = 0; i < 99_999; i++) limits.fail(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, 0);
    expect(limits.fail('192.0.2.1', 0)).toBeGreaterThan(0);
    limits.fail('192.0.2.2', 0);
    expect(limits.fail('192.0.2.1', 0)).toBe(0);
  });
});
