import { Body, Controller, Param, Post, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import { Commanding } from '../commands/command-request.js';
import type { CommandRequest } from '../commands/command-request.js';
import { UserIdPipe } from '../http/ids.js';
import { TokenPresenter } from '../http/token-json.js';
import type { TokenJson } from '../http/token-json.js';
import { AddTokenCommand } from './add-token.command.js';
import { AddTokenBody } from './add-token.dto.js';

/** The secret this once; a repeated add (`precise.md` 4) only says that it was shown. */
type AddedTokenJson = TokenJson & ({ readonly secret: string } | { readonly secretShown: true });

@Controller('v1/users/:userId/tokens')
export class AddTokenController {
  constructor(
    private readonly commands: CommandBus,
    private readonly presenter: TokenPresenter,
  ) {}

  @Post()
  async add(
    @Commanding() request: CommandRequest,
    @Param('userId', UserIdPipe) userId: string,
    @Body() body: AddTokenBody,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AddedTokenJson> {
    const result = await this.commands.execute(new AddTokenCommand(request, userId, body));
    const token = await this.presenter.answer(reply, result);
    reply.header('location', `/v1/tokens/${token.id}`);
    const { secret } = result;
    return secret === undefined ? { ...token, secretShown: true } : { ...token, secret };
  }
}
