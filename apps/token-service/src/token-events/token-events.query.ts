import { Query } from '@nestjs/cqrs';
import type { RefusalCode } from '@token-status/domain';
import type { NamedCaller } from '../http/caller.js';
import type { EventJson, UnreadableEventJson } from './event-json.js';

/** Read from the log as they are asked for, page by page. */
export interface TokenEvents {
  readonly events: AsyncGenerator<EventJson | UnreadableEventJson, void>;
}

export class TokenEventsQuery extends Query<TokenEvents | { readonly refused: RefusalCode }> {
  constructor(
    readonly caller: NamedCaller,
    readonly tokenId: string,
    /** A position of the log; 0 for all. */
    readonly after: number,
    readonly minPosition: number,
  ) {
    super();
  }
}
