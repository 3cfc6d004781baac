import { expect, it } from '@jest/globals';
import { minPositionOf } from './min-position.js';

it('a read without minPosition asks for no position', () => {
  expect(minPositionOf(undefined)).toBe(0);
});

it('minPosition is a whole number', () => {
  expect(minPositionOf('42')).toBe(42);
});

it.each(['', '-1', '1.5', '1e3', ' 1', '0x10', '1'.repeat(16), ['1', '2'], 'NaN'])(
  'minPosition can not be %j',
  (text) => {
    expect(() => minPositionOf(text)).toThrow(expect.objectContaining({ status: 400 }));
  },
);
