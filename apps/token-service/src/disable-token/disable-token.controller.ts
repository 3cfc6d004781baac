import { Body, Controller, HttpCode, Param, Post, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import { Commanding } from '../commands/command-request.js';
import type { CommandRequest } from '../commands/command-request.js';
import { TokenIdPipe } from '../http/ids.js';
import { TokenPresenter } from '../http/token-json.js';
import type { TokenJson } from '../http/token-json.js';
import { DisableTokenCommand } from './disable-token.command.js';
import { DisableTokenBody } from './disable-token.dto.js';

@Controller('v1/tokens/:tokenId/disable')
export class DisableTokenController {
  constructor(
    private readonly commands: CommandBus,
    private readonly presenter: TokenPresenter,
  ) {}

  @Post()
  @HttpCode(200)
  async disable(
    @Commanding() request: CommandRequest,
    @Param('tokenId', TokenIdPipe) tokenId: string,
    @Body() body: DisableTokenBody,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<TokenJson> {
    const command = new DisableTokenCommand(request, tokenId, body);
    return this.presenter.answer(reply, await this.commands.execute(command));
  }
}
