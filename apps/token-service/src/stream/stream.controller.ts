import { Controller, Get, Headers, Inject, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { tag, upcast } from '@token-status/contracts';
import { evolveToken, isRefusal, sightOf, statusOf } from '@token-status/domain';
import type { ApiToken, Sight } from '@token-status/domain';
import { LOGGER, Problem, Readiness } from '@token-status/platform';
import type { Logger } from '@token-status/platform';
import { refusalProblem } from '../api-token-callers/refused-credential.js';
import type { Clock } from '../clock.js';
import { acceptedType } from '../http/accepted.js';
import { Asking } from '../http/caller.js';
import type { NamedCaller } from '../http/caller.js';
import { laterProblem, malformed, problem, reach } from '../http/problems.js';
import type { TokenServiceOptions } from '../options.js';
import type { CommandLog } from '../ports.js';
import { CLOCK, EVENT_LOG, OPTIONS } from '../tokens.js';
import { accessEndsAt } from './access-ends.js';
import { EventStream } from './event-stream.js';
import { LogTail } from './log-tail.js';
import { OpenStreams } from './open-streams.js';
import { SeenEvents } from './seen-events.js';
import { StreamEvents } from './stream-event.js';
import { lastEventIdOf, StreamParameters } from './stream.dto.js';

/** The longest that a timer can wait. */
const LONGEST_MS = 2 ** 31 - 1;
const OUT_OF_REACH = 'a part that is needed is out of reach';

/** Changes as they happen, as far as the caller may see them (`precise.md` 14). */
@Controller('v1/stream')
export class StreamController {
  constructor(
    @Inject(EVENT_LOG) private readonly log: CommandLog,
    @Inject(OPTIONS) private readonly options: TokenServiceOptions,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly readiness: Readiness,
    private readonly open: OpenStreams,
    private readonly tail: LogTail,
    private readonly seen: SeenEvents,
    private readonly written: StreamEvents,
  ) {}

  @Get()
  async stream(
    @Asking() caller: NamedCaller,
    @Query() parameters: StreamParameters,
    @Headers('last-event-id') lastEventId: string | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    acceptedType(reply, ['text/event-stream']);
    const asked = lastEventIdOf(lastEventId) ?? parameters.after;
    const sight = sightOf(caller, 'read');
    if (isRefusal(sight)) throw problem(sight.refused);
    if (request.method === 'HEAD') {
      await reply.header('cache-control', 'no-store').type('text/event-stream').send();
      return;
    }

    const leaving: (() => void)[] = [];
    const leave = (): void => {
      for (const each of leaving.splice(0)) each();
    };
    try {
      if (this.readiness.shuttingDown.aborted) throw laterProblem('unavailable');
      leaving.push(this.open.enter(caller));
      leaving.push(await this.follow());
      const lost = new AbortController();
      const endsAt = await this.accessEnds(caller, request, lost, leaving);
      const position = await this.beginning(asked);
      const stream = this.begin(reply, position);
      const endOn = (signal: AbortSignal, why: string): void => {
        const end = (): void => stream.end(why);
        signal.addEventListener('abort', end);
        leaving.push(() => signal.removeEventListener('abort', end));
        if (signal.aborted) end();
      };
      endOn(this.readiness.shuttingDown, 'this server is stopping');
      endOn(lost.signal, 'the API token is no longer active');
      const timer = setTimeout(
        () => stream.end('the access token has expired'),
        Math.min(Math.max(0, endsAt - Date.now()), LONGEST_MS),
      );
      leaving.push(() => clearTimeout(timer));
      // Not awaited: the answer has begun, and whatever bounds a request's time is done with it.
      void this.run(stream, position, sight).finally(leave);
    } catch (fault) {
      leave();
      const resumes = lastEventId !== undefined && asked !== undefined;
      if (!resumes || !(fault instanceof Problem) || fault.code !== 'unavailable') throw fault;
      // A client that connects again by itself gives up for good on any status but 200.
      this.begin(reply, asked).end(OUT_OF_REACH);
    }
  }

  private async follow(): Promise<() => void> {
    const following = this.tail.follow();
    try {
      return await reach(following, this.options.commandTimeoutMs);
    } catch (fault) {
      // It may come about when nobody waits for it any more.
      void following.then(
        (leave) => leave(),
        () => undefined,
      );
      throw fault;
    }
  }

  /** From where on: what was asked for, or from now on. */
  private async beginning(asked: number | undefined): Promise<number> {
    if (asked !== undefined && asked <= this.tail.head) return asked;
    const { position } = await reach(this.log.fence(), this.options.commandTimeoutMs);
    if (asked === undefined) return position;
    // Of another history: waiting until this one is as long would hide all that happens till then.
    if (asked > position) throw malformed('The log has not come to that position.');
    return asked;
  }

  private begin(reply: FastifyReply, position: number): EventStream {
    reply.hijack();
    reply.raw.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // A buffering proxy would hold events back.
      'x-accel-buffering': 'no',
    });
    return new EventStream(reply.raw, position, this.options.streams);
  }

  private async run(stream: EventStream, position: number, sight: Sight): Promise<void> {
    try {
      for await (const stretch of this.seen.after(position, sight, stream.closed)) {
        const texts = await Promise.all(stretch.events.map((event) => this.written.write(event)));
        await stream.write(texts.join(''), stretch.position, stretch.events.at(-1)?.position);
      }
    } catch (fault) {
      this.logger.warn({ err: fault }, 'a stream broke off');
      stream.end(OUT_OF_REACH);
    }
  }

  /**
   * When the stream must end, in milliseconds since 1970. An access token says so itself. An API token
   * (rule 10) may be disabled at any moment: that aborts `lost`, however far behind its reader is.
   */
  private async accessEnds(
    { tokenId }: NamedCaller,
    request: FastifyRequest,
    lost: AbortController,
    leaving: (() => void)[],
  ): Promise<number> {
    if (tokenId === undefined) return accessEndsAt(request.headers.authorization) ?? Date.now();
    leaving.push(
      this.tail.watch((event) => {
        if (event.tokenId !== tokenId) return;
        const { token } = event.read ?? {};
        if (token?.disabled !== null || token.revoked) lost.abort();
      }),
    );
    // What came between its being let in and being watched.
    const token = await reach(this.stateOf(tokenId), this.options.commandTimeoutMs);
    const now = this.clock();
    const status = token ? statusOf(token, now.toISOString()) : 'revoked';
    if (status === 'disabled') throw refusalProblem('token-disabled');
    if (status !== 'active') throw refusalProblem('unauthenticated');
    const leftMs = token?.expiresAt ? Date.parse(token.expiresAt) - now.getTime() : LONGEST_MS;
    return Date.now() + leftMs;
  }

  private async stateOf(tokenId: string): Promise<ApiToken | undefined> {
    const { position } = await this.log.fence();
    let token: ApiToken | undefined;
    const own = { tags: [tag.token(tokenId)], upTo: position };
    for await (const { type, schemaVersion, data } of this.log.read(0, own)) {
      token = evolveToken(token, upcast(type, schemaVersion, data));
    }
    return token;
  }
}
