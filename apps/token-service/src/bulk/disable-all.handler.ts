import { CommandHandler } from '@nestjs/cqrs';
import type { ICommandHandler } from '@nestjs/cqrs';
import { TokenDecisions } from '../commands/token-decisions.js';
import type { UserResult } from '../commands/token-decisions.js';
import { DisableAllCommand } from './disable-all.command.js';

/** For an emergency: everything of a user, with nothing to look up before it. */
@CommandHandler(DisableAllCommand)
export class DisableAllHandler implements ICommandHandler<DisableAllCommand> {
  constructor(private readonly decisions: TokenDecisions) {}

  execute({ request, userId, body }: DisableAllCommand): Promise<UserResult> {
    return this.decisions.changeAllOf(request, userId, async (facts, seal) => ({
      type: 'DisableToken',
      ...facts,
      authority: body.authority ?? undefined,
      reason: body.reason ?? null,
      note: await seal(body.note),
      until: body.until ?? null,
    }));
  }
}
