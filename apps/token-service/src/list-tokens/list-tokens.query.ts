import { Query } from '@nestjs/cqrs';
import type { RefusalCode } from '@token-status/domain';
import type { TokenView } from '@token-status/read-model';
import type { NamedCaller } from '../http/caller.js';

export class ListTokensQuery extends Query<
  readonly TokenView[] | { readonly refused: RefusalCode | 'user-unknown' }
> {
  constructor(
    readonly caller: NamedCaller,
    readonly userId: string,
    readonly minPosition: number,
  ) {
    super();
  }
}
