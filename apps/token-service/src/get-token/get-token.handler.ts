import { QueryHandler } from '@nestjs/cqrs';
import type { IQueryHandler, QueryResult } from '@nestjs/cqrs';
import { authorityOver, isRefusal, refuse } from '@token-status/domain';
import { NOBODY } from '../queries/nobody.js';
import { ReadModel } from '../queries/read-model.js';
import { GetTokenQuery } from './get-token.query.js';

@QueryHandler(GetTokenQuery)
export class GetTokenHandler implements IQueryHandler<GetTokenQuery> {
  constructor(private readonly readModel: ReadModel) {}

  async execute({
    caller,
    tokenId,
    minPosition,
  }: GetTokenQuery): Promise<QueryResult<GetTokenQuery>> {
    const view = await this.readModel.token(tokenId, minPosition);
    const authority = authorityOver(caller, view ?? NOBODY, 'read');
    if (isRefusal(authority)) return authority;
    return view ?? refuse('token-unknown');
  }
}
