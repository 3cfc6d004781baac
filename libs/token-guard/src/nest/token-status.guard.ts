import { STATUS_CODES } from 'node:http';
import {
  HttpException,
  Inject,
  Injectable,
  SetMetadata,
  createParamDecorator,
} from '@nestjs/common';
import type { CanActivate, CustomDecorator, ExecutionContext } from '@nestjs/common';
import type { OnStale, TokenIdentity } from '../decision.js';
import { httpAnswer } from '../http-answer.js';
import { checkRequest } from '../request.js';
import type { RequestHeaders } from '../request.js';
import { TOKEN_GUARD_OPTIONS } from './token-guard.options.js';
import type { NestRequest, NestTokenGuardOptions } from './token-guard.options.js';

/** On Fastify what Node made of it is below `raw`; on Express it is that itself. */
type GuardedRequest = NestRequest &
  RequestHeaders & { readonly raw?: RequestHeaders; token?: TokenIdentity };

/** Of both platforms. */
interface Response {
  header(name: string, value: string): unknown;
}

const WHEN_STALE = 'token-guard:when-stale';

/** What a stale view does to a handler, or to a controller: instead of the module's `onStale`. */
export const WhenStale = (onStale: OnStale): CustomDecorator => SetMetadata(WHEN_STALE, onStale);

/** Whose request it is, as a handler's parameter. Throws where no `TokenStatusGuard` has let it pass. */
export const CurrentToken = createParamDecorator(
  (_: unknown, context: ExecutionContext): TokenIdentity => {
    const { token } = context.switchToHttp().getRequest<GuardedRequest>();
    if (!token) throw new Error('no TokenStatusGuard has let this request pass');
    return token;
  },
);

/**
 * Lets a request pass whose credential does; else throws an `HttpException` with the status that
 * `httpAnswer` says, having set its headers: the body is the app's own affair. On Express and on Fastify.
 */
@Injectable()
export class TokenStatusGuard implements CanActivate {
  constructor(@Inject(TOKEN_GUARD_OPTIONS) private readonly options: NestTokenGuardOptions) {}

  canActivate(context: ExecutionContext): true {
    // It must not seem to guard what it can't read a header of.
    if (context.getType() !== 'http') {
      throw new Error(`TokenStatusGuard guards HTTP, not ${context.getType<string>()}`);
    }
    const http = context.switchToHttp();
    const request = http.getRequest<GuardedRequest>();
    const { guard, onStale, address } = this.options;
    const decision = checkRequest(
      guard,
      request.raw ?? request,
      whenStale(context) ?? onStale,
      () => (address ? address(request) : request.ip),
    );
    if (decision.outcome === 'pass') {
      request.token = decision.token;
      return true;
    }
    const { status, headers } = httpAnswer(decision);
    const response = http.getResponse<Response>();
    for (const [name, value] of Object.entries(headers)) response.header(name, value);
    throw new HttpException({ statusCode: status, message: STATUS_CODES[status] }, status);
  }
}

/** The handler's, else its controller's. */
const whenStale = (context: ExecutionContext): OnStale | undefined =>
  (Reflect.getMetadata(WHEN_STALE, context.getHandler()) ??
    Reflect.getMetadata(WHEN_STALE, context.getClass())) as OnStale | undefined;
