import { Module } from '@nestjs/common';
import type { DynamicModule, Provider, Type } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { HealthController } from '../health/health.controller.js';
import { Readiness } from '../health/readiness.js';
import { CallerGuard } from '../identity/caller.guard.js';
import { ProblemFilter } from '../problem/problem.filter.js';
import { validationPipe } from '../problem/validation.pipe.js';
import type { AppOptions } from './app-options.js';
import { LOGGER, METRICS } from './tokens.js';

/** What every app has: its logger, readiness, metrics, problem answers, validation, and callers' guard. */
@Module({})
export class PlatformModule {
  static around(
    app: Type | DynamicModule,
    options: AppOptions,
    readiness: Readiness,
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
      everywhere.push({ provide: APP_GUARD, useValue: new CallerGuard(options.callers) });
    }
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
