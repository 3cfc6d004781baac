import { pino } from 'pino';
import type { DestinationStream, Logger as PinoLogger } from 'pino';
import { maskSecrets } from './mask-secrets.js';
import { currentRequest } from './request-context.js';

export type Logger = PinoLogger;

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LoggerOptions {
  /** The app's name; every line has it as `service`. */
  readonly name: string;
  readonly level: LogLevel;
  /** Standard output where it is left out. */
  readonly destination?: DestinationStream;
}

/**
 * A logger that writes one JSON object a line: `time` (ISO 8601, UTC), `level`, `service`, `pid`, `msg`,
 * and inside a request `requestId` and what `annotateRequest` added. Secrets are masked in the finished line.
 */
export function createLogger({ name, level, destination }: LoggerOptions): Logger {
  return pino(
    {
      level,
      base: { service: name, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // An error is an error under either name that people give it.
      serializers: { err: pino.stdSerializers.err, error: pino.stdSerializers.err },
      hooks: { streamWrite: maskSecrets },
      mixin: () => {
        const request = currentRequest();
        return request === undefined ? {} : { requestId: request.requestId, ...request.log };
      },
    },
    destination ?? pino.destination({ fd: 1, sync: true }),
  );
}
