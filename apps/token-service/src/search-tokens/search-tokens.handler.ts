import { Inject } from '@nestjs/common';
import { QueryHandler } from '@nestjs/cqrs';
import type { IQueryHandler, QueryResult } from '@nestjs/cqrs';
import { isRefusal, sightOf } from '@token-status/domain';
import type { Clock } from '../clock.js';
import type { TokenServiceOptions } from '../options.js';
import { ReadModel } from '../queries/read-model.js';
import { CLOCK, OPTIONS } from '../tokens.js';
import { pageCursors } from './page-cursor.js';
import { SearchTokensQuery } from './search-tokens.query.js';

/** An administrator searches the account, a service everything, and who has only *API Access* what is theirs. */
@QueryHandler(SearchTokensQuery)
export class SearchTokensHandler implements IQueryHandler<SearchTokensQuery> {
  constructor(
    private readonly readModel: ReadModel,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(OPTIONS) private readonly options: TokenServiceOptions,
  ) {}

  async execute({
    caller,
    searchedFor,
    page: { limit, cursor },
    minPosition,
  }: SearchTokensQuery): Promise<QueryResult<SearchTokensQuery>> {
    const sight = sightOf(caller, 'read');
    if (isRefusal(sight)) return sight;
    const cursors = pageCursors(this.options.fingerprintKey, caller);
    const accountId = sight.accountId ?? searchedFor.accountId ?? null;
    const userId = sight.userId ?? searchedFor.userId;
    // Who asks for what is out of their sight learns as much as of what is not there.
    const inSight =
      (searchedFor.accountId ?? accountId) === accountId &&
      (searchedFor.userId ?? userId) === userId;
    if (!inSight) return { tokens: [], next: null };
    const { tokens, next } = await this.readModel.search(
      {
        ...searchedFor,
        accountId,
        userId,
        now: this.clock().toISOString(),
        limit,
        ...(cursor === undefined ? {} : { cursor: cursors.open(cursor) }),
      },
      minPosition,
    );
    return { tokens, next: next === null ? null : cursors.seal(next) };
  }
}
