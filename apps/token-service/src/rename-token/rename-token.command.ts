import { Command } from '@nestjs/cqrs';
import type { CommandRequest } from '../commands/command-request.js';
import type { CommandResult } from '../commands/token-decisions.js';
import type { RenameTokenBody } from './rename-token.dto.js';

export class RenameTokenCommand extends Command<CommandResult> {
  constructor(
    readonly request: CommandRequest,
    readonly tokenId: string,
    readonly body: RenameTokenBody,
  ) {
    super();
  }
}
