import { createHmac } from 'node:crypto';
import { createParamDecorator, Inject, Injectable } from '@nestjs/common';
import type { ExecutionContext, PipeTransform } from '@nestjs/common';
import canonicalize from 'canonicalize';
import type { FastifyRequest } from 'fastify';
import { commandIdOf, newCommandId } from '@token-status/event-log';
import type { CommandKey } from '@token-status/event-log';
import type { Instant } from '@token-status/domain';
import type { Clock } from '../clock.js';
import { callerOf } from '../http/caller.js';
import type { NamedCaller } from '../http/caller.js';
import { expectedVersionOf } from '../http/etag.js';
import { malformed } from '../http/problems.js';
import type { TokenServiceOptions } from '../options.js';
import { CLOCK, OPTIONS } from '../tokens.js';

/** What every command's request says, beside what is asked: by whom, when, from where, and once or not. */
export interface CommandRequest {
  readonly caller: NamedCaller;
  readonly at: Instant;
  readonly commandId: string;
  /** Present with an `Idempotency-Key`. */
  readonly key: CommandKey | undefined;
  /** Of `If-Match`; undefined for any. */
  readonly expectedVersion: number | undefined;
  readonly remoteAddress: string;
  /** Of `performance.now()`: until when it may wait for what comes before the decision. */
  readonly deadline: number;
}

const KEY = /^[\x21-\x7e]{1,255}$/;

@Injectable()
export class CommandRequestPipe implements PipeTransform<FastifyRequest, CommandRequest> {
  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(OPTIONS) private readonly options: TokenServiceOptions,
  ) {}

  transform(request: FastifyRequest): CommandRequest {
    const caller = callerOf(request);
    return this.requestBy(request, caller, `${caller.kind}:${caller.id}`);
  }

  /** @param keysOf whose the request's `Idempotency-Key` is: nobody else's repeats are its own */
  requestBy(request: FastifyRequest, caller: NamedCaller, keysOf: string): CommandRequest {
    const key = this.keyOf(request, keysOf, objectOrNothing(request.body));
    return {
      caller,
      at: this.clock().toISOString(),
      commandId: key ? commandIdOf(key) : newCommandId(),
      key,
      expectedVersion: expectedVersionOf(request.headers['if-match']),
      remoteAddress: request.ip,
      deadline: performance.now() + this.options.commandTimeoutMs,
    };
  }

  private keyOf(request: FastifyRequest, caller: string, body: object): CommandKey | undefined {
    const key = request.headers['idempotency-key'];
    if (key === undefined) return undefined;
    if (typeof key !== 'string' || !KEY.test(key)) {
      throw malformed('Idempotency-Key must have 1 to 255 visible ASCII characters.');
    }
    return {
      caller,
      key,
      fingerprint: this.fingerprint(request, body),
    };
  }

  /**
   * The digest of method, path and canonical body (RFC 8785) that `precise.md` 4 keeps for ever. Keyed,
   * since a body holds names, which a bare hash would let anybody guess at.
   */
  private fingerprint({ method, url }: FastifyRequest, body: object): string {
    const path = decodeURIComponent(url.split('?', 1)[0] ?? '');
    return createHmac('sha256', this.options.fingerprintKey)
      .update(JSON.stringify(['request', method, path, canonicalize(body)]), 'utf8')
      .digest('hex');
  }
}

/** No body asks for what an empty object does. The validation of a class lets arrays and texts pass for one. */
function objectOrNothing(body: unknown): object {
  if (body === undefined) return {};
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw malformed('The body must be a JSON object.');
  }
  return body;
}

const Request = createParamDecorator((_: unknown, context: ExecutionContext) =>
  context.switchToHttp().getRequest<FastifyRequest>(),
);

/** `@Commanding() request: CommandRequest`. */
export const Commanding = (): ParameterDecorator => Request(CommandRequestPipe);
