import { describe, expect, it } from '@jest/globals';
import { createLogger } from './logger.js';
import type { Logger } from './logger.js';
import { NestLogger } from './nest-logger.js';
import { annotateRequest, currentRequest, runInRequest } from './request-context.js';

const SECRET = `tst_${'Zx81mQ'.repeat(6)}`;

function recording(level: 'info' | 'debug' = 'info'): {
  logger: Logger;
  lines: () => Record<string, unknown>[];
  text: () => string;
} {
  const written: string[] = [];
  return {
    logger: createLogger({
      name: 'a-service',
      level,
      destination: { write: (line) => written.push(line) },
    }),
    lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>),
    text: () => written.join(''),
  };
}

describe('the log', () => {
  it('has one JSON object a line, with the service and the time in UTC', () => {
    const { logger, lines } = recording();
    logger.info({ commandId: 'c-1' }, 'decided');
    logger.debug('not asked for');
    expect(lines()).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as unknown,
        service: 'a-service',
        pid: process.pid,
        commandId: 'c-1',
        msg: 'decided',
      },
    ]);
  });

  it('shows no secret, wherever it comes from', () => {
    const { logger, text, lines } = recording();
    const cause = new Error(`refused ${SECRET}`);
    logger.info(`message ${SECRET}`);
    logger.info({ deep: { deeper: { list: [{ client_secret: 'hunter2' }] } } }, 'object');
    logger.error({ err: new Error(`GET /verify?key=${SECRET}`, { cause }) }, 'error');
    logger.child({ token: SECRET }).info('child');
    logger.info({
      req: { headers: { authorization: 'Basic aHVudGVyMg==', cookie: 'sid=hunter2' } },
    });
    logger.info('interpolated %s', SECRET);
    expect(lines()).toHaveLength(6);
    expect(text()).not.toContain('Zx81mQZx81mQ');
    expect(text()).not.toContain('hunter2');
    expect(text()).not.toContain('aHVudGVyMg');
  });

  it('carries the ids of the request that it is written in', async () => {
    const { logger, lines } = recording();
    await runInRequest({ requestId: 'r-1', traceparent: undefined, log: {} }, async () => {
      await Promise.resolve();
      annotateRequest({ commandId: 'c-1', eventIds: ['e-1'] });
      expect(currentRequest()?.requestId).toBe('r-1');
      logger.info('inside');
    });
    logger.info('outside');
    expect(lines()[0]).toMatchObject({ requestId: 'r-1', commandId: 'c-1', eventIds: ['e-1'] });
    expect(lines()[1]).not.toHaveProperty('requestId');
    expect(currentRequest()).toBeUndefined();
  });
});

describe('what Nest logs', () => {
  it('is written with its context; its wiring as debug only', () => {
    const { logger, lines } = recording('debug');
    const nest = new NestLogger(logger);
    nest.log('Mapped {/livez, GET} route', 'RouterExplorer');
    nest.error(new Error('broken'), 'stack', 'Part');
    nest.warn('careful');
    expect(lines()).toMatchObject([
      { level: 'debug', context: 'RouterExplorer', msg: 'Mapped {/livez, GET} route' },
      {
        level: 'error',
        context: 'Part',
        msg: 'broken',
        err: { message: 'broken' },
        extra: ['stack'],
      },
      { level: 'warn', msg: 'careful' },
    ]);
  });
});
