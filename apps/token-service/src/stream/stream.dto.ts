import { Transform } from 'class-transformer';
import { IsInt, IsOptional, Min } from 'class-validator';
import { malformed } from '../http/problems.js';

const POSITION = /^\d{1,15}$/;

export class StreamParameters {
  /** A position of the log, for a first request: `Last-Event-ID` goes before it. */
  @IsOptional()
  @Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' && POSITION.test(value) ? Number(value) : value,
  )
  @IsInt()
  @Min(0)
  readonly after?: number;
}

/** @throws Problem `invalid-request` */
export function lastEventIdOf(header: string | undefined): number | undefined {
  if (header === undefined || header === '') return undefined;
  if (!POSITION.test(header))
    throw malformed('Last-Event-ID must be the id of an event: a position.');
  return Number(header);
}
