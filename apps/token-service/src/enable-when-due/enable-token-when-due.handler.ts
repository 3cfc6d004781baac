import { Inject } from '@nestjs/common';
import { CommandHandler } from '@nestjs/cqrs';
import type { ICommandHandler } from '@nestjs/cqrs';
import { tag } from '@token-status/contracts';
import { commandIdOf } from '@token-status/event-log';
import { decideDrafts, loggedTokens } from '../commands/token-decider.js';
import type { CommandLog } from '../ports.js';
import { EVENT_LOG } from '../tokens.js';
import { EnableTokenWhenDueCommand } from './enable-token-when-due.command.js';
import type { End, Ending } from './enable-token-when-due.command.js';

@CommandHandler(EnableTokenWhenDueCommand)
export class EnableTokenWhenDueHandler implements ICommandHandler<EnableTokenWhenDueCommand> {
  constructor(@Inject(EVENT_LOG) private readonly log: CommandLog) {}

  /** @throws what the log throws: the end stays due, and is decided again. */
  async execute({ end, at }: EnableTokenWhenDueCommand): Promise<Ending> {
    const { tokenId, disabledAtVersion } = end;
    const commandId = commandIdOfEnd(end);
    const decided = await this.log.decideAndAppend({
      commandId,
      tags: [tag.token(tokenId)],
      fold: loggedTokens,
      decide: (state) =>
        decideDrafts(state, {
          type: 'EnableTokenWhenDue',
          tokenId,
          disabledAtVersion,
          at,
          commandId,
        }),
    });
    if (decided.kind !== 'recorded') return { kind: 'overtaken' };
    if (decided.repeated) return { kind: 'repeated' };
    return { kind: 'enabled', commandId, eventIds: decided.events.map(({ id }) => id) };
  }
}

/**
 * One for each disable: whichever process comes to it, and however often, it enables once. No caller's
 * key gives the same, since theirs are named `user:…` and `service:…`.
 */
const commandIdOfEnd = ({ tokenId, disabledAtVersion }: End): string =>
  commandIdOf({ caller: 'scheduler', key: `${tokenId}/${disabledAtVersion}` });
