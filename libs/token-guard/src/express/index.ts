import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TokenIdentity } from '../decision.js';
import { httpAnswer } from '../http-answer.js';
import { checkRequest } from '../request.js';
import type { MiddlewareOptions } from '../request.js';
import type { TokenGuard } from '../token-guard.js';

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace -- so Express lets itself be added to.
  namespace Express {
    interface Request {
      /** Whose request it is: wherever `tokenGuard` has let it pass. */
      token?: TokenIdentity;
    }
  }
}

/** Of Express, and of anything else that hands on Node's own request. */
export type ExpressRequest = IncomingMessage & {
  /** By the app's `trust proxy`. */
  readonly ip?: string | undefined;
  token?: TokenIdentity;
};

/**
 * A middleware, for Express 4 and 5: sets `request.token`, or answers itself, without a body, what
 * `httpAnswer` says. Limits on failures go by `request.ip`, where no `address` is given.
 */
export const tokenGuard =
  (guard: TokenGuard, { onStale, address }: MiddlewareOptions<ExpressRequest> = {}) =>
  (request: ExpressRequest, response: ServerResponse, next: (fault?: unknown) => void): void => {
    const addressOf = (): string | undefined =>
      address ? address(request) : (request.ip ?? request.socket.remoteAddress);
    const decision = checkRequest(guard, request, onStale, addressOf);
    if (decision.outcome === 'pass') {
      request.token = decision.token;
      next();
    } else {
      const { status, headers } = httpAnswer(decision);
      response.writeHead(status, { ...headers, 'content-length': '0' }).end();
    }
  };
