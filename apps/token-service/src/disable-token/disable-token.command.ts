import { Command } from '@nestjs/cqrs';
import type { CommandRequest } from '../commands/command-request.js';
import type { CommandResult } from '../commands/token-decisions.js';
import type { DisableTokenBody } from './disable-token.dto.js';

export class DisableTokenCommand extends Command<CommandResult> {
  constructor(
    readonly request: CommandRequest,
    readonly tokenId: string,
    readonly body: DisableTokenBody,
  ) {
    super();
  }
}
