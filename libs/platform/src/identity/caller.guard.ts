import { createParamDecorator, SetMetadata } from '@nestjs/common';
import type { CanActivate, CustomDecorator, ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { annotateRequest } from '../logging/request-context.js';
import { Problem } from '../problem/problem.js';
import type { Caller } from './caller.js';
import type { CallerAuthentication } from './token-verifier.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the guard, before any handler that isn't public. */
    caller?: Caller;
  }
}

const PUBLIC = Symbol('public');

/** A controller or handler that anybody may call. All others need a caller. */
export const Public = (): CustomDecorator<symbol> => SetMetadata(PUBLIC, true);

/** Refuses a request without a valid access token. Global: a route that nobody thought about is closed. */
export class CallerGuard implements CanActivate {
  private readonly reflector = new Reflector();

  constructor(
    private readonly authentication: CallerAuthentication,
    /** Of those who fail: who guesses is slowed down. */
    private readonly limiter: { count(request: FastifyRequest): Promise<void> } | null = null,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const isPublic = this.reflector.getAllAndOverride<boolean | undefined>(PUBLIC, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (isPublic === true) return true;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    try {
      request.caller = await this.authentication.authenticate(request.headers.authorization);
    } catch (refused) {
      if (refused instanceof Problem && refused.status === 401) await this.limiter?.count(request);
      throw refused;
    }
    annotateRequest({ callerId: request.caller.id });
    return true;
  }
}

/** The caller, as a handler's parameter: `@CurrentCaller() caller: Caller`. */
export const CurrentCaller = createParamDecorator(
  (_: unknown, context: ExecutionContext): Caller => {
    const { caller } = context.switchToHttp().getRequest<FastifyRequest>();
    if (caller === undefined) throw new Error('A public route asks for its caller');
    return caller;
  },
);
