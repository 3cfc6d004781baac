import type { Problem, ProblemTable } from './problem.js';

export const PROBLEM_CONTENT_TYPE = 'application/problem+json; charset=utf-8';

/** The JSON of an answer (RFC 9457 section 3). `instance` names the request, as the logs do. */
export function problemBody(
  problem: Problem,
  requestId: string | null,
  titles: ProblemTable = {},
): Record<string, unknown> {
  return {
    ...problem.members,
    type: `urn:token-status:problem:${problem.code}`,
    title: titles[problem.code]?.title ?? problem.title,
    status: problem.status,
    code: problem.code,
    ...(problem.detail === undefined ? {} : { detail: problem.detail }),
    ...(problem.errors.length === 0 ? {} : { errors: problem.errors }),
    ...(requestId === null ? {} : { instance: `urn:token-status:request:${requestId}` }),
  };
}
