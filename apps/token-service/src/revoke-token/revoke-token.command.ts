import { Command } from '@nestjs/cqrs';
import type { CommandRequest } from '../commands/command-request.js';
import type { CommandResult } from '../commands/token-decisions.js';

export class RevokeTokenCommand extends Command<CommandResult> {
  constructor(
    readonly request: CommandRequest,
    readonly tokenId: string,
  ) {
    super();
  }
}
