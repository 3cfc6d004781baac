import { IsOptional } from 'class-validator';
import type { Instant } from '@token-status/domain';
import { IsInstant } from '../http/instant.js';
import { ReasonedBody } from '../http/reasoned-body.js';

export class DisableTokenBody extends ReasonedBody {
  /** When the scheduler enables it again (rule 8). */
  @IsOptional()
  @IsInstant()
  readonly until?: Instant | null;
}
