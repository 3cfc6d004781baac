import { Transform } from 'class-transformer';
import { Allow, IsIn, IsInt, IsOptional, Matches, Max, Min, ValidateBy } from 'class-validator';
import type { Instant, Status } from '@token-status/domain';
import { MOST_FOUND } from '@token-status/read-model';
import { LONGEST_NAME } from '../add-token/add-token.dto.js';
import { OPAQUE_ID } from '../http/ids.js';
import { IsInstant } from '../http/instant.js';
import { faultOfText } from '../http/plain-text.js';

const STATUSES: readonly Status[] = ['active', 'disabled', 'revoked', 'expired'];
export const PAGE = 100;

const id = (what: string) => ({
  message: `${what} must have 1 to 128 printable ASCII characters, no space and no slash`,
});

/** A part of a name, which unlike a name may begin or end with a space. */
const IsPartOfName = (): PropertyDecorator =>
  ValidateBy({
    name: 'isPartOfName',
    validator: {
      validate: (value) =>
        typeof value === 'string' &&
        value !== '' &&
        faultOfText(within(value), LONGEST_NAME + 2) === null,
      defaultMessage: (given) =>
        `${given?.property ?? 'It'} must have 1 to ${LONGEST_NAME} characters as a name may have them`,
    },
  });
const within = (part: string): string => `x${part.normalize('NFC')}x`;

/** What tokens are looked for by: all that is given must hold. */
export class TokenFilter {
  /** A service's; a user sees no account but its own. */
  @IsOptional()
  @Matches(OPAQUE_ID, id('account'))
  readonly account?: string;

  @IsOptional()
  @Matches(OPAQUE_ID, id('user'))
  readonly user?: string;

  @IsOptional()
  @IsIn(STATUSES)
  readonly status?: Status;

  @IsOptional()
  @IsPartOfName()
  readonly name?: string;

  @IsOptional()
  @Matches(/^[0-9A-Za-z]{1,6}$/, {
    message: 'hint must be the 1 to 6 letters and digits that a hint begins with',
  })
  readonly hint?: string;

  @IsOptional()
  @IsInstant()
  readonly createdAfter?: Instant;

  @IsOptional()
  @IsInstant()
  readonly createdBefore?: Instant;
}

export class SearchTokensParameters extends TokenFilter {
  @IsOptional()
  @Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' && /^\d{1,6}$/.test(value) ? Number(value) : value,
  )
  @IsInt()
  @Min(1)
  @Max(MOST_FOUND)
  readonly limit?: number;

  @IsOptional()
  @Matches(/^[\w-]{1,1000}\.[\w-]{43}$/, { message: 'cursor must be the one of a page before' })
  readonly cursor?: string;

  /** Read by `@MinPosition()`. */
  @Allow()
  readonly minPosition?: unknown;
}
