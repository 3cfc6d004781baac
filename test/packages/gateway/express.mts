import { createServer } from 'node:http';
import {
  checkUpgrade,
  holdResponse,
  holdWebSocket,
  liveConnections,
} from '@token-status/token-guard';
import { tokenGuard } from '@token-status/token-guard/express';
import express from 'express';
import { WebSocketServer } from 'ws';
import { guardOf } from './guard.mjs';
import { listening } from './listening.mjs';

export async function startExpress(): Promise<number> {
  const guard = guardOf('outside-express');
  const live = liveConnections(guard);
  const app = express();
  app.use(tokenGuard(guard));
  app.get('/orders', (request, response) => {
    response.json({ user: request.token?.userId });
  });
  app.get('/stream', (request, response) => {
    response.set('content-type', 'text/event-stream').write('data: begins\n\n');
    if (request.token) holdResponse(live, request.token, response);
  });

  const server = createServer(app);
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    const token = checkUpgrade(guard, request, socket);
    if (!token) return;
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('message', (message: Buffer) => webSocket.send(`${token.userId}: ${message}`));
      holdWebSocket(live, token, webSocket);
    });
  });
  await guard.ready();
  return listening(server);
}
