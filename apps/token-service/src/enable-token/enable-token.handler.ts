import { CommandHandler } from '@nestjs/cqrs';
import type { ICommandHandler } from '@nestjs/cqrs';
import { TokenDecisions } from '../commands/token-decisions.js';
import type { CommandResult } from '../commands/token-decisions.js';
import { EnableTokenCommand } from './enable-token.command.js';

@CommandHandler(EnableTokenCommand)
export class EnableTokenHandler implements ICommandHandler<EnableTokenCommand> {
  constructor(private readonly decisions: TokenDecisions) {}

  execute({ request, tokenId, body }: EnableTokenCommand): Promise<CommandResult> {
    return this.decisions.change(request, tokenId, async (facts, seal) => ({
      type: 'EnableToken',
      ...facts,
      authority: body.authority ?? undefined,
      reason: body.reason ?? null,
      note: await seal(body.note),
    }));
  }
}
