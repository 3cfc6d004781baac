import { holdResponse, liveConnections } from '@token-status/token-guard';
import { tokenGuard } from '@token-status/token-guard/fastify';
import Fastify from 'fastify';
import { guardOf } from './guard.mjs';
import { portOf } from './listening.mjs';

export async function startFastify(): Promise<number> {
  const guard = guardOf('outside-fastify');
  const live = liveConnections(guard);
  const app = Fastify();
  await app.register(tokenGuard, { guard });
  app.get('/orders', (request) => ({ user: request.token?.userId }));
  app.get('/stream', (request, reply) => {
    reply.hijack();
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: begins\n\n');
    if (request.token) holdResponse(live, request.token, reply.raw);
  });
  await guard.ready();
  await app.listen({ port: 0, host: '127.0.0.1' });
  return portOf(app.server);
}
