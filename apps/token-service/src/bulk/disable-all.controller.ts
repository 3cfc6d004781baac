import { Body, Controller, Header, HttpCode, Param, Post } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Commanding } from '../commands/command-request.js';
import type { CommandRequest } from '../commands/command-request.js';
import { DisableTokenBody } from '../disable-token/disable-token.dto.js';
import { UserIdPipe } from '../http/ids.js';
import { malformed } from '../http/problems.js';
import { refusalProblem } from '../api-token-callers/refused-credential.js';
import { BulkRun } from './bulk-run.js';
import type { BulkResult, BulkSummary } from './bulk-run.js';
import { DisableAllCommand } from './disable-all.command.js';

/** As a bulk command's, of the user's tokens that were not revoked; the oldest first. */
export interface DisableAllJson extends BulkSummary {
  readonly userId: string;
  readonly results: readonly BulkResult[];
}

@Controller('v1/users/:userId/disable-all')
export class DisableAllController {
  constructor(private readonly commands: CommandBus) {}

  @Post()
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  async disableAll(
    @Commanding() request: CommandRequest,
    @Param('userId', UserIdPipe) userId: string,
    @Body() body: DisableTokenBody,
  ): Promise<DisableAllJson> {
    if (request.expectedVersion !== undefined) {
      throw malformed('If-Match is for a command on one token.');
    }
    const result = await this.commands.execute(new DisableAllCommand(request, userId, body));
    if ('refused' in result) throw refusalProblem(result.refused);
    const results = result.tokens.map(({ id, version, position, changed }): BulkResult => ({
      id,
      result: changed ? 'changed' : 'unchanged',
      version,
      position,
    }));
    return { userId, ...summaryOf(results), results };
  }
}

function summaryOf(results: readonly BulkResult[]): BulkSummary {
  const run = new BulkRun(results.map(({ id }) => id));
  for (const result of results) run.add(result);
  return run.summary();
}
