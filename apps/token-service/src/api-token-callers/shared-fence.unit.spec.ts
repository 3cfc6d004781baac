import { describe, expect, it } from '@jest/globals';
import type { Head } from '@token-status/event-log';
import { SharedFence } from './shared-fence.js';

/** A log whose fences end when they are told to. */
function slowLog() {
  const fences: { resolve(position: number): void; reject(fault: Error): void }[] = [];
  const fence = (): Promise<Head> =>
    new Promise((resolve, reject) => {
      fences.push({ resolve: (position) => resolve({ position, hash: '' }), reject });
    });
  return { fences, fence };
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a fence that is shared', () => {
  it('begins after the question of each who is answered by it: two for any number of questions', async () => {
    const { fences, fence } = slowLog();
    const shared = new SharedFence({ fence });
    const first = [shared.head(), shared.head()];
    await turn();
    expect(fences).toHaveLength(1);
    // These came while it was under way: it may be older than they are.
    const second = Array.from({ length: 100 }, () => shared.head());
    await turn();
    expect(fences).toHaveLength(1);
    fences[0]?.resolve(7);
    await turn();
    expect(fences).toHaveLength(2);
    fences[1]?.resolve(8);
    expect((await Promise.all(first)).map(({ position }) => position)).toEqual([7, 7]);
    const positions = (await Promise.all(second)).map(({ position }) => position);
    expect(new Set(positions)).toEqual(new Set([8]));
  });

  it('that fails fails for those alone who waited for it', async () => {
    const { fences, fence } = slowLog();
    const shared = new SharedFence({ fence });
    const first = shared.head();
    await turn();
    const second = shared.head();
    fences[0]?.reject(new Error('away'));
    await expect(first).rejects.toThrow('away');
    await turn();
    fences[1]?.resolve(3);
    expect((await second).position).toBe(3);
  });
});
