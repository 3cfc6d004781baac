import { afterEach, describe, expect, it } from '@jest/globals';
import { createLogger } from '../logging/logger.js';
import { closeOnSignals } from './close-on-signals.js';
import type { Closable } from './close-on-signals.js';

const logger = createLogger({ name: 'a-service', level: 'silent' });
let stop: () => void = () => undefined;
afterEach(() => stop());

function listening(parts: readonly Closable[]): Promise<number> {
  return new Promise((exit) => {
    stop = closeOnSignals(parts, { logger, exit });
  });
}

describe('a signal', () => {
  it('closes the parts in order and ends with 0', async () => {
    const closed: string[] = [];
    const part = (name: string): Closable => ({
      close: async () => {
        await Promise.resolve();
        closed.push(name);
      },
    });
    const code = listening([part('http'), part('database')]);
    process.emit('SIGTERM');
    expect(await code).toBe(0);
    expect(closed).toEqual(['http', 'database']);
  });

  it('that finds a part unable to close closes the others and ends with 1', async () => {
    let closed = false;
    const code = listening([
      { close: () => Promise.reject(new Error('stuck')) },
      {
        close: () => {
          closed = true;
          return Promise.resolve();
        },
      },
    ]);
    process.emit('SIGINT');
    expect(await code).toBe(1);
    expect(closed).toBe(true);
  });

  it('that comes twice ends at once with 1', async () => {
    const code = listening([{ close: () => new Promise(() => undefined) }]);
    process.emit('SIGTERM');
    process.emit('SIGTERM');
    expect(await code).toBe(1);
  });
});
