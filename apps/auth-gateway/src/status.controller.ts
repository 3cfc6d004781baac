import { Controller, Get, Header, Inject } from '@nestjs/common';
import type { GuardState, TokenGuard } from '@token-status/token-guard';
import { TOKEN_GUARD } from './token-guard.provider.js';

type Status = Omit<GuardState, 'offsets'> & { readonly offsets: Record<string, string> };

/** For operators: what the gateway knows and why it answers as it does. No secret is in it. */
@Controller()
export class StatusController {
  constructor(@Inject(TOKEN_GUARD) private readonly guard: TokenGuard) {}

  @Get('status')
  @Header('cache-control', 'no-store')
  status(): Status {
    const state = this.guard.state();
    const offsets = [...state.offsets].map(([partition, next]) => [partition, String(next)]);
    return { ...state, offsets: Object.fromEntries(offsets) as Record<string, string> };
  }
}
