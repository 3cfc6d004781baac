import { Controller, Get, Header, Query, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import { Asking } from '../http/caller.js';
import type { NamedCaller } from '../http/caller.js';
import { MinPosition } from '../http/min-position.js';
import { nextLink } from '../http/next-link.js';
import { problem } from '../http/problems.js';
import { TokenPresenter } from '../http/token-json.js';
import type { TokenJson } from '../http/token-json.js';
import { PAGE, SearchTokensParameters } from './search-tokens.dto.js';
import { SearchTokensQuery } from './search-tokens.query.js';

/** `next` is the cursor of the page after; null at the end, and only there. */
export interface TokenPageJson {
  readonly tokens: readonly TokenJson[];
  readonly next: string | null;
}

@Controller('v1/tokens')
export class SearchTokensController {
  constructor(
    private readonly queries: QueryBus,
    private readonly presenter: TokenPresenter,
  ) {}

  /** Newest first. A page may be short, or empty, before the end: `next` says whether it is. */
  @Get()
  @Header('cache-control', 'no-store')
  async search(
    @Asking() caller: NamedCaller,
    @Query() parameters: SearchTokensParameters,
    @MinPosition() minPosition: number,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<TokenPageJson> {
    const { account, user, limit = PAGE, cursor, status, name, hint } = parameters;
    const { createdAfter, createdBefore } = parameters;
    const filters = { accountId: account, userId: user, status, name, hint };
    const found = await this.queries.execute(
      new SearchTokensQuery(
        caller,
        { ...filters, createdAfter, createdBefore },
        { limit, cursor },
        minPosition,
      ),
    );
    if ('refused' in found) throw problem(found.refused);
    const { tokens, next } = found;
    if (next !== null) reply.header('link', nextLink(reply.request.url, { cursor: next }));
    return { tokens: tokens.map((view) => this.presenter.present(view)), next };
  }
}
