import { Controller, Delete, Param, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import { Commanding } from '../commands/command-request.js';
import type { CommandRequest } from '../commands/command-request.js';
import { TokenIdPipe } from '../http/ids.js';
import { TokenPresenter } from '../http/token-json.js';
import type { TokenJson } from '../http/token-json.js';
import { RevokeTokenCommand } from './revoke-token.command.js';

@Controller('v1/tokens/:tokenId')
export class RevokeTokenController {
  constructor(
    private readonly commands: CommandBus,
    private readonly presenter: TokenPresenter,
  ) {}

  @Delete()
  async revoke(
    @Commanding() request: CommandRequest,
    @Param('tokenId', TokenIdPipe) tokenId: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<TokenJson> {
    const command = new RevokeTokenCommand(request, tokenId);
    return this.presenter.answer(reply, await this.commands.execute(command));
  }
}
