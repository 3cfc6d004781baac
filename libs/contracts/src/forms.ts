/** Forms that more than one thing on the wire has; not part of the front door. */

/**
 * RFC 3339 in UTC with milliseconds and nothing else, as `Date.toISOString` writes it, so that order
 * is text order; no leap second, which `Date` can't read.
 */
export const instant = {
  type: 'string',
  pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:[0-5]\\d\\.\\d{3}Z$',
  format: 'date-time',
} as const;

/** The epoch of a log (`precise.md` 5). */
export const epoch = { type: 'string', pattern: '^[0-9a-f]{32}$' } as const;

/**
 * Whether a text of the form {@link instant} names a day and an hour that there are: what the format
 * `date-time` adds to its pattern, without splitting the text, since every event that is read has one.
 */
export function isRealTime(text: string): boolean {
  const month = twoDigits(text, 5);
  const leap = isLeapYear(twoDigits(text, 0) * 100 + twoDigits(text, 2));
  const days = month === 2 && leap ? 29 : (DAYS[month] ?? 0);
  const day = twoDigits(text, 8);
  return day >= 1 && day <= days && twoDigits(text, 11) < 24;
}

/** By month, from 1. */
const DAYS = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const ZERO = '0'.charCodeAt(0);

const isLeapYear = (year: number): boolean =>
  year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

const twoDigits = (text: string, at: number): number =>
  (text.charCodeAt(at) - ZERO) * 10 + text.charCodeAt(at + 1) - ZERO;
