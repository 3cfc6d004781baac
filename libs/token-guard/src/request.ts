import type { IncomingHttpHeaders } from 'node:http';
import type { Decision, OnStale } from './decision.js';
import type { TokenGuard } from './token-guard.js';

/** What is looked at of a request; of Node's own, and of what frameworks make of it. */
export interface RequestHeaders {
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
}

/** What a middleware checks by. */
export interface MiddlewareOptions<Request> {
  /** Default `deny`. */
  readonly onStale?: OnStale;
  /** Of the caller, for limits on failures; by default what the framework says it is. */
  readonly address?: (request: Request) => string | undefined;
}

/**
 * Every value of `Authorization` that came: Node itself would show the first one only, and who asked
 * something else of another reader of the same request must not pass here.
 */
export function authorizationOf({
  headers,
  rawHeaders,
}: RequestHeaders): string | string[] | undefined {
  const first = headers.authorization;
  if (first === undefined) return undefined;
  let all: string[] | null = null;
  let seen = false;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    if (name?.length !== 13 || name.toLowerCase() !== 'authorization') continue;
    if (seen) (all ??= [first]).push(rawHeaders[i + 1] ?? '');
    seen = true;
  }
  return all ?? first;
}

/** Whether a request's credential passes, now. */
export const checkRequest = (
  guard: TokenGuard,
  request: RequestHeaders,
  onStale: OnStale | undefined,
  address: () => string | undefined,
): Decision =>
  guard.check({
    authorization: authorizationOf(request),
    ...(onStale && { onStale }),
    address,
  });
