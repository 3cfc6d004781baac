import type { Socket } from 'node:net';
import { problemBody, PROBLEM_CONTENT_TYPE } from '../problem/problem-body.js';
import { platformProblem } from '../problem/problem.js';
import type { PLATFORM_PROBLEMS } from '../problem/problem.js';

const CODES: Readonly<Record<string, keyof typeof PLATFORM_PROBLEMS>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout',
  HPE_HEADER_OVERFLOW: 'headers-too-large',
};

/** Answers what is not HTTP enough to become a request, before Fastify sees it. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const problem = platformProblem(CODES[error.code ?? ''] ?? 'invalid-request');
  const body = JSON.stringify(problemBody(problem, null));
  socket.end(
    `HTTP/1.1 ${problem.status} ${problem.code}\r\ncontent-type: ${PROBLEM_CONTENT_TYPE}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
