import { Inject } from '@nestjs/common';
import { CommandHandler } from '@nestjs/cqrs';
import type { ICommandHandler } from '@nestjs/cqrs';
import { hintOf, newSecret, secretDigest, userNameDigest } from '@token-status/contracts';
import type { Owner } from '@token-status/domain';
import type { NamedCaller } from '../http/caller.js';
import { newTokenId } from '../http/ids.js';
import { malformed, problem } from '../http/problems.js';
import { TokenDecisions } from '../commands/token-decisions.js';
import type { TokenServiceOptions } from '../options.js';
import { OPTIONS } from '../tokens.js';
import { AddTokenCommand } from './add-token.command.js';
import type { AddTokenResult } from './add-token.command.js';
import type { AddTokenBody } from './add-token.dto.js';

@CommandHandler(AddTokenCommand)
export class AddTokenHandler implements ICommandHandler<AddTokenCommand> {
  constructor(
    private readonly decisions: TokenDecisions,
    @Inject(OPTIONS) private readonly options: TokenServiceOptions,
  ) {}

  async execute({ request, userId, body }: AddTokenCommand): Promise<AddTokenResult> {
    const { accountId, userName } = accountFor(request.caller, body);
    const secret = newSecret();
    const digest = secretDigest(secret);
    const result = await this.decisions.add(
      request,
      { userId, accountId },
      async (origin, seal) => ({
        type: 'AddToken',
        tokenId: newTokenId(),
        userId,
        accountId,
        at: request.at,
        commandId: request.commandId,
        caller: request.caller,
        origin,
        name: await seal(body.name),
        hint: hintOf(secret),
        secretDigest: digest,
        userNameDigest: userNameDigest(secret, userName),
        expiresAt: body.expiresAt ?? null,
        limit: this.options.tokensPerUser,
      }),
    );
    // Not "was it repeated": the token that is there is ours if and only if its digest is our secret's.
    const ours = 'token' in result && result.token.secretDigest === digest;
    return ours ? { ...result, secret } : result;
  }
}

/** A user's own account and name are the issuer's word; a service says whose token it adds. */
function accountFor(
  caller: NamedCaller,
  { accountId, userName }: AddTokenBody,
): Pick<Owner, 'accountId'> & { readonly userName: string } {
  if (caller.kind === 'service') {
    if (typeof accountId === 'string' && typeof userName === 'string')
      return { accountId, userName };
    throw malformed('A service names the user it adds a token for: userName and accountId.');
  }
  if (typeof accountId === 'string' || typeof userName === 'string') {
    throw malformed(
      "userName and accountId are a service's to give; a user's come from the claims.",
    );
  }
  if (caller.tokenId !== undefined && caller.userName === null) {
    throw problem('user-name-unproven');
  }
  if (caller.accountId === null || caller.userName === null) {
    throw malformed('The access token names no user name (preferred_username).');
  }
  return { accountId: caller.accountId, userName: caller.userName };
}
