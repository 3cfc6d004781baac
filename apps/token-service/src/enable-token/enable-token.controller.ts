import { Body, Controller, HttpCode, Param, Post, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import { Commanding } from '../commands/command-request.js';
import type { CommandRequest } from '../commands/command-request.js';
import { TokenIdPipe } from '../http/ids.js';
import { TokenPresenter } from '../http/token-json.js';
import type { TokenJson } from '../http/token-json.js';
import { EnableTokenCommand } from './enable-token.command.js';
import { EnableTokenBody } from './enable-token.dto.js';

@Controller('v1/tokens/:tokenId/enable')
export class EnableTokenController {
  constructor(
    private readonly commands: CommandBus,
    private readonly presenter: TokenPresenter,
  ) {}

  @Post()
  @HttpCode(200)
  async enable(
    @Commanding() request: CommandRequest,
    @Param('tokenId', TokenIdPipe) tokenId: string,
    @Body() body: EnableTokenBody,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<TokenJson> {
    const command = new EnableTokenCommand(request, tokenId, body);
    return this.presenter.answer(reply, await this.commands.execute(command));
  }
}
