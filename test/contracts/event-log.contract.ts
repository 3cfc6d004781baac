import { fork } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { RecordedEvent } from '@token-status/contracts';
import {
  CommitTooLarge,
  LogOverloaded,
  LogUnavailable,
  OutcomeUnknown,
  canonicalEvent,
  chainHash,
  commandIdOf,
  eventIdOf,
  genesisHash,
  newCommandId,
  openEventLog,
} from '@token-status/event-log';
import type { CommitBatch, EventLog, EventLogOptions, LogStore } from '@token-status/event-log';
import { openStore } from './event-log-racer.js';
import type { RaceOn, RaceOrders, RaceResult } from './event-log-racer.js';
import { count, leave, take } from './seats.js';
import { until } from './until.js';

/** A log that is new to each test. */
export interface LogUnderTest {
  readonly on: RaceOn;
  readonly discard: () => Promise<void>;
}

/** What every event log store keeps, whatever database is behind it (decisions 1 to 3). */
export function eventLogContract(name: string, make: () => Promise<LogUnderTest>): void {
  describe(`${name}, as an event log`, () => {
    const cleanUp: (() => Promise<void>)[] = [];
    let on: RaceOn | null = null;

    const place = async (): Promise<RaceOn> => {
      if (on) return on;
      const made = await make();
      cleanUp.push(made.discard);
      return (on = made.on);
    };
    /** A further process's view of the same log, as far as one process can be two. */
    const open = async (
      options: EventLogOptions = {},
      wrap: (store: LogStore) => LogStore = (store) => store,
    ): Promise<EventLog & { readonly store: LogStore }> => {
      const store = wrap(await openStore(await place()));
      const log = openEventLog(store, options);
      cleanUp.unshift(() => log.close());
      return { ...log, store };
    };
    afterEach(async () => {
      on = null;
      for (const step of cleanUp.splice(0)) await step();
    });

    it('starts empty, at position 0, with an identity that every opener sees', async () => {
      const [a, b] = [await open(), await open()];
      expect(a.epoch).toMatch(/^[0-9a-f]{32}$/);
      expect(b.epoch).toBe(a.epoch);
      expect(await a.fence()).toEqual({ position: 0, hash: genesisHash(a.epoch) });
      expect(await all(a)).toEqual([]);
    });

    it('gives events positions without a gap and chains their hashes', async () => {
      const log = await open();
      for (const seat of ['a', 'b', 'c']) await take(log, seat, 'anna');
      const events = await all(log);
      expect(events.map((event) => event.position)).toEqual([1, 2, 3]);
      expectChain(log.epoch, events);
      expect(await log.fence()).toEqual({ position: 3, hash: events.at(-1)?.hash });
    });

    it('answers with the state after the event and the position it holds at', async () => {
      const log = await open();
      await take(log, 'other', 'bert');
      const answer = await take(log, 'a', 'anna');
      expect(answer).toMatchObject({
        kind: 'recorded',
        repeated: false,
        position: 2,
        state: { holder: 'anna', events: 1 },
      });
    });

    it('decides commands that wait together in one commit, each on the earlier ones', async () => {
      const commits: number[] = [];
      const log = await open({ observer: { committed: ({ events }) => commits.push(events) } });
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, n) => take(log, String(n % 10), `caller-${n}`)),
      );
      expect(answers.filter(({ kind }) => kind === 'recorded')).toHaveLength(10);
      expect(answers.filter(({ kind }) => kind === 'refused')).toHaveLength(90);
      expect(answers.slice(0, 10).every(({ kind }) => kind === 'recorded')).toBe(true);
      expect(commits).toEqual([10]);
    });

    it('folds each event once, however many tags the commands that wait together have', async () => {
      const log = await open();
      const counting = { name: 'counting', initial: 0, evolve: (events: number) => events + 1 };
      const ask = async (tags: string[]): Promise<number> => {
        const decided = await log.decideAndAppend({
          commandId: newCommandId(),
          tags,
          fold: counting,
          decide: () => [],
        });
        return decided.kind === 'unchanged' ? decided.state : -1;
      };
      await log.decideAndAppend({
        commandId: newCommandId(),
        tags: [],
        fold: counting,
        decide: () => [{ type: 'Shared', schemaVersion: 1, tags: ['shared'], data: {} }],
      });
      // The first and the last rest on the same event, and more tags than one query has are between them.
      const others = Array.from({ length: 505 }, (_, n) => [`a${n}`, `b${n}`]);
      const states = await Promise.all([['shared', 'x'], ...others, ['shared', 'y']].map(ask));
      expect([states[0], states[1], states.at(-1)]).toEqual([1, 0, 1]);
    });

    it('records nothing for what already holds', async () => {
      const log = await open();
      await take(log, 'a', 'anna');
      expect(await take(log, 'a', 'anna')).toMatchObject({ kind: 'unchanged', position: 1 });
      expect(await all(log)).toHaveLength(1);
    });

    it('writes a batch whole or not at all', async () => {
      const log = await open();
      await take(log, 'a', 'anna');
      const [first] = await all(log);
      if (!first) throw new Error('the log is empty');
      const good = follow(first, { id: eventIdOf(newCommandId(), 0) });
      const bad = follow(good, { id: first.id });
      expect(await log.store.commit({ events: [good, bad], outcomes: [] })).toBe('lost');
      expect(await all(log)).toHaveLength(1);
      const outcome = {
        caller: 'c',
        key: 'k',
        fingerprint: 'f',
        commandId: newCommandId(),
        result: 'unchanged',
        events: 0,
        refusal: null,
        position: 1,
      } as const;
      expect(await log.store.commit({ events: [], outcomes: [outcome] })).toBe('committed');
      expect(await log.store.commit({ events: [good], outcomes: [outcome] })).toBe('lost');
      expect(await all(log)).toHaveLength(1);
    });

    it('decides again on what another process appended', async () => {
      const [a, b] = [await open(), await open()];
      await take(a, 'x', 'anna');
      await take(b, 'y', 'bert'); // b's head is now current …
      await leave(a, 'x', 'anna'); // … and no longer.
      expect(await take(b, 'x', 'bert')).toMatchObject({ kind: 'recorded' });
      expect(await take(a, 'x', 'anna')).toEqual({
        kind: 'refused',
        repeated: false,
        refusal: 'taken',
      });
      expectChain(a.epoch, await all(a));
    });

    it('refuses, and says unchanged, only on what holds now, not on what it remembers', async () => {
      const [a, b] = [await open(), await open()];
      await take(a, 'x', 'anna');
      await take(b, 'x', 'anna');
      await leave(a, 'x', 'anna');
      // b remembers that Anna has the seat: neither answer may rest on that.
      expect(await take(b, 'x', 'anna')).toMatchObject({ kind: 'recorded' });
      await leave(a, 'x', 'anna');
      expect(await take(b, 'x', 'bert')).toMatchObject({ kind: 'recorded' });
    });

    it('leaves one winner per condition among racers in several processes, and loses no decision', async () => {
      const racers = 3;
      const orders = { on: await place(), callers: 8, seats: 10 };
      const log = await open();
      const results = await Promise.all(
        Array.from({ length: racers }, (_, n) => race({ ...orders, racer: `racer-${n}` })),
      );
      expect(results.flatMap(({ faults }) => faults)).toEqual([]);
      const won = results.flatMap((result) => result.won);
      expect(won.toSorted()).toEqual(Array.from({ length: 10 }, (_, n) => String(n)));
      const tries = racers * orders.callers * orders.seats;
      expect(results.reduce((sum, { refused }) => sum + refused, 0)).toBe(tries - won.length);
      // Every count rests on the one before it and none was refused: each was decided again until it fitted.
      expect(results.reduce((sum, { counted }) => sum + counted, 0)).toBe(tries);
      const events = await all(log);
      expect(events.filter(({ type }) => type === 'Counted').map(({ data }) => data.value)).toEqual(
        Array.from({ length: tries }, (_, n) => n + 1),
      );
      // A key that all processes used happened once, and each got the same answer.
      for (let n = 0; n < orders.callers; n++) {
        const answers = results.flatMap(({ keyed }) =>
          keyed.filter(
            ({ ids }) =>
              ids[0] === eventIdOf(commandIdOf({ caller: 'everybody', key: `key-${n}` }), 0),
          ),
        );
        expect(answers).toHaveLength(racers);
        expect(new Set(answers.map(({ position }) => position)).size).toBe(1);
      }
      expectChain(log.epoch, events);
    });

    describe('a command with a key', () => {
      const keyed = (key: string, fingerprint = 'same') => {
        const named = { caller: 'user:anna', key, fingerprint };
        return { key: named, commandId: commandIdOf(named) };
      };

      it('happens once, and its first answer comes again though the state moved on', async () => {
        const [a, b] = [await open(), await open()];
        const first = await take(a, 'x', 'anna', keyed('k1'));
        await leave(b, 'x', 'anna');
        await take(b, 'x', 'bert');
        const again = await take(b, 'x', 'anna', keyed('k1'));
        expect(again).toEqual({ ...first, repeated: true });
        expect(await all(a)).toHaveLength(3);
      });

      it('happens once though it is sent many times at once', async () => {
        const [a, b] = [await open(), await open()];
        const answers = await Promise.all(
          Array.from({ length: 64 }, (_, n) => take(n % 2 === 0 ? a : b, 'x', 'anna', keyed('k1'))),
        );
        expect(
          new Set(answers.map((answer) => JSON.stringify({ ...answer, repeated: 0 }))).size,
        ).toBe(1);
        expect(answers.filter((answer) => 'repeated' in answer && !answer.repeated)).toHaveLength(
          1,
        );
        expect(await all(a)).toHaveLength(1);
      });

      it('keeps a refusal and an unchanged answer too', async () => {
        const log = await open();
        await take(log, 'x', 'anna');
        expect(await take(log, 'x', 'bert', keyed('k1'))).toMatchObject({
          kind: 'refused',
          repeated: false,
        });
        expect(await take(log, 'x', 'anna', keyed('k2'))).toMatchObject({
          kind: 'unchanged',
          repeated: false,
        });
        await leave(log, 'x', 'anna');
        expect(await take(log, 'x', 'bert', keyed('k1'))).toEqual({
          kind: 'refused',
          repeated: true,
          refusal: 'taken',
        });
        expect(await take(log, 'x', 'anna', keyed('k2'))).toMatchObject({
          kind: 'unchanged',
          repeated: true,
          state: { holder: 'anna' },
          position: 1,
        });
        expect(await all(log)).toHaveLength(2);
      });

      it('is not decided at all where the key was used for another request', async () => {
        const log = await open();
        await take(log, 'x', 'anna', keyed('k1'));
        expect(await take(log, 'y', 'anna', keyed('k1', 'another'))).toEqual({
          kind: 'key-reused',
        });
        expect(await all(log)).toHaveLength(1);
      });
    });

    it('fails only the command whose own fold can’t take what is in the log', async () => {
      const log = await open();
      const key = { caller: 'user:anna', key: 'k1', fingerprint: 'same' };
      const commandId = commandIdOf(key);
      await take(log, 'x', 'anna', { key, commandId });
      const broken = log.decideAndAppend({
        commandId,
        key,
        tags: ['seat:x'],
        fold: {
          name: 'broken',
          initial: 0,
          evolve: () => {
            throw new RangeError('no such event');
          },
        },
        decide: () => [],
      });
      const others = take(log, 'y', 'bert');
      await expect(broken).rejects.toThrow(RangeError);
      expect(await others).toMatchObject({ kind: 'recorded' });
    });

    it('answers a command id that is in the log already with its first result', async () => {
      const [a, b] = [await open(), await open()];
      const commandId = newCommandId();
      const first = await take(a, 'x', 'anna', { commandId });
      await leave(a, 'x', 'anna');
      expect(await take(b, 'x', 'anna', { commandId })).toEqual({ ...first, repeated: true });
      expect(await all(a)).toHaveLength(2);
    });

    it('is read from any position, in order, while others append', async () => {
      const [writer, reader] = [await open(), await open()];
      const writing = Promise.all(
        Array.from({ length: 20 }, async (_, n) => {
          for (let i = 0; i < 20; i++) await count(writer, `t${n}`);
        }),
      );
      const seen: number[] = [];
      while (seen.length < 400) {
        for await (const { position } of reader.read(seen.at(-1) ?? 0)) seen.push(position);
      }
      await writing;
      expect(seen).toEqual(Array.from({ length: 400 }, (_, n) => n + 1));
      expect((await all(reader, 390)).map(({ position }) => position)).toEqual(seen.slice(390));
      const some = [];
      for await (const event of reader.read(0, { tags: ['tally:t3', 'tally:t5'], upTo: 300 }))
        some.push(event);
      expect(some).toEqual(
        (await all(reader)).filter(
          ({ position, tags }) =>
            position <= 300 && (tags.includes('tally:t3') || tags.includes('tally:t5')),
        ),
      );
    });

    it('wakes a follower when another process appends', async () => {
      // So rare a poll that only the wake-up can be what brings the event.
      const [writer, reader] = [await open(), await open({ pollMs: 600_000 })];
      await expectFollowed(writer, reader);
    });

    it('wakes once it has begun to watch, since what was appended before is told by nobody', async () => {
      const { store } = await open();
      let rings = 0;
      const stop = store.onAppend(() => rings++);
      await until(() => rings > 0);
      stop();
    });

    it('is followed though every wake-up is lost', async () => {
      const deaf = (store: LogStore): LogStore => ({
        ...boundTo(store),
        onAppend: () => () => undefined,
      });
      const [writer, reader] = [await open(), await open({ pollMs: 20 }, deaf)];
      await expectFollowed(writer, reader);
    });

    describe('a commit', () => {
      it('is bounded in events: what does not fit comes with the next', async () => {
        const commits: number[] = [];
        const log = await open({
          maxCommitEvents: 10,
          observer: { committed: ({ events }) => commits.push(events) },
        });
        await Promise.all(Array.from({ length: 7 }, (_, n) => count(log, `t${n}`, 4)));
        expect(commits).toEqual([8, 8, 8, 4]);
        expectChain(log.epoch, await all(log));
      });

      it('is bounded in bytes', async () => {
        const commits: number[] = [];
        const log = await open({
          maxCommitBytes: 10_000,
          observer: { committed: ({ events }) => commits.push(events) },
        });
        await Promise.all(
          Array.from({ length: 4 }, (_, n) => count(log, `t${n}`, 1, 'x'.repeat(4000))),
        );
        expect(commits).toEqual([2, 2]);
      });

      it('takes no command that alone is too large, and others go on', async () => {
        const log = await open({ maxCommitEvents: 10 });
        const [large, small] = await Promise.allSettled([count(log, 'a', 11), count(log, 'b', 1)]);
        expect(large).toMatchObject({ status: 'rejected', reason: expect.any(CommitTooLarge) });
        expect(small).toMatchObject({
          status: 'fulfilled',
          value: { kind: 'recorded', position: 1 },
        });
      });

      it('whose acknowledgement is lost is found in the log, and recorded once', async () => {
        const log = await open({}, forgetful({ times: 2, after: true }));
        expect(await take(log, 'x', 'anna')).toMatchObject({ kind: 'recorded', position: 1 });
        expect(await Promise.all([count(log, 'a', 2), count(log, 'b', 2)])).toHaveLength(2);
        expect(await all(log)).toHaveLength(5);
        expectChain(log.epoch, await all(log));
      });

      it('that never reached the database is made again', async () => {
        const log = await open({}, forgetful({ times: 3, after: false }));
        expect(await take(log, 'x', 'anna')).toMatchObject({ kind: 'recorded', position: 1 });
        expect(await all(log)).toHaveLength(1);
      });

      it('that lands while it is being looked for is found, and not decided again', async () => {
        const log = await open({}, delayed);
        expect(await take(log, 'x', 'anna')).toMatchObject({ kind: 'recorded', repeated: false });
        expect(await all(log)).toHaveLength(1);
      });

      it('is not made for a command that was told that nothing was recorded', async () => {
        let answer: () => void = () => undefined;
        const silence = new Promise<void>((resolve) => (answer = resolve));
        const silent = (store: LogStore): LogStore => ({
          ...boundTo(store),
          fence: () => silence.then(() => store.fence()),
        });
        const log = await open({ timeoutMs: 200 }, silent);
        await expect(take(log, 'x', 'anna')).rejects.toBeInstanceOf(LogUnavailable);
        answer();
        await log.close();
        expect(await all(await open())).toEqual([]);
      });

      it('is sought for no longer than the time limit once the log closes', async () => {
        let tries = 0;
        const slow = (store: LogStore): LogStore => ({
          ...boundTo(store),
          commit: () => {
            tries++;
            return delay(400).then(() => Promise.reject(new Error('the connection was reset')));
          },
        });
        const log = await open({ timeoutMs: 500 }, slow);
        const lost = expect(take(log, 'x', 'anna')).rejects.toBeInstanceOf(OutcomeUnknown);
        await until(() => tries > 0);
        await log.close();
        await lost;
        // Two would do; a busy machine has time for more.
        expect(tries).toBeLessThan(10);
      });

      it('whose outcome stays unknown is said to be unknown, never to have failed', async () => {
        const out = { now: false };
        // Long enough that a busy machine has sent the commit by then.
        const log = await open({ timeoutMs: 3000 }, forgetful({ while: out, after: true }));
        await take(log, 'w', 'wanda');
        out.now = true;
        const first = take(log, 'x', 'anna');
        const behind = expect(take(log, 'y', 'bert')).rejects.toBeInstanceOf(Error);
        await expect(first).rejects.toBeInstanceOf(OutcomeUnknown);
        await behind;
        const refusedBehind = take(log, 'z', 'carl');
        await expect(refusedBehind).rejects.toBeInstanceOf(LogUnavailable);
        out.now = false;
        const log2 = await open();
        await until(async () => (await all(log2)).length >= 2);
        expect(await take(log2, 'z', 'dora')).toMatchObject({ kind: 'recorded' });
        expect((await all(log2)).map(({ data }) => data.seat)).not.toContain('carl');
      });
    });

    it('refuses at once what is too much to wait', async () => {
      const log = await open({ maxWaiting: 3 });
      const three = ['a', 'b', 'c'].map((seat) => take(log, seat, 'anna'));
      expect(() => take(log, 'd', 'anna')).toThrow(LogOverloaded);
      await Promise.all(three);
      expect(await all(log)).toHaveLength(3);
    });

    it('closes after the commit in hand, and takes nothing more', async () => {
      const log = await open();
      const last = take(log, 'a', 'anna');
      await Promise.resolve();
      await Promise.resolve();
      await log.close();
      await expect(last).resolves.toMatchObject({ kind: 'recorded' });
      expect(() => take(log, 'b', 'anna')).toThrow(LogUnavailable);
    });

    describe('its leases', () => {
      it('are held by one, renewed by the holder, and taken over with a new term', async () => {
        const [a, b] = [(await open()).store.leases, (await open()).store.leases];
        expect(await a.acquire('relay', 'a', 60_000)).toBe(1);
        expect(await b.acquire('relay', 'b', 60_000)).toBeNull();
        expect(await a.acquire('relay', 'a', 60_000)).toBe(1);
        expect(await b.acquire('another', 'b', 60_000)).toBe(1);
        await b.release('relay', 'b');
        expect(await b.acquire('relay', 'b', 60_000)).toBeNull();
        await a.release('relay', 'a');
        expect(await b.acquire('relay', 'b', 60_000)).toBe(2);
        expect(await a.acquire('relay', 'a', 60_000)).toBeNull();
      });

      it('end by themselves', async () => {
        const { leases } = (await open()).store;
        expect(await leases.acquire('relay', 'a', 1)).toBe(1);
        await until(async () => (await leases.acquire('relay', 'b', 60_000)) === 2);
      });

      it('go to one of many that ask at once', async () => {
        const { leases } = (await open()).store;
        const terms = await Promise.all(
          Array.from({ length: 10 }, (_, n) => leases.acquire('relay', `h${n}`, 60_000)),
        );
        expect(terms.filter((term) => term !== null)).toEqual([1]);
      });
    });

    it('keeps checkpoints that never move back, nor for a term that is over', async () => {
      const { checkpoints } = (await open()).store;
      expect(await checkpoints.load('relay')).toBe(0);
      expect(await checkpoints.store('relay', 10, 1)).toBe(true);
      expect(await checkpoints.store('relay', 9, 1)).toBe(false);
      expect(await checkpoints.store('relay', 12, 2)).toBe(true);
      expect(await checkpoints.store('relay', 20, 1)).toBe(false);
      expect(await checkpoints.load('relay')).toBe(12);
    });

    it('settles a plan once: all who race for a key get the same, and other keys have their own', async () => {
      const [a, b] = [(await open()).store.plans, (await open()).store.plans];
      const of = (key: string) => ({ caller: 'service:s', key });
      expect(await a.find(of('k'))).toBeNull();
      const settled = await Promise.all(
        Array.from({ length: 16 }, (_, n) =>
          (n % 2 === 0 ? a : b).settle({ ...of('k'), items: [`of ${n}`, 'more'] }),
        ),
      );
      const [first] = settled;
      expect(first?.items).toHaveLength(2);
      for (const each of settled) expect(each).toEqual(first);
      expect(await b.find(of('k'))).toEqual(first);
      expect(await b.settle({ ...of('l'), items: [] })).toEqual({
        ...of('l'),
        items: [],
      });
      const other = { caller: 'service:t', key: 'k' };
      expect(await a.find(other)).toBeNull();
      const many = Array.from({ length: 10_000 }, (_, n) => `tok_${String(n).padStart(32, '0')}`);
      await a.settle({ ...other, items: many });
      expect((await b.find(other))?.items).toEqual(many);
    });
  });
}

