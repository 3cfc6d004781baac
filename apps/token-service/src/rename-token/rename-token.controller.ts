import { Body, Controller, Param, Patch, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import { Commanding } from '../commands/command-request.js';
import type { CommandRequest } from '../commands/command-request.js';
import { TokenIdPipe } from '../http/ids.js';
import { TokenPresenter } from '../http/token-json.js';
import type { TokenJson } from '../http/token-json.js';
import { RenameTokenCommand } from './rename-token.command.js';
import { RenameTokenBody } from './rename-token.dto.js';

@Controller('v1/tokens/:tokenId')
export class RenameTokenController {
  constructor(
    private readonly commands: CommandBus,
    private readonly presenter: TokenPresenter,
  ) {}

  @Patch()
  async rename(
    @Commanding() request: CommandRequest,
    @Param('tokenId', TokenIdPipe) tokenId: string,
    @Body() body: RenameTokenBody,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<TokenJson> {
    const command = new RenameTokenCommand(request, tokenId, body);
    return this.presenter.answer(reply, await this.commands.execute(command));
  }
}
