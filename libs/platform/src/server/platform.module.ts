import { Module } from '@nestjs/common';
import type { DynamicModule, Provider, Type } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { HealthController } from '../health/health.controller.js';
import { Readiness } from '../health/readiness.js';
import { CallerGuard } from '../identity/caller.guard.js';
import { ProblemFilter } from '../problem/problem.filter.js';
import { validationPipe } from '../problem/validation.pipe.js';
import type { AppOptions } from './app-options.js';
import { RateLimitGuard } from './rate-limits.js';
import type { RateLimiter } from './rate-limits.js';
import { LOGGER, METRICS } from './tokens.js';

/** What every app has: its logger, readiness, metrics, problem answers, validation, and callers' guard. */
@Module({})
export class PlatformModule {
  static around(
    app: Type | DynamicModule,
    options: AppOptions,
    readiness: Readiness,
    limiter: RateLimiter | null,
  ): DynamicModule {
    const shared: Provider[] = [
      { provide: LOGGER, useValue: options.logger },
      { provide: METRICS, useValue: options.metrics ?? null },
      { provide: Readiness, useValue: readiness },
    ];
    const everywhere: Provider[] = [
      { provide: APP_FILTER, useValue: new ProblemFilter(options.logger, options.problems ?? {}) },
      { provide: APP_PIPE, useValue: validationPipe() },
    ];
    if (options.callers !== 'none') {
      const guard = new CallerGuard(options.callers, limiter);
      everywhere.push({ provide: APP_GUARD, useValue: guard });
    }
    // Guards run in this order: who asks is known when it is counted.
    if (limiter) everywhere.push({ provide: APP_GUARD, useValue: new RateLimitGuard(limiter) });
    return {
      module: PlatformModule,
      global: true,
      imports: [app],
      controllers: [HealthController],
      providers: [...shared, ...everywhere],
      exports: shared,
    };
  }
}