async function all(log: EventLog, after = 0): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for await (const event of log.read(after)) events.push(event);
  return events;
}

function expectChain(epoch: string, events: readonly RecordedEvent[]): void {
  let hash = genesisHash(epoch);
  events.forEach((event, index) => {
    expect(event.position).toBe(index + 1);
    hash = chainHash(hash, canonicalEvent(event));
    expect(event.hash).toBe(hash);
  });
}

/** A valid successor, but for what is said otherwise. */
function follow(before: RecordedEvent, other: Partial<RecordedEvent>): RecordedEvent {
  const event = { ...before, position: before.position + 1, ...other };
  return { ...event, hash: chainHash(before.hash, canonicalEvent(event)) };
}

async function expectFollowed(writer: EventLog, reader: EventLog): Promise<void> {
  const stop = new AbortController();
  const seen: number[] = [];
  const following = (async () => {
    for await (const batch of reader.follow(0, stop.signal)) {
      seen.push(...batch.map(({ position }) => position));
      if (seen.length === 5) stop.abort();
    }
  })();
  for (let n = 1; n <= 5; n++) {
    await count(writer, 'followed');
    // One at a time, so that each must be waited for.
    await until(() => seen.length >= n);
  }
  await following;
  expect(seen).toEqual([1, 2, 3, 4, 5]);
}

