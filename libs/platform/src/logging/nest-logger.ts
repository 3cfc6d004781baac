import type { LoggerService } from '@nestjs/common';
import type { Level } from 'pino';
import type { Logger } from './logger.js';

/** Nest tells at start what it wires, line by line; that is for whoever debugs the wiring. */
const WIRING = new Set([
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestFactory',
  'NestApplication',
]);

/** Lets Nest, and code that uses Nest's `Logger`, write to ours. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, ...rest: unknown[]): void {
    this.write('info', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }

  /** Nest's convention: the last extra argument is the context, an error's stack may come before it. */
  private write(level: Level, message: unknown, rest: readonly unknown[]): void {
    const last = rest.at(-1);
    const context = typeof last === 'string' ? last : undefined;
    const extra = context === undefined ? rest : rest.slice(0, -1);
    const at = level === 'info' && context !== undefined && WIRING.has(context) ? 'debug' : level;
    const fields = {
      ...(context === undefined ? {} : { context }),
      ...(extra.length === 0 ? {} : { extra }),
    };
    if (message instanceof Error) this.logger[at]({ ...fields, err: message }, message.message);
    else if (typeof message === 'string') this.logger[at](fields, message);
    else this.logger[at]({ ...fields, data: message });
  }
}
