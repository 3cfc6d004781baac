import { Transform } from 'class-transformer';
import { Allow, IsInt, IsOptional, Max, Min } from 'class-validator';

export const PAGE = 100;
const LONGEST_PAGE = 1000;

const toWhole = ({ value }: { value: unknown }): unknown =>
  typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;

export class TokenEventsParameters {
  /** The position of the last event that the caller has. */
  @IsOptional()
  @Transform(toWhole)
  @IsInt()
  @Min(0)
  readonly after?: number;

  @IsOptional()
  @Transform(toWhole)
  @IsInt()
  @Min(1)
  @Max(LONGEST_PAGE)
  readonly limit?: number;

  /** Read by `@MinPosition()`. */
  @Allow()
  readonly minPosition?: unknown;
}
