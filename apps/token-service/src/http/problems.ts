import { problemsFrom } from '@token-status/platform';
import type { Problem } from '@token-status/platform';
import { PROBLEMS, UnreadableEvent } from '@token-status/contracts';
import { LogOverloaded, LogUnavailable, OutcomeUnknown } from '@token-status/event-log';

export const problem = problemsFrom(PROBLEMS);

type LaterCode = 'outcome-unknown' | 'overloaded' | 'unavailable' | 'not-there-yet';

/** A 503 (RFC 9110 section 15.6.4): the same request may do better a little later. */
export const laterProblem = (code: LaterCode, cause?: unknown): Problem =>
  problem(code, { headers: { 'retry-after': '1' }, cause });

/** One thing that is wrong with the request. */
export const malformed = (detail: string): Problem => problem('invalid-request', { detail });

/** A parameter of the request's address that can't be taken. */
export const malformedParameter = (parameter: string, detail: string): Problem =>
  problem('invalid-request', {
    detail: 'A parameter is not as it must be.',
    errors: [{ parameter, detail }],
  });

/** What a fault of the event log means to the caller: above all, whether something may be recorded. */
export function problemOfLogFault(fault: unknown): unknown {
  if (fault instanceof OutcomeUnknown) return laterProblem('outcome-unknown', fault);
  if (fault instanceof LogUnavailable) return laterProblem('unavailable', fault);
  if (fault instanceof LogOverloaded) return laterProblem('overloaded', fault);
  return fault;
}

/**
 * Asks a part that may be out of reach, and waits no longer than that for it.
 *
 * @throws Problem `unavailable` (or the one named) when it fails or takes too long; an event that
 *   can't be read stays the fault that it is, since waiting mends nothing
 */
export async function reach<T>(
  work: Promise<T>,
  withinMs: number,
  code: LaterCode = 'unavailable',
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${withinMs} ms`)), withinMs);
  });
  try {
    return await Promise.race([work, tooLong]);
  } catch (fault) {
    if (fault instanceof UnreadableEvent) throw fault;
    throw laterProblem(code, fault);
  } finally {
    clearTimeout(timer);
  }
}
