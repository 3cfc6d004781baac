import { IsIn, IsOptional } from 'class-validator';
import { REASONS } from '@token-status/domain';
import type { Reason } from '@token-status/domain';
import { IsPlainText } from '../http/plain-text.js';
import { LONGEST_NOTE } from '../http/reasoned-body.js';

/** Why; the credential stands in `Authorization`, where nothing logs or keeps it. */
export class SelfDisableBody {
  @IsOptional()
  @IsIn(REASONS)
  readonly reason?: Reason | null;

  @IsOptional()
  @IsPlainText(LONGEST_NOTE)
  readonly note?: string | null;
}
