import { CommandHandler } from '@nestjs/cqrs';
import type { ICommandHandler } from '@nestjs/cqrs';
import { TokenDecisions } from '../commands/token-decisions.js';
import type { CommandResult } from '../commands/token-decisions.js';
import { RenameTokenCommand } from './rename-token.command.js';

@CommandHandler(RenameTokenCommand)
export class RenameTokenHandler implements ICommandHandler<RenameTokenCommand> {
  constructor(private readonly decisions: TokenDecisions) {}

  execute({ request, tokenId, body }: RenameTokenCommand): Promise<CommandResult> {
    return this.decisions.change(request, tokenId, async (facts, seal) => ({
      type: 'RenameToken',
      ...facts,
      name: await seal(body.name),
    }));
  }
}
