import { Command } from '@nestjs/cqrs';
import type { CommandRequest } from '../commands/command-request.js';
import type { CommandResult } from '../commands/token-decisions.js';
import type { EnableTokenBody } from './enable-token.dto.js';

export class EnableTokenCommand extends Command<CommandResult> {
  constructor(
    readonly request: CommandRequest,
    readonly tokenId: string,
    readonly body: EnableTokenBody,
  ) {
    super();
  }
}
