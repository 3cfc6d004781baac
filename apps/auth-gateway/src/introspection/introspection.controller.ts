import { Body, Controller, Inject, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { annotateRequest } from '@token-status/platform';
import type { TokenVerifier } from '@token-status/platform';
import { authorizationOf } from '@token-status/token-guard';
import type { TokenGuard } from '@token-status/token-guard';
import type { Configuration } from '../configuration/configuration.js';
import { CONFIGURATION } from '../configuration/configuration.provider.js';
import { readMinPosition } from '../check.js';
import { TOKEN_GUARD } from '../token-guard.provider.js';
import { authenticateClient } from './client-authentication.js';
import { introspectionAnswer, oauthError } from './introspection-answer.js';
import type { IntrospectionAnswer } from './introspection-answer.js';
import { IntrospectionForm } from './introspection-form.js';
import type { IntrospectionMetrics } from './introspection-metrics.js';

export const ACCESS_TOKENS = Symbol('access tokens');
export const INTROSPECTION_METRICS = Symbol('introspection metrics');

/** RFC 7662: whether a token is valid, for callers that have authenticated themselves. */
@Controller()
export class IntrospectionController {
  constructor(
    @Inject(TOKEN_GUARD) private readonly guard: TokenGuard,
    @Inject(CONFIGURATION) private readonly configuration: Configuration,
    @Inject(ACCESS_TOKENS) private readonly accessTokens: Pick<TokenVerifier, 'verify'> | null,
    @Inject(INTROSPECTION_METRICS) private readonly metrics: IntrospectionMetrics,
  ) {}

  @Post('introspect')
  async introspect(
    @Req() request: FastifyRequest,
    @Body() body: unknown,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const { status, headers, body: answer } = await this.answer(request, body);
    await reply
      .code(status)
      .headers({ ...headers, 'cache-control': 'no-store' })
      .type('application/json')
      .send(JSON.stringify(answer));
  }

  private async answer(request: FastifyRequest, body: unknown): Promise<IntrospectionAnswer> {
    const client = await authenticateClient(authorizationOf(request.raw), {
      clients: this.configuration.current.introspectionClients,
      accessTokens: this.accessTokens,
    });
    if ('refused' in client) {
      this.metrics.introspected('refused-client');
      return client.refused;
    }
    annotateRequest({ clientId: client.clientId });
    const minPosition = readMinPosition(request.headers['x-min-position']);
    if (!(body instanceof IntrospectionForm) || minPosition === null) {
      this.metrics.introspected('malformed');
      return oauthError(400, 'invalid_request');
    }
    // No address: limits on failures are for those who present a token, not for those who ask about one.
    const decision = this.guard.check({ secret: body.token, minPosition });
    this.metrics.introspected(decision.finding);
    return introspectionAnswer(decision);
  }
}
