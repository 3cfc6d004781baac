import { applyDecorators } from '@nestjs/common';
import { Transform } from 'class-transformer';
import { ValidateBy } from 'class-validator';
import type { Instant } from '@token-status/domain';

const FORM =
  /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.\d{1,9})?(?:[Zz]|[+-](\d{2}):(\d{2}))$/;

/**
 * Reads a time of RFC 3339, with any offset, as UTC with milliseconds (finer parts are cut off); null
 * for what is none: a date that no calendar has (which `Date` would move to the next month), a leap
 * second, a year past 9999.
 */
export function toInstant(text: string): Instant | null {
  const parts = FORM.exec(text)
    ?.slice(1)
    .map((part: string | undefined) => Number(part ?? 0));
  if (!parts) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, ...offset] = parts;
  const [offsetHour = 0, offsetMinute = 0] = offset;
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return null;
  if (hour > 23 || minute > 59 || second > 59 || offsetHour > 23 || offsetMinute > 59) return null;
  const instant = new Date(text.toUpperCase()).toISOString();
  // An offset can carry the first and the last day out of the four-digit years.
  return instant.length === 24 ? instant : null;
}

const daysIn = (year: number, month: number): number => {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
};

/** A time of RFC 3339; it arrives in the handler as an {@link Instant}. */
export const IsInstant = (): PropertyDecorator =>
  applyDecorators(
    Transform(({ value }: { value: unknown }) =>
      typeof value === 'string' ? (toInstant(value) ?? value) : value,
    ),
    ValidateBy({
      name: 'isInstant',
      validator: {
        validate: (value) => typeof value === 'string' && toInstant(value) === value,
        defaultMessage: (given) =>
          `${given?.property ?? 'It'} must be a time of RFC 3339 up to the year 9999, such as 2031-05-04T12:00:00Z`,
      },
    }),
  );
