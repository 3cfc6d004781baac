import { Readable } from 'node:stream';
import { Body, Controller, HttpCode, Post, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import { annotateRequest, BodyLimit } from '@token-status/platform';
import { Commanding } from '../commands/command-request.js';
import type { CommandRequest } from '../commands/command-request.js';
import { MinPosition } from '../http/min-position.js';
import { malformed, problem } from '../http/problems.js';
import type { BulkResult, BulkRun, BulkSummary } from './bulk-run.js';
import { BulkTokensCommand } from './bulk-tokens.command.js';
import { BulkTokensBody, faultsOf } from './bulk-tokens.dto.js';
import type { BulkAction } from './bulk-tokens.dto.js';

/** The answer as JSON, and the last line of one as NDJSON, which has the results in lines before it. */
export interface BulkJson extends BulkSummary {
  readonly action: BulkAction;
  readonly dryRun: boolean;
  /** In the order of the request's ids, each once; by filter, newest token first. */
  readonly results?: readonly BulkResult[];
  /** `bulk-incomplete`, in NDJSON: by then the status has been sent. */
  readonly code?: string;
}

/** Ten thousand ids, each with its quotes, a comma and an indented line of its own, and a long note. */
const BODY_BYTES = 1024 * 1024;

export const NDJSON = 'application/x-ndjson';

@Controller('v1/tokens/bulk')
export class BulkTokensController {
  constructor(private readonly commands: CommandBus) {}

  @Post()
  @HttpCode(200)
  @BodyLimit(BODY_BYTES)
  async bulk(
    @Commanding() request: CommandRequest,
    @Body() body: BulkTokensBody,
    @MinPosition() minPosition: number,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const errors = faultsOf(body);
    if (errors.length > 0) {
      throw problem('invalid-request', { detail: 'The body is not as it must be.', errors });
    }
    if (request.expectedVersion !== undefined) {
      throw malformed('If-Match is for a command on one token.');
    }
    const run = await this.commands.execute(new BulkTokensCommand(request, body, minPosition));
    annotateRequest({ commandId: request.commandId });
    if ('refused' in run) throw problem(run.refused);
    annotateRequest({ tokens: run.of });
    const about = { action: body.action, dryRun: body.dryRun ?? false };
    reply.header('cache-control', 'no-store').header('vary', 'accept');
    if (asksForLines(reply.request.headers.accept)) {
      // Read at the connection's pace: the stream takes the next line once there is room for it.
      reply.type(NDJSON).send(Readable.from(linesOf(run, about)));
      return;
    }
    const results = await run.whole();
    const summary = run.summary();
    if (!summary.complete) throw incomplete(summary);
    reply.send({ ...about, ...summary, results } satisfies BulkJson);
  }
}

/** The rest can be asked for again, by the same key. */
const incomplete = ({ of, counts }: BulkSummary): Error =>
  problem('bulk-incomplete', { headers: { 'retry-after': '1' }, members: { of, counts } });

async function* linesOf(
  run: BulkRun,
  about: Pick<BulkJson, 'action' | 'dryRun'>,
): AsyncGenerator<string> {
  let done = 0;
  for await (const batch of run.read()) {
    done += batch.length;
    const lines: object[] = [...batch, { done, of: run.of }];
    yield lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  }
  const summary = run.summary();
  const last: BulkJson = {
    ...about,
    ...summary,
    ...(summary.complete ? {} : { code: 'bulk-incomplete' }),
  };
  yield `${JSON.stringify(last)}\n`;
}

/** Whether NDJSON is named in `Accept`, and not as what isn't wanted (RFC 9110 section 12.5.1). */
function asksForLines(accept = ''): boolean {
  return accept.split(',').some((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    return type === NDJSON && !parameters.some((each) => /^q=0(\.0*)?$/.test(each));
  });
}
