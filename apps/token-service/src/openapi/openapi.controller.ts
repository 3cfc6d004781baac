import { Controller, Get, Header, Inject } from '@nestjs/common';
import { Public } from '@token-status/platform';
import type { OpenApiDocument } from './document.js';

export const OPENAPI = Symbol('the OpenAPI document');

/** What the API is, to whoever asks: there is nothing in it that the project doesn't publish. */
@Public()
@Controller('v1/openapi.json')
export class OpenApiController {
  constructor(@Inject(OPENAPI) private readonly openapi: OpenApiDocument) {}

  @Get()
  @Header('cache-control', 'public, max-age=300')
  document(): OpenApiDocument {
    return this.openapi;
  }
}
