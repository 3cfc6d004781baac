import { Body, Controller, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { statusOf } from '@token-status/domain';
import type { Status } from '@token-status/domain';
import { Public } from '@token-status/platform';
import { parseCredential } from '@token-status/token-guard';
import { ApiTokens } from '../api-token-callers/api-tokens.js';
import { refusalProblem, refusedCredential } from '../api-token-callers/refused-credential.js';
import type { Clock } from '../clock.js';
import { CommandRequestPipe } from '../commands/command-request.js';
import { DisableTokenCommand } from '../disable-token/disable-token.command.js';
import { DisableTokenBody } from '../disable-token/disable-token.dto.js';
import type { NamedCaller } from '../http/caller.js';
import { reach } from '../http/problems.js';
import type { TokenServiceOptions } from '../options.js';
import { CLOCK, OPTIONS } from '../tokens.js';
import { SelfDisableBody } from './self-disable.dto.js';

/** As much of the token as its holder knows anyway, or can find out by trying it. */
export interface SelfDisabledJson {
  readonly id: string;
  readonly status: Status;
  readonly version: number;
}

/**
 * In whose name a holder disables. Not the owner's: a secret lies before whoever finds it, and the
 * history must not say of a stranger that it was the user.
 */
const HOLDER: NamedCaller = {
  kind: 'service',
  id: 'self-disable',
  accountId: null,
  userName: null,
  privileges: new Set(),
  scopes: new Set(['tokens:write']),
};

/** Whoever holds a secret may disable that very token by presenting it, and nothing else. */
@Public()
@Controller('v1/tokens/self/disable')
export class SelfDisableController {
  constructor(
    private readonly commands: CommandBus,
    private readonly tokens: ApiTokens,
    private readonly requests: CommandRequestPipe,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(OPTIONS) private readonly options: TokenServiceOptions,
  ) {}

  @Post()
  @HttpCode(200)
  async disable(
    @Req() request: FastifyRequest,
    @Body() body: SelfDisableBody,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<SelfDisabledJson> {
    const tokenId = await this.presentedToken(request.headers.authorization);
    const command = new DisableTokenCommand(
      this.requests.requestBy(request, HOLDER, `holder:${tokenId}`),
      tokenId,
      Object.assign(new DisableTokenBody(), body, { authority: 'owner' as const }),
    );
    const result = await this.commands.execute(command);
    if ('refused' in result) {
      // Revoked in the meantime: then it is no credential any more, and answered as such.
      throw result.refused === 'token-revoked'
        ? refusedCredential('revoked')
        : refusalProblem(result.refused);
    }
    const { token } = result;
    reply.header('cache-control', 'no-store');
    return { id: token.id, status: statusOf(token, this.now()), version: token.version };
  }

  /** @throws Problem the strangers' answer for all who don't hold the secret of a token that is in use */
  private async presentedToken(authorization: string | undefined): Promise<string> {
    const credential = parseCredential(authorization, this.options.basicPrefix);
    if (credential.kind === 'none' || credential.kind === 'malformed') {
      throw refusedCredential(credential.kind);
    }
    const found = await reach(
      this.tokens.find(credential, () => this.now()),
      this.options.commandTimeoutMs,
    );
    if (!('token' in found)) throw refusedCredential(found.finding);
    return found.token.id;
  }

  private now(): string {
    return this.clock().toISOString();
  }
}
