import { Inject, Module } from '@nestjs/common';
import type {
  BeforeApplicationShutdown,
  DynamicModule,
  FactoryProvider,
  ModuleMetadata,
  Provider,
} from '@nestjs/common';
import { liveConnections } from '../live-connections.js';
import type { LiveConnections } from '../live-connections.js';
import type { TokenGuard } from '../token-guard.js';
import { LIVE_CONNECTIONS, TOKEN_GUARD, TOKEN_GUARD_OPTIONS } from './token-guard.options.js';
import type { NestTokenGuardOptions } from './token-guard.options.js';
import { TokenStatusGuard } from './token-status.guard.js';

/** Where the guard is made from what else is injected. */
export interface AsyncTokenGuardOptions extends Pick<ModuleMetadata, 'imports'> {
  readonly inject?: FactoryProvider['inject'];
  readonly useFactory: FactoryProvider<NestTokenGuardOptions>['useFactory'];
}

/**
 * Makes `TokenStatusGuard` usable in every module, and the guard and its live connections injectable.
 * When the app is closed, live connections end before its server does, which would wait for them.
 */
@Module({})
export class TokenGuardModule implements BeforeApplicationShutdown {
  constructor(@Inject(TOKEN_GUARD) private readonly guard: TokenGuard) {}

  static forRoot(options: NestTokenGuardOptions): DynamicModule {
    return withOptions({ provide: TOKEN_GUARD_OPTIONS, useValue: options });
  }

  static forRootAsync({ imports, inject, useFactory }: AsyncTokenGuardOptions): DynamicModule {
    const options = { provide: TOKEN_GUARD_OPTIONS, useFactory, ...(inject && { inject }) };
    return withOptions(options, imports);
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.guard.close();
  }
}

const withOptions = (
  options: Provider,
  imports: NonNullable<ModuleMetadata['imports']> = [],
): DynamicModule => ({
  module: TokenGuardModule,
  global: true,
  imports,
  providers: [
    options,
    {
      provide: TOKEN_GUARD,
      inject: [TOKEN_GUARD_OPTIONS],
      useFactory: ({ guard }: NestTokenGuardOptions): TokenGuard => guard,
    },
    {
      provide: LIVE_CONNECTIONS,
      inject: [TOKEN_GUARD_OPTIONS],
      useFactory: ({ guard, live }: NestTokenGuardOptions): LiveConnections =>
        liveConnections(guard, live),
    },
    TokenStatusGuard,
  ],
  exports: [TOKEN_GUARD_OPTIONS, TOKEN_GUARD, LIVE_CONNECTIONS, TokenStatusGuard],
});
