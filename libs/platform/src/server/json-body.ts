import type { FastifyInstance } from 'fastify';
import { platformProblem } from '../problem/problem.js';

/**
 * JSON is the only body that is read, and strictly: valid UTF-8 (RFC 8259 section 8.1; a decoder that
 * repairs would make different bytes the same request), no `__proto__`, no `constructor.prototype`.
 * An empty body is none at all, whatever its type says.
 */
export function readJsonBodies(fastify: FastifyInstance): void {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const parse = fastify.getDefaultJsonParser('error', 'error');
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser<Buffer>(
    'application/json',
    { parseAs: 'buffer' },
    (request, body, done) => {
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
      void parse(request, text, done);
    },
  );
}
