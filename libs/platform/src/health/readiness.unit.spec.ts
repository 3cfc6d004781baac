import { describe, expect, it } from '@jest/globals';
import { Readiness } from './readiness.js';

describe('readiness', () => {
  it('is given when every part is ready', async () => {
    const readiness = new Readiness();
    expect(await readiness.report()).toEqual({ ready: true, checks: [] });
    readiness.register({ name: 'log', check: () => ({ ok: true }) });
    const withdraw = readiness.register({
      name: 'kafka',
      check: () => Promise.resolve({ ok: false, why: 'no broker answers' }),
    });
    expect(await readiness.report()).toEqual({
      ready: false,
      checks: [
        { name: 'log', ok: true },
        { name: 'kafka', ok: false, why: 'no broker answers' },
      ],
    });
    withdraw();
    expect((await readiness.report()).ready).toBe(true);
  });

  it('is withheld from a part that throws or does not answer, without telling what it threw', async () => {
    const readiness = new Readiness(10);
    readiness.register({
      name: 'throws',
      check: () => {
        throw new Error('mongodb://root:hunter2@db');
      },
    });
    readiness.register({ name: 'hangs', check: () => new Promise(() => undefined) });
    expect((await readiness.report()).checks).toEqual([
      { name: 'throws', ok: false, why: 'the check failed' },
      { name: 'hangs', ok: false, why: 'no answer within 10 ms' },
    ]);
  });

  it('ends with the shutdown', async () => {
    const readiness = new Readiness();
    readiness.register({ name: 'log', check: () => ({ ok: true }) });
    readiness.beginShutdown();
    expect(await readiness.report()).toMatchObject({
      ready: false,
      checks: [{ name: 'shutdown', ok: false }, { name: 'log' }],
    });
    expect(readiness.shuttingDown.aborted).toBe(true);
  });

  it('asks the parts once for callers that come together', async () => {
    const readiness = new Readiness();
    let asked = 0;
    readiness.register({
      name: 'log',
      check: () => {
        asked += 1;
        return { ok: true };
      },
    });
    await Promise.all([readiness.report(), readiness.report()]);
    expect(asked).toBe(1);
    await readiness.report();
    expect(asked).toBe(2);
  });
});
