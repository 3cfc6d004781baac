import 'reflect-metadata';
import type { Server, ServerResponse } from 'node:http';
import { Controller, Get, Inject, Module, Res, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { holdResponse } from '@token-status/token-guard';
import type { LiveConnections, TokenGuard, TokenIdentity } from '@token-status/token-guard';
import {
  CurrentToken,
  LIVE_CONNECTIONS,
  TOKEN_GUARD,
  TokenGuardModule,
  TokenStatusGuard,
} from '@token-status/token-guard/nest';
import { guardOf } from './guard.mjs';
import { portOf } from './listening.mjs';

@Controller()
@UseGuards(TokenStatusGuard)
class Orders {
  constructor(@Inject(LIVE_CONNECTIONS) private readonly live: LiveConnections) {}

  @Get('orders')
  orders(@CurrentToken() token: TokenIdentity): { user: string } {
    return { user: token.userId };
  }

  @Get('stream')
  stream(@CurrentToken() token: TokenIdentity, @Res() response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: begins\n\n');
    holdResponse(this.live, token, response);
  }
}

@Module({
  imports: [
    TokenGuardModule.forRootAsync({ useFactory: () => ({ guard: guardOf('outside-nest') }) }),
  ],
  controllers: [Orders],
})
class App {}

export async function startNest(): Promise<number> {
  const app = await NestFactory.create(App, { logger: ['error'] });
  app.enableShutdownHooks();
  await app.get<TokenGuard>(TOKEN_GUARD).ready();
  await app.listen(0, '127.0.0.1');
  return portOf(app.getHttpServer() as Server);
}
