import { afterEach, describe, expect, it } from '@jest/globals';
import type { RecordedEvent } from '@token-status/contracts';
import { createLogger } from '@token-status/platform';
import { TokenHistory, tokenOf } from '../../../../test/contracts/token-history.js';
import { until } from '../../../../test/contracts/until.js';
import type { CommandLog } from '../ports.js';
import { HELD, LogTail } from './log-tail.js';
import type { EventWithState } from './token-states.js';

/** A log in memory whose reads can be made to go wrong; all else of the port is not asked. */
class Log {
  readonly events: RecordedEvent[] = [];
  /** What the next batches of a follower are made to. */
  readonly mangle: ((batch: readonly RecordedEvent[]) => readonly RecordedEvent[])[] = [];
  reads = 0;

  async *read(after: number, { upTo = Infinity, tags }: Parameters<CommandLog['read']>[1] = {}) {
    this.reads++;
    for (const event of this.events.slice(after, upTo)) {
      if (!tags || event.tags.some((tag) => tags.includes(tag))) yield event;
    }
    return Promise.resolve();
  }

  async *follow(after: number, signal: AbortSignal) {
    for (let from = after; !signal.aborted;) {
      const batch = this.events.slice(from, from + 1000);
      const mangled = batch.length > 0 ? this.mangle.shift() : undefined;
      if (batch.length > 0) yield mangled ? mangled(batch) : batch;
      from += batch.length;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  fence = () => Promise.resolve({ position: this.events.length, hash: '' });
}

const tails: LogTail[] = [];
afterEach(() => tails.splice(0).forEach((tail) => tail.onModuleDestroy()));
function tailOf(log: Log): LogTail {
  const logger = createLogger({ name: 'test', level: 'silent' });
  const tail = new LogTail(log as unknown as CommandLog, logger);
  tails.push(tail);
  return tail;
}
const positions = (events: readonly EventWithState[] | null): number[] | undefined =>
  events?.map(({ position }) => position);

describe("the log's tail", () => {
  it('holds what came since it started, each with its token as it was then', async () => {
    const [log, history] = [new Log(), new TokenHistory()];
    const added = history.add();
    log.events.push(added);
    const tail = tailOf(log);
    await tail.follow();
    expect(tail.head).toBe(1);
    const id = tokenOf(added);
    log.events.push(
      history.disable(id),
      history.enable(id),
      history.add('u-2'),
      history.revoke(id),
    );
    await until(() => tail.head === 5);
    expect(tail.after(0, 10)).toBeNull();
    expect(positions(tail.after(1, 10))).toEqual([2, 3, 4, 5]);
    expect(positions(tail.after(2, 2))).toEqual([3, 4]);
    expect(tail.after(5, 10)).toEqual([]);
    const states = tail.after(1, 10)?.map(({ read }) => read?.token);
    expect(states?.map((token) => [token?.version, !!token?.disabled, token?.revoked])).toEqual([
      [2, true, false],
      [3, false, false],
      [1, false, false],
      [4, false, true],
    ]);
    // Once for what was before it; what it has folded it keeps.
    expect(log.reads).toBe(1);
  });

  it('reads again after a fault, and when a read had a gap or a repeat, and goes on in a row', async () => {
    const [log, history] = [new Log(), new TokenHistory()];
    const tail = tailOf(log);
    await tail.follow();
    const told: number[] = [];
    tail.watch(({ position }) => told.push(position));
    log.mangle.push(
      () => {
        throw new Error('away');
      },
      (batch) => batch.slice(1),
      (batch) => [...batch.slice(0, 1), ...batch.slice(2)],
      ([first, ...rest]) => (first ? [first, first, ...rest] : rest),
    );
    for (let n = 0; n < 5; n++) log.events.push(history.add());
    await until(() => tail.head === 5 && log.mangle.length === 0);
    expect(positions(tail.after(0, 10))).toEqual([1, 2, 3, 4, 5]);
    expect(told).toEqual([1, 2, 3, 4, 5]);
  });

  it('holds no more than it may, and says of older ones that it holds them no longer', async () => {
    const [log, history] = [new Log(), new TokenHistory()];
    const tail = tailOf(log);
    await tail.follow();
    for (let n = 0; n < HELD + 100; n++) log.events.push(history.add());
    await until(() => tail.head === HELD + 100);
    expect(tail.after(99, 1)).toBeNull();
    expect(positions(tail.after(100, 1))).toEqual([101]);
  });

  it('gives an event that can’t be read as unread, with its owner, and those of the token after it', async () => {
    const [log, history] = [new Log(), new TokenHistory()];
    const tail = tailOf(log);
    await tail.follow();
    const added = history.add('u-7');
    const future = { ...history.disable(tokenOf(added)), schemaVersion: 99 };
    log.events.push(added, future, history.enable(tokenOf(added)), history.add());
    await until(() => tail.head === 4);
    const events = tail.after(0, 10) ?? [];
    expect(events.map(({ read }) => read !== null)).toEqual([true, false, false, true]);
    expect(events[1]?.owner).toEqual({ userId: 'u-7', accountId: 'acme' });
    expect(events[1]?.tokenId).toBe(tokenOf(added));
  });

  it('runs while somebody follows, and starts anew for the next', async () => {
    const [log, history] = [new Log(), new TokenHistory()];
    const tail = tailOf(log);
    const [leave, leaveToo] = [await tail.follow(), await tail.follow()];
    leave();
    leave();
    log.events.push(history.add());
    await until(() => tail.head === 1);
    leaveToo();
    log.events.push(history.add());
    await tail.follow();
    expect(tail.head).toBe(2);
    log.events.push(history.add());
    await until(() => tail.head === 3);
    expect(positions(tail.after(2, 10))).toEqual([3]);
  });
});
