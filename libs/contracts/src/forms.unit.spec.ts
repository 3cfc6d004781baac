import { expect, it } from '@jest/globals';
import { fullFormats } from 'ajv-formats/dist/formats.js';
import fc from 'fast-check';
import { instant, isRealTime } from './forms.js';

const { validate } = fullFormats['date-time'] as { validate: (text: string) => boolean };
const number = (digits: number) =>
  fc.nat({ max: 10 ** digits - 1 }).map((n) => String(n).padStart(digits, '0'));
/** Of the form, real or not. */
const ofTheForm = fc
  .tuple(number(4), number(2), number(2), number(2), number(2), number(3))
  .map(
    ([y, m, d, h, s, ms]) =>
      `${y}-${m}-${d}T${h}:59:${String(Number(s) % 60).padStart(2, '0')}.${ms}Z`,
  );
const nearlyReal = fc
  .tuple(number(4), fc.integer({ min: 0, max: 13 }), fc.integer({ min: 27, max: 32 }))
  .map(([y, m, d]) => `${y}-${String(m).padStart(2, '0')}-${d}T23:00:00.000Z`);

it('a time is real exactly if RFC 3339 says so', () => {
  fc.assert(
    fc.property(fc.oneof(ofTheForm, nearlyReal), (text) => {
      expect(text).toMatch(new RegExp(instant.pattern));
      expect(isRealTime(text)).toBe(validate(text));
    }),
    { numRuns: 5000 },
  );
  expect(
    ['2000', '1900', '2024', '2026'].map((y) => isRealTime(`${y}-02-29T00:00:00.000Z`)),
  ).toEqual([true, false, true, false]);
});