/** A store whose commits end in a fault, though they may have been made: a network that breaks. */
const forgetful =
  (fault: { times?: number; while?: { now: boolean }; after: boolean }) =>
  (store: LogStore): LogStore => {
    let times = fault.times ?? Infinity;
    return {
      ...boundTo(store),
      commit: async (batch: CommitBatch) => {
        const breaks = fault.while ? fault.while.now : times-- > 0;
        if (!breaks) return store.commit(batch);
        if (fault.after) await store.commit(batch);
        throw new Error('the connection was reset');
      },
    };
  };

/** A commit whose connection breaks before it arrives, and that lands after the next look at the log. */
const delayed = (store: LogStore): LogStore => {
  let late: CommitBatch | null = null;
  let landed = false;
  const landAfter = async <T>(looking: Promise<T>): Promise<T> => {
    const seen = await looking;
    const batch = late;
    late = null;
    if (batch) landed = (await store.commit(batch)) === 'committed';
    return seen;
  };
  let tries = 0;
  return {
    ...boundTo(store),
    commit: (batch) => {
      tries++;
      if (tries === 1) return Promise.reject(new Error('the connection was reset'));
      if (landed) return store.commit(batch);
      // What a store says while an earlier try of the same commit is still being written.
      late = batch;
      return Promise.resolve('lost');
    },
    read: (after, limit, options) => landAfter(store.read(after, limit, options)),
    readByIds: (ids) => landAfter(store.readByIds(ids)),
    outcomes: (keys) => landAfter(store.outcomes(keys)),
  };
};

/** The store's methods, so that an object that stands before it can override some. */
const boundTo = (store: LogStore): LogStore => ({
  epoch: store.epoch,
  leases: store.leases,
  checkpoints: store.checkpoints,
  plans: store.plans,
  fence: () => store.fence(),
  commit: (batch) => store.commit(batch),
  read: (after, limit, options) => store.read(after, limit, options),
  readByIds: (ids) => store.readByIds(ids),
  outcomes: (keys) => store.outcomes(keys),
  onAppend: (listener) => store.onAppend(listener),
  close: () => store.close(),
});

const RACER = resolve('test/dist/contracts/event-log-racer.js');

async function race(orders: RaceOrders): Promise<RaceResult> {
  const child = fork(RACER, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: [] });
  child.send(orders);
  const [result] = (await once(child, 'message')) as [RaceResult];
  await once(child, 'exit');
  return result;
}
