import { CommandHandler } from '@nestjs/cqrs';
import type { ICommandHandler } from '@nestjs/cqrs';
import { TokenDecisions } from '../commands/token-decisions.js';
import type { CommandResult } from '../commands/token-decisions.js';
import { RevokeTokenCommand } from './revoke-token.command.js';

@CommandHandler(RevokeTokenCommand)
export class RevokeTokenHandler implements ICommandHandler<RevokeTokenCommand> {
  constructor(private readonly decisions: TokenDecisions) {}

  execute({ request, tokenId }: RevokeTokenCommand): Promise<CommandResult> {
    return this.decisions.change(request, tokenId, (facts) =>
      // A DELETE's body has no meaning (RFC 9110 section 9.3.5), so no reason comes with it.
      Promise.resolve({ type: 'RevokeToken', ...facts, reason: null, note: null }),
    );
  }
}
