import { Query } from '@nestjs/cqrs';
import type { Instant, RefusalCode, Status } from '@token-status/domain';
import type { TokenPage } from '@token-status/read-model';
import type { NamedCaller } from '../http/caller.js';

export interface SearchedFor {
  readonly accountId?: string | undefined;
  readonly userId?: string | undefined;
  readonly status?: Status | undefined;
  readonly name?: string | undefined;
  readonly hint?: string | undefined;
  readonly createdAfter?: Instant | undefined;
  readonly createdBefore?: Instant | undefined;
}

export class SearchTokensQuery extends Query<TokenPage | { readonly refused: RefusalCode }> {
  constructor(
    readonly caller: NamedCaller,
    readonly searchedFor: SearchedFor,
    readonly page: { readonly limit: number; readonly cursor?: string | undefined },
    readonly minPosition: number,
  ) {
    super();
  }
}
