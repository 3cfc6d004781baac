import { applyDecorators } from '@nestjs/common';
import { Transform } from 'class-transformer';
import { ValidateBy } from 'class-validator';
import { isSealable, MAX_TEXT_BYTES } from '@token-status/personal-data';

/**
 * Line breaks and other controls, half surrogates, and what reorders the text around it (bidirectional
 * embeddings, overrides and isolates): names stand in lists that people decide by.
 */
const NOT_SHOWN_AS_WRITTEN = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

/**
 * What is wrong with a text that people wrote, or null.
 *
 * @param text in Unicode NFC
 * @param max in characters (code points)
 */
export function faultOfText(text: string, max: number): string | null {
  const length = Array.from(text).length;
  if (length < 1 || length > max) return `must have 1 to ${max} characters`;
  if (NOT_SHOWN_AS_WRITTEN.test(text)) {
    return 'must not hold control characters, line breaks, half surrogates or direction overrides';
  }
  if (!isSealable(text)) return `must not be longer than ${MAX_TEXT_BYTES} bytes in UTF-8`;
  if (text !== text.trim()) return 'must not begin or end with white space';
  return null;
}

/** A text of 1 to `max` characters; it arrives in the handler as Unicode NFC. */
export const IsPlainText = (max: number): PropertyDecorator =>
  applyDecorators(
    Transform(({ value }: { value: unknown }) =>
      typeof value === 'string' ? value.normalize('NFC') : value,
    ),
    ValidateBy({
      name: 'isPlainText',
      constraints: [max],
      validator: {
        validate: (value) => typeof value === 'string' && faultOfText(value, max) === null,
        defaultMessage: (given) => {
          const value: unknown = given?.value;
          const fault = typeof value === 'string' ? faultOfText(value, max) : 'must be a text';
          return `${given?.property ?? 'It'} ${fault ?? 'is wrong'}`;
        },
      },
    }),
  );
