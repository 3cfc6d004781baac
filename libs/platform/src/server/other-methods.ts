import type { FastifyInstance } from 'fastify';
import { platformProblem } from '../problem/problem.js';
import { sendProblem } from '../problem/problem.filter.js';
import type { ProblemTable } from '../problem/problem.js';

/**
 * An address that is there, asked by a method that is not offered for it, is 405 and not 404, with the
 * methods that are (RFC 9110 sections 15.5.6 and 10.2.1). Fastify's router knows routes by method first.
 */
export function refuseOtherMethods(fastify: FastifyInstance, problems: ProblemTable): void {
  const offered = new Map<string, Set<string>>();
  fastify.addHook('onRoute', ({ url, method }) => {
    const methods = offered.get(url) ?? new Set();
    for (const one of [method].flat()) methods.add(one);
    offered.set(url, methods);
  });
  fastify.addHook('onRequest', (request, reply, done) => {
    const methods = request.is404 ? methodsFor(request.url, offered) : [];
    if (methods.length === 0) {
      done();
      return;
    }
    const refusal = platformProblem('method-not-allowed', {
      headers: { allow: methods.join(', ') },
    });
    sendProblem(refusal, request.id, reply, problems);
  });
}

function methodsFor(url: string, offered: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const path = url.split('?', 1)[0] ?? '';
  const found = [...offered].filter(([pattern]) => matches(pattern.split('/'), path.split('/')));
  return [...new Set(found.flatMap(([, methods]) => [...methods]))].sort();
}

const matches = (pattern: readonly string[], path: readonly string[]): boolean =>
  pattern.length === path.length &&
  pattern.every((part, n) => (part.startsWith(':') ? path[n] !== '' : part === path[n]));
