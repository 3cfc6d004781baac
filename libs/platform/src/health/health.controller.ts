import { Controller, Get, Header, Inject, Optional, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Public } from '../identity/caller.guard.js';
import { METRICS_CONTENT_TYPE } from '../metrics/metrics.js';
import type { Metrics } from '../metrics/metrics.js';
import { Unlimited } from '../server/rate-limits.js';
import { METRICS } from '../server/tokens.js';
import { Readiness } from './readiness.js';
import type { ReadinessReport } from './readiness.js';

/** For the operator's machinery: no caller identity, nothing cached, nothing secret. */
@Public()
@Unlimited()
@Controller()
export class HealthController {
  constructor(
    private readonly readiness: Readiness,
    @Optional() @Inject(METRICS) private readonly metrics: Metrics | null,
  ) {}

  /** The process runs and answers; says nothing about what it needs. */
  @Get('livez')
  @Header('cache-control', 'no-store')
  livez(): { readonly alive: true } {
    return { alive: true };
  }

  @Get('readyz')
  @Header('cache-control', 'no-store')
  async readyz(@Res({ passthrough: true }) reply: FastifyReply): Promise<ReadinessReport> {
    const report = await this.readiness.report();
    reply.code(report.ready ? 200 : 503);
    return report;
  }

  @Get('metrics')
  @Header('cache-control', 'no-store')
  @Header('content-type', METRICS_CONTENT_TYPE)
  async render(): Promise<string> {
    return (await this.metrics?.render()) ?? '';
  }
}
