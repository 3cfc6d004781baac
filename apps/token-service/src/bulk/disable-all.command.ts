import { Command } from '@nestjs/cqrs';
import type { CommandRequest } from '../commands/command-request.js';
import type { UserResult } from '../commands/token-decisions.js';
import type { DisableTokenBody } from '../disable-token/disable-token.dto.js';

export class DisableAllCommand extends Command<UserResult> {
  constructor(
    readonly request: CommandRequest,
    readonly userId: string,
    readonly body: DisableTokenBody,
  ) {
    super();
  }
}
