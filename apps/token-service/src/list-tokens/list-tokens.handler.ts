import { QueryHandler } from '@nestjs/cqrs';
import type { IQueryHandler, QueryResult } from '@nestjs/cqrs';
import { authorityOver, isRefusal } from '@token-status/domain';
import type { Owner } from '@token-status/domain';
import type { TokenView } from '@token-status/read-model';
import type { NamedCaller } from '../http/caller.js';
import { NOBODY } from '../queries/nobody.js';
import { ReadModel } from '../queries/read-model.js';
import { ListTokensQuery } from './list-tokens.query.js';

@QueryHandler(ListTokensQuery)
export class ListTokensHandler implements IQueryHandler<ListTokensQuery> {
  constructor(private readonly readModel: ReadModel) {}

  async execute({
    caller,
    userId,
    minPosition,
  }: ListTokensQuery): Promise<QueryResult<ListTokensQuery>> {
    const tokens = await this.readModel.tokensOf(userId, minPosition);
    const owner = ownerOf(userId, tokens, caller);
    const authority = authorityOver(caller, owner ?? NOBODY, 'read');
    if (isRefusal(authority)) {
      return authority.refused === 'token-unknown' ? { refused: 'user-unknown' } : authority;
    }
    return owner ? tokens : { refused: 'user-unknown' };
  }
}

/** We know of users by their tokens; of the caller by what the issuer says. */
function ownerOf(userId: string, [token]: readonly TokenView[], caller: NamedCaller): Owner | null {
  if (token) return { userId, accountId: token.accountId };
  if (caller.kind !== 'user' || caller.id !== userId || caller.accountId === null) return null;
  return { userId, accountId: caller.accountId };
}
