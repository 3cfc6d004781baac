import { Inject } from '@nestjs/common';
import { QueryHandler } from '@nestjs/cqrs';
import type { IQueryHandler, QueryResult } from '@nestjs/cqrs';
import { tag } from '@token-status/contracts';
import { authorityOver, isRefusal, refuse } from '@token-status/domain';
import { TokenOwners } from '../commands/token-owners.js';
import { laterProblem, reach } from '../http/problems.js';
import type { TokenServiceOptions } from '../options.js';
import type { CommandLog } from '../ports.js';
import { NOBODY } from '../queries/nobody.js';
import { EVENT_LOG, OPTIONS } from '../tokens.js';
import { TokenEventPresenter } from './event-json.js';
import type { EventJson, UnreadableEventJson } from './event-json.js';
import { TokenEventsQuery } from './token-events.query.js';

/** The history comes from the log itself: no projection has it, and none could be behind. */
@QueryHandler(TokenEventsQuery)
export class TokenEventsHandler implements IQueryHandler<TokenEventsQuery> {
  constructor(
    @Inject(EVENT_LOG) private readonly log: CommandLog,
    @Inject(OPTIONS) private readonly options: TokenServiceOptions,
    private readonly owners: TokenOwners,
    private readonly presenter: TokenEventPresenter,
  ) {}

  async execute({
    caller,
    tokenId,
    after,
    minPosition,
  }: TokenEventsQuery): Promise<QueryResult<TokenEventsQuery>> {
    if (minPosition > 0) await this.comeTo(minPosition);
    const owner = await reach(this.owners.of(tokenId), this.options.commandTimeoutMs);
    const authority = authorityOver(caller, owner ?? NOBODY, 'audit');
    if (isRefusal(authority)) return authority;
    if (!owner) return refuse('token-unknown');
    return { events: this.eventsOf(tokenId, after, authority !== 'owner') };
  }

  /** What is read after a majority write holds all that had been recorded before it. */
  private async comeTo(minPosition: number): Promise<void> {
    const { position } = await reach(this.log.fence(), this.options.commandTimeoutMs);
    if (position < minPosition) throw laterProblem('not-there-yet');
  }

  private async *eventsOf(
    tokenId: string,
    after: number,
    withOrigin: boolean,
  ): AsyncGenerator<EventJson | UnreadableEventJson, void> {
    for await (const recorded of this.log.read(after, { tags: [tag.token(tokenId)] })) {
      yield await this.presenter.present(recorded, { withOrigin });
    }
  }
}
