import { Readable } from 'node:stream';
import { Controller, Get, Header, Inject, Param, Query, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import { LOGGER } from '@token-status/platform';
import type { Logger } from '@token-status/platform';
import { acceptedType } from '../http/accepted.js';
import { Asking } from '../http/caller.js';
import type { NamedCaller } from '../http/caller.js';
import { TokenIdPipe } from '../http/ids.js';
import { MinPosition } from '../http/min-position.js';
import { nextLink } from '../http/next-link.js';
import { problem, reach } from '../http/problems.js';
import type { TokenServiceOptions } from '../options.js';
import { OPTIONS } from '../tokens.js';
import type { EventJson, UnreadableEventJson } from './event-json.js';
import { PAGE, TokenEventsParameters } from './token-events.dto.js';
import { TokenEventsQuery } from './token-events.query.js';
import type { TokenEvents } from './token-events.query.js';

type Events = TokenEvents['events'];

const JSON_TYPE = 'application/json';
const NDJSON = ['application/x-ndjson', 'application/ndjson'] as const;

/** A token's history, oldest first: as JSON page by page, as NDJSON (an event a line) in one go. */
@Controller('v1/tokens/:tokenId/events')
export class TokenEventsController {
  constructor(
    private readonly queries: QueryBus,
    @Inject(OPTIONS) private readonly options: TokenServiceOptions,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  @Get()
  @Header('cache-control', 'no-store')
  async events(
    @Asking() caller: NamedCaller,
    @Param('tokenId', TokenIdPipe) tokenId: string,
    @Query() { after = 0, limit }: TokenEventsParameters,
    @MinPosition() minPosition: number,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const type = acceptedType(reply, [JSON_TYPE, ...NDJSON]);
    const found = await this.queries.execute(
      new TokenEventsQuery(caller, tokenId, after, minPosition),
    );
    if ('refused' in found) throw problem(found.refused);
    reply.type(type);
    if (type === JSON_TYPE || limit !== undefined) {
      const { events, next } = await this.page(found.events, limit ?? PAGE);
      if (next !== null) reply.header('link', nextLink(reply.request.url, { after: `${next}` }));
      await reply.send(type === JSON_TYPE ? { events, next } : events.map(lineOf).join(''));
      return;
    }
    await reply.send(await this.stream(found.events));
  }

  /** `next` is the position to go on after; null where there was nothing more. */
  private async page(found: Events, limit: number) {
    const collect = async () => {
      const events: (EventJson | UnreadableEventJson)[] = [];
      for await (const event of found) if (events.push(event) > limit) break;
      return events;
    };
    const read = await reach(collect(), this.options.commandTimeoutMs);
    const events = read.slice(0, limit);
    return { events, next: read.length > limit ? (events.at(-1)?.position ?? null) : null };
  }

  /** As fast as the caller reads. The first is read before it begins, while 503 can still be said. */
  private async stream(found: Events): Promise<Readable> {
    const first = await reach(found.next(), this.options.commandTimeoutMs);
    const lines = async function* () {
      if (first.done) return;
      yield lineOf(first.value);
      for await (const event of found) yield lineOf(event);
    };
    const stream = Readable.from(lines());
    // All that is left to say then is to break off: the caller sees an answer without its end.
    stream.on('error', (fault) => this.logger.error({ err: fault }, 'a history broke off'));
    return stream;
  }
}

const lineOf = (event: object): string => `${JSON.stringify(event)}\n`;
