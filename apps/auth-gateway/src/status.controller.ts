import { Controller, Get, Header, Inject } from '@nestjs/common';
import type { GuardState, TokenGuard } from '@token-status/token-guard';
import type { Configuration, ConfigurationState } from './configuration/configuration.js';
import { CONFIGURATION } from './configuration/configuration.provider.js';
import { TOKEN_GUARD } from './token-guard.provider.js';
import { VERSION } from './version.js';

interface Status extends Omit<GuardState, 'offsets'> {
  /** Of the gateway's software. */
  readonly version: string;
  readonly configuration: ConfigurationState;
  /** Partition of the events topic → the next offset to read. */
  readonly offsets: Readonly<Record<string, string>>;
}

/** For operators: what the gateway knows and why it answers as it does. No secret is in it. */
@Controller()
export class StatusController {
  constructor(
    @Inject(TOKEN_GUARD) private readonly guard: TokenGuard,
    @Inject(CONFIGURATION) private readonly configuration: Configuration,
  ) {}

  @Get('status')
  @Header('cache-control', 'no-store')
  status(): Status {
    const state = this.guard.state();
    const offsets = [...state.offsets].map(([partition, next]) => [partition, String(next)]);
    return {
      version: VERSION,
      configuration: this.configuration.state,
      ...state,
      offsets: Object.fromEntries(offsets) as Record<string, string>,
    };
  }
}
