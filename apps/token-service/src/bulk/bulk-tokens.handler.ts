import { CommandHandler } from '@nestjs/cqrs';
import type { CommandResult as AnswerOf, ICommandHandler } from '@nestjs/cqrs';
import { isRefusal, sightOf } from '@token-status/domain';
import { commandIdOf } from '@token-status/event-log';
import type { CommandRequest } from '../commands/command-request.js';
import { TokenDecisions } from '../commands/token-decisions.js';
import type { CommandResult } from '../commands/token-decisions.js';
import { TokenFilter } from '../search-tokens/search-tokens.dto.js';
import { BulkPreview } from './bulk-preview.js';
import type { BulkResult } from './bulk-run.js';
import { BulkRuns } from './bulk-runs.js';
import type { BulkWork } from './bulk-runs.js';
import { BulkTargets } from './bulk-targets.js';
import { BulkTokensCommand } from './bulk-tokens.command.js';
import type { BulkTokensBody } from './bulk-tokens.dto.js';
import { commandFor } from './command-for.js';

/**
 * Many tokens at once, each a command of its own: with the same rights, the same refusals and, where the
 * bulk command has a key, the same promise that it happens once. So a repeat after a crash finds what was
 * done and does the rest, on any replica.
 */
@CommandHandler(BulkTokensCommand)
export class BulkTokensHandler implements ICommandHandler<BulkTokensCommand> {
  constructor(
    private readonly runs: BulkRuns,
    private readonly targets: BulkTargets,
    private readonly decisions: TokenDecisions,
    private readonly preview: BulkPreview,
  ) {}

  async execute({
    request,
    body,
    minPosition,
  }: BulkTokensCommand): Promise<AnswerOf<BulkTokensCommand>> {
    const { caller, commandId } = request;
    const sight = sightOf(caller, 'change');
    if (isRefusal(sight)) return sight;
    if (sight.userId !== null) return { refused: 'forbidden' };
    // A dry run is no command: it leaves nothing, so there is nothing that a key could find again.
    const key = body.dryRun ? undefined : request.key;
    if (key && (await this.decisions.claim(request)) === 'key-reused') {
      return { refused: 'key-reused' };
    }
    return this.runs.run(key && commandId, async () => {
      const { ids, filter } = body;
      const tokenIds = ids
        ? [...new Set(ids)]
        : await this.targets.of(filter ?? new TokenFilter(), sight, minPosition, key);
      return body.dryRun
        ? this.preview.of(request, tokenIds, body)
        : this.workOn(request, tokenIds, body);
    });
  }

  private workOn(request: CommandRequest, ids: readonly string[], body: BulkTokensBody): BulkWork {
    const forMs = request.deadline - performance.now();
    const fresh = (): number => performance.now() + forMs;
    return {
      ids,
      prepare: (some) => this.decisions.prepare({ ...request, deadline: fresh() }, some),
      one: async (id) => {
        const own = { ...requestFor(request, id), deadline: fresh() };
        const result = await this.decisions.change(own, id, (facts, seal) =>
          commandFor(body, facts, seal),
        );
        return resultOf(id, result);
      },
    };
  }
}

/** One token's part: its id, and its key where there is one, follow from the whole's. */
function requestFor(request: CommandRequest, tokenId: string): CommandRequest {
  // No caller is called so: these keys are nobody else's.
  const part = { caller: `bulk:${request.commandId}`, key: tokenId };
  return {
    ...request,
    commandId: commandIdOf(part),
    key: request.key && { ...part, fingerprint: request.key.fingerprint },
  };
}

function resultOf(id: string, result: CommandResult): BulkResult {
  if ('refused' in result) return { id, result: 'refused', code: result.refused };
  const { token, position, changed } = result;
  return { id, result: changed ? 'changed' : 'unchanged', version: token.version, position };
}
