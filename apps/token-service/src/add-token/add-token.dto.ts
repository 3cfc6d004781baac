import { IsOptional, Matches } from 'class-validator';
import type { Instant } from '@token-status/domain';
import { OPAQUE_ID } from '../http/ids.js';
import { IsInstant } from '../http/instant.js';
import { IsPlainText } from '../http/plain-text.js';

export const LONGEST_NAME = 100;
const LONGEST_USER_NAME = 256;

export class AddTokenBody {
  @IsPlainText(LONGEST_NAME)
  readonly name: string;

  @IsOptional()
  @IsInstant()
  readonly expiresAt?: Instant | null;

  /** A service's only. Basic's user name ends at the first colon (RFC 7617), so it can hold none. */
  @IsOptional()
  @IsPlainText(LONGEST_USER_NAME)
  @Matches(/^[^:]*$/, { message: 'userName must not hold a colon' })
  readonly userName?: string | null;

  /** A service's only. */
  @IsOptional()
  @Matches(OPAQUE_ID, {
    message: 'accountId must have 1 to 128 printable ASCII characters, no space and no slash',
  })
  readonly accountId?: string | null;
}
