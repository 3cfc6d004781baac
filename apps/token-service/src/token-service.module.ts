import { Inject, Module } from '@nestjs/common';
import type { DynamicModule, Type } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { Readiness } from '@token-status/platform';
import { AddTokenController } from './add-token/add-token.controller.js';
import { AddTokenHandler } from './add-token/add-token.handler.js';
import { ApiTokens } from './api-token-callers/api-tokens.js';
import { BulkPreview } from './bulk/bulk-preview.js';
import { BulkRuns } from './bulk/bulk-runs.js';
import { BulkTargets } from './bulk/bulk-targets.js';
import { BulkTokensController } from './bulk/bulk-tokens.controller.js';
import { BulkTokensHandler } from './bulk/bulk-tokens.handler.js';
import { DisableAllController } from './bulk/disable-all.controller.js';
import { DisableAllHandler } from './bulk/disable-all.handler.js';
import { CommandMetrics } from './commands/command-metrics.js';
import { CommandRequestPipe } from './commands/command-request.js';
import { TokenDecisions } from './commands/token-decisions.js';
import { TokenOwners } from './commands/token-owners.js';
import { DisableTokenController } from './disable-token/disable-token.controller.js';
import { DisableTokenHandler } from './disable-token/disable-token.handler.js';
import { DueMetrics } from './enable-when-due/due-metrics.js';
import { DueSchedule } from './enable-when-due/due-schedule.js';
import { EnableTokenWhenDueHandler } from './enable-when-due/enable-token-when-due.handler.js';
import { KnownEnds, notingEnds } from './enable-when-due/known-ends.js';
import { EnableTokenController } from './enable-token/enable-token.controller.js';
import { EnableTokenHandler } from './enable-token/enable-token.handler.js';
import { GetTokenController } from './get-token/get-token.controller.js';
import { GetTokenHandler } from './get-token/get-token.handler.js';
import { TokenPresenter } from './http/token-json.js';
import { NO_REPORT_KEYS } from './leaks/report-keys.js';
import { ReportLeaksController } from './leaks/report-leaks.controller.js';
import { ReportLeaksHandler } from './leaks/report-leaks.handler.js';
import { ListTokensController } from './list-tokens/list-tokens.controller.js';
import { ListTokensHandler } from './list-tokens/list-tokens.handler.js';
import { openApiDocument } from './openapi/document.js';
import { OPENAPI, OpenApiController } from './openapi/openapi.controller.js';
import { DEFAULT_OPTIONS } from './options.js';
import type { TokenServiceOptions } from './options.js';
import type { CommandLog, TokenServicePorts } from './ports.js';
import { ReadModel } from './queries/read-model.js';
import { RenameTokenController } from './rename-token/rename-token.controller.js';
import { RenameTokenHandler } from './rename-token/rename-token.handler.js';
import { SelfDisableController } from './self-disable/self-disable.controller.js';
import { RevokeTokenController } from './revoke-token/revoke-token.controller.js';
import { RevokeTokenHandler } from './revoke-token/revoke-token.handler.js';
import { SearchTokensController } from './search-tokens/search-tokens.controller.js';
import { SearchTokensHandler } from './search-tokens/search-tokens.handler.js';
import { LogTail } from './stream/log-tail.js';
import { OpenStreams } from './stream/open-streams.js';
import { SeenEvents } from './stream/seen-events.js';
import { StreamController } from './stream/stream.controller.js';
import { StreamEvents } from './stream/stream-event.js';
import { TokenEventPresenter } from './token-events/event-json.js';
import { TokenEventsController } from './token-events/token-events.controller.js';
import { TokenEventsHandler } from './token-events/token-events.handler.js';
import { CLOCK, EVENT_LOG, OPTIONS, PERSONAL_DATA, REPORT_KEYS, TOKEN_READS } from './tokens.js';

export type TokenServiceSettings = Pick<TokenServiceOptions, 'fingerprintKey'> &
  Partial<TokenServiceOptions>;

/** The whole API: what its document is made from. */
export const CONTROLLERS: readonly Type[] = [
  OpenApiController,
  AddTokenController,
  ListTokensController,
  SearchTokensController,
  TokenEventsController,
  StreamController,
  GetTokenController,
  RenameTokenController,
  DisableTokenController,
  EnableTokenController,
  RevokeTokenController,
  BulkTokensController,
  DisableAllController,
  SelfDisableController,
  ReportLeaksController,
];

/** The command and query API on any log, read model and keys; `createApp` adds what all apps have. */
@Module({})
export class TokenServiceModule {
  static register(ports: TokenServicePorts, settings: TokenServiceSettings): DynamicModule {
    const options: TokenServiceOptions = { ...DEFAULT_OPTIONS, ...settings };
    const ends = new KnownEnds();
    return {
      module: TokenServiceModule,
      imports: [CqrsModule.forRoot()],
      controllers: [...CONTROLLERS],
      providers: [
        { provide: KnownEnds, useValue: ends },
        { provide: EVENT_LOG, useValue: notingEnds(ports.log, ends) },
        { provide: TOKEN_READS, useValue: ports.reads },
        { provide: PERSONAL_DATA, useValue: ports.personalData },
        { provide: CLOCK, useValue: ports.clock ?? (() => new Date()) },
        { provide: OPTIONS, useValue: options },
        { provide: OPENAPI, useFactory: () => openApiDocument(CONTROLLERS) },
        { provide: REPORT_KEYS, useValue: ports.reportKeys ?? NO_REPORT_KEYS },
        { provide: ApiTokens, useFactory: () => new ApiTokens(ports.log) },
        CommandMetrics,
        CommandRequestPipe,
        TokenOwners,
        TokenDecisions,
        TokenPresenter,
        ReadModel,
        AddTokenHandler,
        ListTokensHandler,
        SearchTokensHandler,
        TokenEventPresenter,
        LogTail,
        OpenStreams,
        SeenEvents,
        StreamEvents,
        TokenEventsHandler,
        GetTokenHandler,
        RenameTokenHandler,
        DisableTokenHandler,
        EnableTokenHandler,
        EnableTokenWhenDueHandler,
        DueMetrics,
        DueSchedule,
        RevokeTokenHandler,
        BulkPreview,
        BulkRuns,
        BulkTargets,
        BulkTokensHandler,
        DisableAllHandler,
        ReportLeaksHandler,
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
