import rateLimit from '@fastify/rate-limit';
import { SetMetadata } from '@nestjs/common';
import type { CanActivate, CustomDecorator, ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { platformProblem } from '../problem/problem.js';

/** How many requests in each minute. In memory: each replica counts for itself. */
export interface RateLimits {
  /** For each caller that is known: a user or a service. */
  readonly perCaller: number;
  /** For each address, of requests that name no valid caller. */
  readonly perAddress: number;
}

const MINUTE_MS = 60_000;
/** Of callers and of addresses that are counted at a time; the least recently seen is forgotten first. */
const MOST_COUNTED = 50_000;

const UNLIMITED = Symbol('unlimited');

/** A controller that is never refused for its number of requests: an operator's machinery asks it. */
export const Unlimited = (): CustomDecorator<symbol> => SetMetadata(UNLIMITED, true);

type Counter = ReturnType<FastifyInstance['createRateLimit']>;

/** Counts requests against their limits. */
export class RateLimiter {
  private counters: { readonly caller: Counter; readonly address: Counter } | null = null;

  constructor(private readonly limits: RateLimits) {}

  /** Before the app is made: Fastify takes no plugin after that. */
  async on(fastify: FastifyInstance): Promise<void> {
    await fastify.register(rateLimit, { global: false, cache: MOST_COUNTED });
    const { perCaller, perAddress } = this.limits;
    this.counters = {
      caller: fastify.createRateLimit({
        max: perCaller,
        timeWindow: MINUTE_MS,
        keyGenerator: ({ caller }) => `${caller?.kind ?? ''}:${caller?.id ?? ''}`,
      }),
      address: fastify.createRateLimit({
        max: perAddress,
        timeWindow: MINUTE_MS,
        // By `request.ip`. One host has as many IPv6 addresses as it likes of one network.
        ipv6Subnet: 64,
      }),
    };
  }

  /**
   * Counts one more request, of its caller where that is known, else of its address.
   *
   * @throws Problem `too-many-requests` with `Retry-After`
   */
  async count(request: FastifyRequest): Promise<void> {
    const counter = request.caller ? this.counters?.caller : this.counters?.address;
    if (counter === undefined) throw new Error('requests are counted before the limits are on');
    const count = await counter(request);
    if (count.isAllowed || !count.isExceeded) return;
    throw platformProblem('too-many-requests', {
      headers: { 'retry-after': String(Math.max(1, count.ttlInSeconds)) },
    });
  }
}

/** After the callers' guard: counts what that let pass. Global, so that no route is forgotten. */
export class RateLimitGuard implements CanActivate {
  private readonly reflector = new Reflector();

  constructor(private readonly limiter: RateLimiter) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const unlimited = this.reflector.getAllAndOverride<boolean | undefined>(UNLIMITED, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (unlimited !== true) {
      await this.limiter.count(context.switchToHttp().getRequest<FastifyRequest>());
    }
    return true;
  }
}
