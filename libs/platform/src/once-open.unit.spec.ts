import { describe, expect, it } from '@jest/globals';
import { onceOpen } from './once-open.js';

describe('what is opened once', () => {
  const closable = (): { closed: boolean; close(): Promise<void> } => ({
    closed: false,
    close() {
      this.closed = true;
      return Promise.resolve();
    },
  });

  it('is the same for all who ask, at once or later, and is closed', async () => {
    let opened = 0;
    const part = closable();
    const once = onceOpen(() => {
      opened++;
      return Promise.resolve(part);
    });
    expect(await Promise.all([once.open(), once.open()])).toEqual([part, part]);
    expect(await once.open()).toBe(part);
    expect(opened).toBe(1);
    await once.close();
    expect(part.closed).toBe(true);
  });

  it('is tried again after a failure', async () => {
    let tries = 0;
    const once = onceOpen(() =>
      tries++ === 0 ? Promise.reject(new Error('away')) : Promise.resolve(closable()),
    );
    await expect(once.open()).rejects.toThrow('away');
    await expect(once.open()).resolves.toBeDefined();
  });

  it('need not have been opened to be closed', async () => {
    await onceOpen(() => Promise.reject(new Error('never'))).close();
    const failing = onceOpen(() => Promise.reject(new Error('away')));
    await expect(failing.open()).rejects.toThrow('away');
    await failing.close();
  });
});
