import type { IncomingMessage } from 'node:http';
import proxyAddr from '@fastify/proxy-addr';

/**
 * Where a request comes from: the connection's other end, or, where that is a trusted proxy, the last
 * address in `X-Forwarded-For` that is none. A client can write what it likes before that, not after.
 *
 * @param trusted addresses, ranges (`10.0.0.0/8`), and `loopback`, `linklocal`, `uniquelocal`.
 */
export function callerAddress(
  trusted: readonly string[],
): (request: IncomingMessage) => string | undefined {
  const trust = proxyAddr.compile([...trusted]);
  return (request) => proxyAddr(request, trust);
}
