import { Catch, HttpException } from '@nestjs/common';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from '../logging/logger.js';
import { problemBody, PROBLEM_CONTENT_TYPE } from './problem-body.js';
import { PLATFORM_PROBLEMS, platformProblem, Problem } from './problem.js';
import type { ProblemTable } from './problem.js';

/** What goes wrong before a handler is reached, in words that hold nothing of the request. */
const FASTIFY_DETAILS: Readonly<Record<string, string>> = {
  FST_ERR_CTP_INVALID_JSON_BODY: 'The body is not valid JSON.',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'The body is not as long as Content-Length says.',
  FST_ERR_CTP_BODY_TOO_LARGE: 'The body is larger than this server takes.',
  FST_ERR_BAD_URL: 'The address is not a valid URL.',
};

/** Turns whatever was thrown into `application/problem+json`. What is not expected is logged and answered 500. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(
    private readonly logger: Logger,
    private readonly table: ProblemTable,
  ) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const problem = toProblem(thrown);
    if (problem.status >= 500) {
      const cause = thrown instanceof Problem ? thrown.cause : thrown;
      const fault = { requestId: request.id, code: problem.code, err: cause };
      // What is away says so itself; and some of these answers a caller can ask for at will.
      if (problem.status === 503) this.logger.warn(fault, 'answered as unavailable');
      else this.logger.error(fault, 'a fault, answered 500');
    }
    if (reply.sent || reply.raw.headersSent) {
      // Half an answer is out: only cutting the connection tells the caller that the rest won't come.
      reply.raw.destroy();
      return;
    }
    sendProblem(problem, request.id, reply, this.table);
  }
}

export function sendProblem(
  problem: Problem,
  requestId: string,
  reply: FastifyReply,
  table: ProblemTable,
): void {
  void reply
    .code(problem.status)
    .headers({ ...problem.headers, 'cache-control': 'no-store' })
    // A handler may have set another before it failed.
    .header('content-type', PROBLEM_CONTENT_TYPE)
    .send(JSON.stringify(problemBody(problem, requestId, table)));
}

/** The problem that a thrown thing stands for. Messages of others are never passed on to the caller. */
export function toProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  const cause = thrown instanceof HttpException ? thrown.cause : thrown;
  const status = thrown instanceof HttpException ? thrown.getStatus() : clientErrorStatus(thrown);
  const detail =
    FASTIFY_DETAILS[codeOf(cause)] ??
    (cause instanceof SyntaxError ? FASTIFY_DETAILS.FST_ERR_CTP_INVALID_JSON_BODY : undefined);
  return platformProblem(codeOfStatus(status), {
    ...(detail === undefined ? {} : { detail }),
    cause: thrown,
  });
}

/** Only errors that say themselves that the caller is at fault: a 5xx of a library tells us nothing. */
function clientErrorStatus(thrown: unknown): number {
  if (!(thrown instanceof Error) || !('statusCode' in thrown)) return 500;
  const { statusCode } = thrown;
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500 ? statusCode : 500;
}

function codeOfStatus(status: number): keyof typeof PLATFORM_PROBLEMS {
  for (const [code, type] of Object.entries(PLATFORM_PROBLEMS)) {
    if (type.status === status) return code as keyof typeof PLATFORM_PROBLEMS;
  }
  return status >= 400 && status < 500 ? 'invalid-request' : 'internal';
}

const codeOf = (thrown: unknown): string =>
  thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : '';
