import { Inject, Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { Readiness } from '@token-status/platform';
import { AddTokenController } from './add-token/add-token.controller.js';
import { AddTokenHandler } from './add-token/add-token.handler.js';
import { CommandMetrics } from './commands/command-metrics.js';
import { CommandRequestPipe } from './commands/command-request.js';
import { TokenDecisions } from './commands/token-decisions.js';
import { TokenOwners } from './commands/token-owners.js';
import { DisableTokenController } from './disable-token/disable-token.controller.js';
import { DisableTokenHandler } from './disable-token/disable-token.handler.js';
import { EnableTokenController } from './enable-token/enable-token.controller.js';
import { EnableTokenHandler } from './enable-token/enable-token.handler.js';
import { GetTokenController } from './get-token/get-token.controller.js';
import { GetTokenHandler } from './get-token/get-token.handler.js';
import { TokenPresenter } from './http/token-json.js';
import { ListTokensController } from './list-tokens/list-tokens.controller.js';
import { ListTokensHandler } from './list-tokens/list-tokens.handler.js';
import { DEFAULT_OPTIONS } from './options.js';
import type { TokenServiceOptions } from './options.js';
import type { CommandLog, TokenServicePorts } from './ports.js';
import { ReadModel } from './queries/read-model.js';
import { RenameTokenController } from './rename-token/rename-token.controller.js';
import { RenameTokenHandler } from './rename-token/rename-token.handler.js';
import { RevokeTokenController } from './revoke-token/revoke-token.controller.js';
import { RevokeTokenHandler } from './revoke-token/revoke-token.handler.js';
import { CLOCK, EVENT_LOG, OPTIONS, PERSONAL_DATA, TOKEN_READS } from './tokens.js';

export type TokenServiceSettings = Pick<TokenServiceOptions, 'fingerprintKey'> &
  Partial<TokenServiceOptions>;

/** The command and query API on any log, read model and keys; `createApp` adds what all apps have. */
@Module({})
export class TokenServiceModule {
  static register(ports: TokenServicePorts, settings: TokenServiceSettings): DynamicModule {
    const options: TokenServiceOptions = { ...DEFAULT_OPTIONS, ...settings };
    return {
      module: TokenServiceModule,
      imports: [CqrsModule.forRoot()],
      controllers: [
        AddTokenController,
        ListTokensController,
        GetTokenController,
        RenameTokenController,
        DisableTokenController,
        EnableTokenController,
        RevokeTokenController,
      ],
      providers: [
        { provide: EVENT_LOG, useValue: ports.log },
        { provide: TOKEN_READS, useValue: ports.reads },
        { provide: PERSONAL_DATA, useValue: ports.personalData },
        { provide: CLOCK, useValue: ports.clock ?? (() => new Date()) },
        { provide: OPTIONS, useValue: options },
        CommandMetrics,
        CommandRequestPipe,
        TokenOwners,
        TokenDecisions,
        TokenPresenter,
        ReadModel,
        AddTokenHandler,
        ListTokensHandler,
        GetTokenHandler,
        RenameTokenHandler,
        DisableTokenHandler,
        EnableTokenHandler,
        RevokeTokenHandler,
      ],
    };
  }

  /**
   * Ready while the log takes commands. Not the read model: without it a token can still be disabled,
   * and queries say 503 for themselves.
   */
  constructor(readiness: Readiness, @Inject(EVENT_LOG) log: CommandLog) {
    readiness.register({
      name: 'event log',
      check: async () => {
        await log.fence();
        return { ok: true };
      },
    });
  }
}
