import { Controller, Get, Header, Param } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { Asking } from '../http/caller.js';
import type { NamedCaller } from '../http/caller.js';
import { UserIdPipe } from '../http/ids.js';
import { MinPosition } from '../http/min-position.js';
import { problem } from '../http/problems.js';
import { TokenPresenter } from '../http/token-json.js';
import type { TokenJson } from '../http/token-json.js';
import { ListTokensQuery } from './list-tokens.query.js';

@Controller('v1/users/:userId/tokens')
export class ListTokensController {
  constructor(
    private readonly queries: QueryBus,
    private readonly presenter: TokenPresenter,
  ) {}

  /** Newest first. */
  @Get()
  @Header('cache-control', 'no-store')
  async list(
    @Asking() caller: NamedCaller,
    @Param('userId', UserIdPipe) userId: string,
    @MinPosition() minPosition: number,
  ): Promise<{ readonly tokens: readonly TokenJson[] }> {
    const found = await this.queries.execute(new ListTokensQuery(caller, userId, minPosition));
    if ('refused' in found) throw problem(found.refused);
    return { tokens: found.map((view) => this.presenter.present(view)) };
  }
}
