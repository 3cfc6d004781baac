import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';

/** Ten thousand ids, each with its quotes, a comma and an indented line of its own, and a long note. */
const BODY_BYTES = 1024 * 1024;

/** Raises the limit of the one route that takes so much. Nest has no option of a route for that. */
@Injectable()
export class BulkBodyLimit {
  constructor({ httpAdapter }: HttpAdapterHost) {
    httpAdapter.getInstance<FastifyInstance>().addHook('onRoute', (route) => {
      if (route.url === '/v1/tokens/bulk') route.bodyLimit = BODY_BYTES;
    });
  }
}
