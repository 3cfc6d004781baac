import type { FastifyInstance } from 'fastify';
import { platformProblem } from '../problem/problem.js';

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
