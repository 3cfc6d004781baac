import { Query } from '@nestjs/cqrs';
import type { RefusalCode } from '@token-status/domain';
import type { TokenView } from '@token-status/read-model';
import type { NamedCaller } from '../http/caller.js';

export class GetTokenQuery extends Query<TokenView | { readonly refused: RefusalCode }> {
  constructor(
    readonly caller: NamedCaller,
    readonly tokenId: string,
    readonly minPosition: number,
  ) {
    super();
  }
}
