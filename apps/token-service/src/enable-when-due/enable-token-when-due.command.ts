import { Command } from '@nestjs/cqrs';
import type { Instant } from '@token-status/domain';

/** An end that has come, as far as somebody knows: whether it still holds is decided from the log. */
export interface End {
  readonly tokenId: string;
  /** The version that the disable gave the token: another one is another disable. */
  readonly disabledAtVersion: number;
  readonly until: Instant;
}

/**
 * `overtaken`: that disable does not hold any more, since somebody disabled, enabled or revoked the
 * token, another process was first, or it has expired. `repeated`: an earlier try of this was first.
 */
export type Ending =
  | { readonly kind: 'enabled'; readonly commandId: string; readonly eventIds: readonly string[] }
  | { readonly kind: 'repeated' | 'overtaken' };

export class EnableTokenWhenDueCommand extends Command<Ending> {
  constructor(
    readonly end: End,
    readonly at: Instant,
  ) {
    super();
  }
}
