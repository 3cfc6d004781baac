import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { platformProblem } from '../problem/problem.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The body stays the bytes that came, for a route that must check a signature over them first. */
    rawBody?: boolean;
    /** Of this route's bodies, in bytes, in place of the app's limit. */
    bodyLimit?: number;
  }
}

/**
 * A handler whose body is to stay the bytes that came, at most so many: who sent it is proven by a
 * signature over them, and nothing of it is parsed before that. It reads `request.body`, a `Buffer`.
 */
export const RawJsonBody = (limitBytes: number): MethodDecorator =>
  RouteConfig({ rawBody: true, bodyLimit: limitBytes });

/** A handler that takes larger bodies than the app does; smaller ones, too. */
export const BodyLimit = (bytes: number): MethodDecorator => RouteConfig({ bodyLimit: bytes });

/** Levels of lists and objects; far more than any body of ours has. */
const DEEPEST = 20;

/**
 * JSON is the only body that is read, and strictly: valid UTF-8 (RFC 8259 section 8.1; a decoder that
 * repairs would make different bytes the same request), no `__proto__`, no `constructor.prototype`,
 * nothing that {@link faultIn} finds. An empty body is none at all, whatever its type says.
 */
export function readJsonBodies(fastify: FastifyInstance): void {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const parse = fastify.getDefaultJsonParser('error', 'error');
  fastify.removeAllContentTypeParsers();
  // Nest hands on what a route is configured with, but none of Fastify's own options.
  fastify.addHook('onRoute', (route) => {
    const bodyLimit = route.config?.bodyLimit;
    if (bodyLimit !== undefined) route.bodyLimit = bodyLimit;
  });
  fastify.addContentTypeParser<Buffer>(
    'application/json',
    { parseAs: 'buffer' },
    (request, body, done) => {
      if (request.routeOptions.config.rawBody === true) {
        done(null, body);
        return;
      }
      if (body.length === 0) {
        done(null, undefined);
        return;
      }
      let text: string;
      try {
        text = decoder.decode(body);
      } catch {
        done(platformProblem('invalid-request', { detail: 'The body is not valid UTF-8.' }));
        return;
      }
      void parse(request, text, (error, json: unknown) => {
        const detail = error ? null : faultIn(json);
        done(detail === null ? error : platformProblem('invalid-request', { detail }), json);
      });
    },
  );
}

/**
 * What a parser takes and those after it don't: validation and canonical JSON recurse, the latter has
 * no word for infinity, and validation takes a member that every object inherits for a known one.
 *
 * @returns what is wrong, in words that hold nothing of the body; or null.
 */
function faultIn(body: unknown): string | null {
  let level = [body];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEEPEST) return `The body is nested more than ${DEEPEST} levels deep.`;
    const below: unknown[] = [];
    for (const value of level) {
      if (typeof value === 'number' && !Number.isFinite(value)) {
        return 'A number in the body is too large.';
      }
      if (typeof value !== 'object' || value === null) continue;
      for (const [name, member] of Object.entries(value)) {
        if (name in Object.prototype) return 'A member of the body has a name that is not offered.';
        below.push(member);
      }
    }
    level = below;
  }
  return null;
}
