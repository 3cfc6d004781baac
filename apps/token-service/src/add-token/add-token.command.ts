import { Command } from '@nestjs/cqrs';
import type { CommandRequest } from '../commands/command-request.js';
import type { CommandResult } from '../commands/token-decisions.js';
import type { AddTokenBody } from './add-token.dto.js';

/** With the secret, if it was this very command that made it; nobody can show it again. */
export type AddTokenResult = CommandResult & { readonly secret?: string };

export class AddTokenCommand extends Command<AddTokenResult> {
  constructor(
    readonly request: CommandRequest,
    readonly userId: string,
    readonly body: AddTokenBody,
  ) {
    super();
  }
}
