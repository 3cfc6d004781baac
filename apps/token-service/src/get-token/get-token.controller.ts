import { Controller, Get, Param, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import { Asking } from '../http/caller.js';
import type { NamedCaller } from '../http/caller.js';
import { TokenIdPipe } from '../http/ids.js';
import { MinPosition } from '../http/min-position.js';
import { problem } from '../http/problems.js';
import { TokenPresenter } from '../http/token-json.js';
import type { TokenJson } from '../http/token-json.js';
import { GetTokenQuery } from './get-token.query.js';

@Controller('v1/tokens/:tokenId')
export class GetTokenController {
  constructor(
    private readonly queries: QueryBus,
    private readonly presenter: TokenPresenter,
  ) {}

  @Get()
  async get(
    @Asking() caller: NamedCaller,
    @Param('tokenId', TokenIdPipe) tokenId: string,
    @MinPosition() minPosition: number,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<TokenJson> {
    const found = await this.queries.execute(new GetTokenQuery(caller, tokenId, minPosition));
    if ('refused' in found) throw problem(found.refused);
    return this.presenter.show(reply, found);
  }
}
