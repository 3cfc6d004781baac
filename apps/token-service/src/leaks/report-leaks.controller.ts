import { Controller, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Public, RawJsonBody } from '@token-status/platform';
import { REPORT_KEYS } from '../tokens.js';
import { LARGEST_REPORT, parseLeakReport } from './leak-report.js';
import { ReportLeaksCommand } from './report-leaks.command.js';
import type { LeakFeedback } from './report-leaks.command.js';
import type { ReportKeys } from './report-keys.js';
import { checkReportSignature } from './report-signature.js';

/** Takes reports of secrets found in public; who sent one is proven by its signature. */
@Public()
@Controller('v1/leaks')
export class ReportLeaksController {
  constructor(
    private readonly commands: CommandBus,
    @Inject(REPORT_KEYS) private readonly keys: ReportKeys,
  ) {}

  @Post()
  @HttpCode(200)
  @RawJsonBody(LARGEST_REPORT)
  async report(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<readonly LeakFeedback[]> {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    // Before anything of it is looked at.
    await checkReportSignature(this.keys, request.headers, body);
    reply.header('cache-control', 'no-store');
    return this.commands.execute(new ReportLeaksCommand(parseLeakReport(body), request.ip));
  }
}
