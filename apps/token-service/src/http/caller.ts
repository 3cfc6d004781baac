import { createParamDecorator } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Caller, Scope } from '@token-status/domain';
import type { Caller as PlatformCaller } from '@token-status/platform';
import { OPAQUE_ID } from './ids.js';
import { problem } from './problems.js';

const SCOPES: readonly Scope[] = ['tokens:read', 'tokens:write', 'tokens:security', 'audit:read'];

/** A caller as the domain's policy judges it, and the user name that only adding a token needs. */
export interface NamedCaller extends Caller {
  readonly userName: string | null;
}

/**
 * Who asks. Scopes that the domain doesn't know are others' and dropped.
 *
 * @throws Problem `unauthenticated` where the ids could not stand in an event
 */
export function callerOf({ caller }: { readonly caller?: PlatformCaller }): NamedCaller {
  if (caller === undefined) throw new Error('a public route asks for its caller');
  const { kind, id, accountId, userName, privileges, tokenId } = caller;
  if (!OPAQUE_ID.test(id) || (accountId !== null && !OPAQUE_ID.test(accountId))) {
    throw problem('unauthenticated', {
      headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
    });
  }
  const scopes = new Set(SCOPES.filter((scope) => caller.scopes.has(scope)));
  return { kind, id, accountId, userName, privileges, scopes, tokenId };
}

/** `@Asking() caller: NamedCaller`. */
export const Asking = createParamDecorator((_: unknown, context: ExecutionContext) =>
  callerOf(context.switchToHttp().getRequest<FastifyRequest>()),
);
