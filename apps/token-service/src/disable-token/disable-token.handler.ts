import { CommandHandler } from '@nestjs/cqrs';
import type { ICommandHandler } from '@nestjs/cqrs';
import { TokenDecisions } from '../commands/token-decisions.js';
import type { CommandResult } from '../commands/token-decisions.js';
import { DisableTokenCommand } from './disable-token.command.js';

@CommandHandler(DisableTokenCommand)
export class DisableTokenHandler implements ICommandHandler<DisableTokenCommand> {
  constructor(private readonly decisions: TokenDecisions) {}

  execute({ request, tokenId, body }: DisableTokenCommand): Promise<CommandResult> {
    return this.decisions.change(request, tokenId, async (facts, seal) => ({
      type: 'DisableToken',
      ...facts,
      authority: body.authority ?? undefined,
      reason: body.reason ?? null,
      note: await seal(body.note),
      until: body.until ?? null,
    }));
  }
}
