import accepts from 'accepts';
import type { FastifyReply } from 'fastify';
import { problem } from './problems.js';

/**
 * The media type to answer with: of those offered the one that the request's `Accept` wants most
 * (RFC 9110 section 12.5.1, q-values included), the first offered where it is all the same to it.
 *
 * @throws Problem `not-acceptable`
 */
export function acceptedType<T extends string>(reply: FastifyReply, offered: readonly T[]): T {
  const before = reply.getHeader('vary');
  reply.header('vary', before === undefined ? 'Accept' : `${String(before)}, Accept`);
  const accepted = accepts(reply.request.raw).type([...offered]);
  const found = offered.find((type) => type === accepted);
  if (found === undefined) throw problem('not-acceptable');
  return found;
}
