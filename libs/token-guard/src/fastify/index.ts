import type { FastifyInstance, FastifyPluginCallback, FastifyRequest } from 'fastify';
import type { TokenIdentity } from '../decision.js';
import { httpAnswer } from '../http-answer.js';
import { checkRequest } from '../request.js';
import type { MiddlewareOptions } from '../request.js';
import type { TokenGuard } from '../token-guard.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose request it is; null where the plugin has not let it pass. */
    token: TokenIdentity | null;
  }
}

export interface FastifyTokenGuardOptions extends MiddlewareOptions<FastifyRequest> {
  readonly guard: TokenGuard;
}

/**
 * A plugin, for Fastify 5: guards every route of the instance that it is registered on, and those
 * below it. Sets `request.token`, or answers what `httpAnswer` says, without a body. Limits on failures
 * go by `request.ip`, where no `address` is given.
 */
export const tokenGuard: FastifyPluginCallback<FastifyTokenGuardOptions> = (
  fastify: FastifyInstance,
  { guard, onStale, address },
  done,
) => {
  // Two parts of an app may be guarded, each in its own way.
  if (!fastify.hasRequestDecorator('token')) fastify.decorateRequest('token', null);
  fastify.addHook('onRequest', (request, reply, goOn) => {
    const addressOf = (): string | undefined => (address ? address(request) : request.ip);
    const decision = checkRequest(guard, request.raw, onStale, addressOf);
    if (decision.outcome === 'pass') {
      request.token = decision.token;
      goOn();
    } else {
      const { status, headers } = httpAnswer(decision);
      void reply.code(status).headers(headers).send();
    }
  });
  done();
};

// What the package `fastify-plugin` would do: the hook belongs to the instance that registers it, not to
// one of the plugin's own.
Object.assign(tokenGuard, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: '@token-status/token-guard',
  [Symbol.for('plugin-meta')]: { name: '@token-status/token-guard', fastify: '5.x' },
});
