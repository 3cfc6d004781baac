import { IsIn, IsOptional } from 'class-validator';
import { AUTHORITIES, REASONS } from '@token-status/domain';
import type { Authority, Reason } from '@token-status/domain';
import { IsPlainText } from './plain-text.js';

export const LONGEST_NOTE = 1000;

/** Why, and on whose authority: all of it may be left out, and so may the body. */
export class ReasonedBody {
  @IsOptional()
  @IsIn(REASONS)
  readonly reason?: Reason | null;

  @IsOptional()
  @IsPlainText(LONGEST_NOTE)
  readonly note?: string | null;

  /** A lower authority than the caller's highest (`precise.md` 22). */
  @IsOptional()
  @IsIn(AUTHORITIES)
  readonly authority?: Authority | null;
}
