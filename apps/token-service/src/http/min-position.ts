import { createParamDecorator } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { malformed } from './problems.js';

/** The log's position that an answer must include; 0 where none is asked for. */
export function minPositionOf(text: unknown): number {
  if (text === undefined) return 0;
  if (typeof text !== 'string' || !/^\d{1,15}$/.test(text)) {
    throw malformed('minPosition must be a position of the log: a whole number.');
  }
  return Number(text);
}

/** `@MinPosition() minPosition: number`. A decorator, since Nest turns a query's text into a number, or NaN, before a pipe sees it. */
export const MinPosition = createParamDecorator((_: unknown, context: ExecutionContext) => {
  const { query } = context.switchToHttp().getRequest<FastifyRequest>();
  return minPositionOf((query as { readonly minPosition?: unknown }).minPosition);
});
