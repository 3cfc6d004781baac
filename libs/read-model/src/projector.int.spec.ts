import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { topics as topicsUnder, topicSpecs } from '@token-status/contracts';
import type { EventRecord, RecordedEvent } from '@token-status/contracts';
import { createKafkaEventBus } from '@token-status/event-bus';
import type { EventBus, Publisher } from '@token-status/event-bus';
import { TokenHistory, tokenOf } from '../../../test/contracts/token-history.js';
import { eventually, until } from '../../../test/contracts/until.js';
import { openMongoReadModel } from './mongo/mongo-read-model.js';
import { Projector } from './projector.js';
import type { ProjectorAlarm, ProjectorOptions } from './projector.js';
import { PROJECTOR_STEPS } from './steps.js';
import type { ProjectorStep } from './steps.js';
import type { TokenStatusRepository } from './token-status-repository.js';
import { dropDatabases } from '../../../test/servers/drop-databases.js';

const uri = process.env.MONGODB_URI ?? '';
const PARTITIONS = 4;

/** One projector, and what it told. */
interface Watched {
  readonly projector: Projector;
  readonly alarms: ProjectorAlarm[];
  readonly counts: { applied: number; repeated: number; parked: number };
}

describe('the projector on Kafka and MongoDB', () => {
  const run = randomUUID().slice(0, 8);
  const databases: string[] = [];
  const running: Projector[] = [];
  const repositories: TokenStatusRepository[] = [];
  let bus: EventBus;
  let publisher: Publisher;
  let n = 0;
  let topics: ReturnType<typeof topicsUnder>;
  let database: string;
  let history: TokenHistory;
  /** The highest position that was sent: the log's head, as far as the relay has come. */
  let head: number;
  let repository: TokenStatusRepository;

  const openRepository = async (
    onStep?: (step: ProjectorStep) => void,
  ): Promise<TokenStatusRepository> => {
    const opened = await openMongoReadModel({ uri, database, ...(onStep ? { onStep } : {}) });
    repositories.push(opened);
    return opened;
  };

  const start = (change: Partial<ProjectorOptions> = {}): Watched => {
    const alarms: ProjectorAlarm[] = [];
    const counts = { applied: 0, repeated: 0, parked: 0 };
    const projector = new Projector({
      bus,
      topics,
      eventPartitions: PARTITIONS,
      group: `${topics.events}.projector`,
      openRepository: () => openRepository(change.onStep),
      openSealed: (userId, sealed) => Promise.resolve({ text: `${userId} ${sealed}` }),
      observer: {
        alarm: (alarm) => void alarms.push(alarm),
        batch: ({ applied, repeated, parked }) => {
          counts.applied += applied;
          counts.repeated += repeated;
          counts.parked += parked;
        },
      },
      ...change,
    });
    running.push(projector);
    projector.start();
    return { projector, alarms, counts };
  };

  const send = async (...events: readonly RecordedEvent[]): Promise<void> => {
    await sendRecords(...events.map((event) => history.record(event)));
  };
  const sendRecords = async (...records: readonly EventRecord[]): Promise<void> => {
    await publisher.publish(topics.events, records);
    head = Math.max(head, ...records.map(({ headers }) => Number(headers.ce_position ?? 0)));
  };
  const beat = async (change: Record<string, unknown> = {}): Promise<void> => {
    const offsets = await bus.ends(topics.events);
    const heartbeat = {
      epoch: history.epoch,
      at: new Date().toISOString(),
      position: head,
      offsets: Object.fromEntries([...offsets].map(([p, offset]) => [String(p), String(offset)])),
      echoes: [],
      ...change,
    };
    await publisher.publish(topics.heartbeats, [
      { key: null, headers: {}, value: JSON.stringify(heartbeat) },
    ]);
  };
  /**
   * Beats as the relay does until the read model is complete. That shows a moment before the projector
   * has heard that its commit got through: what it tells of itself is waited for.
   */
  const complete = async (): Promise<void> => {
    await until(async () => {
      await beat();
      return (await repository.position()) === head;
    });
  };
  const halted = async ({ projector }: Watched): Promise<string> => {
    let why = '';
    await until(() => {
      const readiness = projector.readiness();
      why = readiness.ok ? '' : readiness.why;
      return why.startsWith('halted');
    });
    return why;
  };
  /** Thirty tokens over all partitions, with what happened to them, in log order. */
  const aBusyDay = (): RecordedEvent[] => {
    const tokens = Array.from({ length: 30 }, (_, i) => history.add(`u-${i % 7}`));
    const changes = [0, 1, 2].flatMap((round) =>
      tokens.map((token, i) =>
        (i + round) % 3 === 0
          ? history.rename(tokenOf(token), `v1.${round}`)
          : history.disable(tokenOf(token)),
      ),
    );
    return [...tokens, ...changes];
  };
  const expectAllOf = async (events: readonly RecordedEvent[]): Promise<void> => {
    const newest = new Map(events.map((event) => [tokenOf(event), event]));
    const rows = await repository.load([...newest.keys()]);
    for (const [id, event] of newest) {
      const row = rows.get(id);
      expect([row?.token?.version, row?.position, row?.eventId, row?.parked]).toEqual([
        event.data.tokenVersion,
        event.position,
        event.id,
        false,
      ]);
    }
  };

  beforeAll(async () => {
    bus = createKafkaEventBus({
      brokers: (process.env.KAFKA_BROKERS ?? '').split(','),
      clientId: 'projector-spec',
    });
    publisher = await bus.publisher();
  });

  beforeEach(async () => {
    n++;
    topics = topicsUnder(`projector-${run}-${n}`);
    database = `projector-${run}-${n}`;
    databases.push(database);
    history = new TokenHistory();
    head = 0;
    await bus.ensureTopics(topicSpecs(topics, PARTITIONS));
    repository = await openRepository();
  });

  afterEach(async () => {
    await Promise.all(running.splice(0).map((projector) => projector.close()));
    await Promise.all(repositories.splice(0).map((opened) => opened.close()));
  });

  afterAll(async () => {
    await bus.close();
    await dropDatabases(uri, ...databases);
  });

  it('shows tokens as their events say, texts opened, and how far it is complete', async () => {
    const added = history.add('u-1', 'v1.name');
    const id = tokenOf(added);
    const { projector, counts } = start();
    await send(added, history.disable(id, 'v1.note'));
    await complete();
    expect(await repository.get(id)).toMatchObject({
      id,
      name: 'u-1 v1.name',
      userId: 'u-1',
      accountId: 'acme',
      disabled: { note: 'u-1 v1.note', reason: 'rotation', authority: 'owner' },
      revoked: false,
      version: 2,
      position: 2,
    });
    await eventually(() => {
      expect(counts).toEqual({ applied: 2, repeated: 0, parked: 0 });
      expect(projector.readiness()).toEqual({ ok: true });
      expect(projector.state()).toMatchObject({
        epoch: history.epoch,
        partitions: [0, 1, 2, 3],
        position: 2,
        head: 2,
        lagPositions: 0,
        lagMs: 0,
        parked: 0,
      });
    });
  });

  it('is complete on an empty log, too', async () => {
    const { projector } = start();
    await until(async () => {
      await beat();
      return projector.readiness().ok;
    });
    expect(await repository.position()).toBe(0);
    await eventually(() => {
      expect(projector.state()).toMatchObject({ position: 0, head: 0, lagPositions: 0 });
    });
  });

  it('claims no position whose records have not come', async () => {
    const { projector } = start();
    await send(history.add());
    await complete();
    const ends = await bus.ends(topics.events);
    const ahead = [...ends].map(([p, offset]) => [String(p), String(offset + 1n)]);
    await beat({ position: 7, offsets: Object.fromEntries(ahead) });
    await eventually(() => {
      expect(projector.state()).toMatchObject({ position: 1, head: 7, lagPositions: 6 });
      expect(projector.state().lagMs).toBeGreaterThan(0);
    });
    await beat({ position: 7, offsets: {} });
    expect(await repository.position()).toBe(1);
  });

  it('ignores repeats, also those that a stale relay sends out of order', async () => {
    const events = aBusyDay();
    const { counts } = start();
    await send(...events.slice(0, 60));
    await send(...events.slice(20, 60));
    await send(...events.slice(60));
    await send(...events.slice(10, 90));
    await complete();
    await expectAllOf(events);
    await eventually(() => {
      expect(counts).toEqual({ applied: events.length, repeated: 120, parked: 0 });
    });
  });

  it('parks a token at a gap, with what follows, while everything else goes on', async () => {
    const [added, other] = [history.add(), history.add()];
    const id = tokenOf(added);
    history.disable(id); // Never sent.
    const late = [history.enable(id), history.rename(id, 'v1.x')];
    const { alarms } = start();
    await send(added, other, ...late, history.disable(tokenOf(other)));
    await complete();
    expect(await repository.get(id)).toMatchObject({ version: 1, disabled: null, parked: true });
    expect(await repository.get(tokenOf(other))).toMatchObject({ version: 2 });
    expect((await repository.parked()).map(({ why, record }) => [why, record])).toEqual([
      ['gap', history.record(late[0]!)],
      ['behind-parked', history.record(late[1]!)],
    ]);
    await eventually(() => {
      expect(alarms.map(({ kind }) => kind)).toEqual(['parked', 'parked']);
    });
  });

  it('parks a token whose event can’t be read, and one whose version comes under another id', async () => {
    const [unreadable, twice, fine] = [history.add(), history.add(), history.add()];
    const { projector } = start();
    await send(twice);
    await sendRecords(
      { ...history.record(unreadable), value: 'no JSON' },
      history.record({ ...twice, id: 'a'.repeat(32) }),
    );
    await send(fine);
    await complete();
    const parked = await repository.parked();
    expect(parked.map(({ tokenId, why }) => `${tokenId} ${why}`).sort()).toEqual(
      [`${tokenOf(unreadable)} unreadable`, `${tokenOf(twice)} contradiction`].sort(),
    );
    expect(await repository.get(tokenOf(unreadable))).toBeNull();
    expect(await repository.get(tokenOf(twice))).toMatchObject({ version: 1, parked: true });
    expect(await repository.get(tokenOf(fine))).not.toHaveProperty('parked');
    await eventually(() => {
      expect(projector.state().parked).toBe(2);
      expect(projector.readiness()).toEqual({ ok: true });
    });
  });

  it('goes on from the stored offset after a restart', async () => {
    const events = aBusyDay();
    const first = start();
    await send(...events.slice(0, 50));
    await complete();
    // Closing waits for the batch in hand.
    await first.projector.close();
    await send(...events.slice(50));
    const second = start();
    await complete();
    await expectAllOf(events);
    expect(first.counts).toEqual({ applied: 50, repeated: 0, parked: 0 });
    await eventually(() => {
      expect(second.counts).toEqual({ applied: events.length - 50, repeated: 0, parked: 0 });
    });
  });

  it('divides the partitions among the projectors of a group, and hands them over without a gap', async () => {
    const events = aBusyDay();
    const [first, second] = [start(), start()];
    const held = (): number[][] => [first, second].map((p) => [...p.projector.state().partitions]);
    await eventually(() => {
      expect(held().map((partitions) => partitions.length)).toEqual([2, 2]);
      expect(held().flat().sort()).toEqual([0, 1, 2, 3]);
    });
    await send(...events.slice(0, 60));
    await complete();
    await Promise.all([first.projector.close(), send(...events.slice(60))]);
    await until(() => second.projector.state().partitions.length === PARTITIONS);
    await complete();
    await expectAllOf(events);
    await eventually(() => {
      expect(first.counts.applied + second.counts.applied).toBe(events.length);
    });
    expect(first.counts.repeated + second.counts.repeated).toBe(0);
  });

  it('loses and doubles nothing when it breaks off between any two of its steps', async () => {
    const events = aBusyDay();
    const broken = new Set<string>();
    const onStep = (step: ProjectorStep): void => {
      if (broken.has(step)) return;
      broken.add(step);
      throw new Error(`broken off at ${step}`);
    };
    const { counts } = start({ onStep });
    for (let i = 0; i < events.length; i += 40) {
      await send(...events.slice(i, i + 40));
      await beat();
    }
    await complete();
    await eventually(() => expect([...broken].sort()).toEqual([...PROJECTOR_STEPS].sort()));
    await expectAllOf(events);
    expect(counts.repeated + counts.parked).toBe(0);
  });

  it('counts nothing twice when a commit got through and its answer did not', async () => {
    const events = aBusyDay();
    let lost = 0;
    const { counts } = start({
      openRepository: async () => {
        const opened = await openRepository();
        const apply = opened.apply.bind(opened);
        opened.apply = async (step) => {
          const outcome = await apply(step);
          if (lost++ < 3) throw new Error('the answer was lost');
          return outcome;
        };
        return opened;
      },
    });
    await send(...events);
    await complete();
    await expectAllOf(events);
    expect(lost).toBeGreaterThan(3);
    expect(counts.repeated + counts.parked).toBe(0);
  });

  it('keeps trying while a database is away, not ready meanwhile', async () => {
    let tries = 0;
    let keysAway = true;
    const faults: unknown[] = [];
    const { projector } = start({
      openRepository: () =>
        tries++ < 3 ? Promise.reject(new TypeError('away')) : openRepository(),
      openSealed: () =>
        keysAway ? Promise.reject(new RangeError('away')) : Promise.resolve({ text: 'name' }),
      observer: { fault: (fault) => void faults.push(fault) },
    });
    expect(projector.readiness().ok).toBe(false);
    await until(() => tries > 3);
    const added = history.add();
    await send(added);
    await until(() => {
      const readiness = projector.readiness();
      return !readiness.ok && readiness.why === 'events: RangeError';
    });
    await beat();
    expect(await repository.position()).toBe(0);
    keysAway = false;
    await complete();
    expect(await repository.get(tokenOf(added))).toMatchObject({ name: 'name' });
    await eventually(() => expect(projector.readiness()).toEqual({ ok: true }));
    expect(faults.length).toBeGreaterThanOrEqual(4);
  });

  it('ends at once while what it needs is away', async () => {
    const never = new Promise<never>(() => undefined);
    const { projector } = start({ openRepository: () => never });
    await projector.close();
    expect(projector.readiness().ok).toBe(false);
  });

  it('shows no name of a forgotten user, nor one that does not open', async () => {
    const [forgotten, foreign] = [history.add('u-1', 'v1.x'), history.add('u-2', 'v1.y')];
    const { alarms } = start({
      openSealed: (userId) => Promise.resolve(userId === 'u-1' ? { text: null } : 'unreadable'),
    });
    await send(forgotten, foreign);
    await complete();
    for (const event of [forgotten, foreign]) {
      expect(await repository.get(tokenOf(event))).toMatchObject({ name: null, version: 1 });
    }
    await eventually(() => {
      expect(alarms).toEqual([{ kind: 'text-unreadable', tokenId: tokenOf(foreign) }]);
    });
  });

  describe('stops for good, and says so,', () => {
    it('at an event without a token id, having stored what came before it', async () => {
      const [before, after] = [history.add(), history.add()];
      const bad = { ...history.record(before), headers: { ce_id: 'x' } };
      const first = start();
      // All of one partition.
      await sendRecords(history.record(before), bad, { ...history.record(after), key: bad.key });
      expect(await halted(first)).toMatch(/no valid token id/);
      expect(first.alarms).toMatchObject([{ kind: 'halted' }]);
      expect(await repository.get(tokenOf(before))).toMatchObject({ version: 1 });
      expect(await repository.get(tokenOf(after))).toBeNull();
      await first.projector.close();
      const second = start();
      expect(await halted(second)).toMatch(/no valid token id/);
      expect(second.counts).toEqual({ applied: 0, repeated: 0, parked: 0 });
    });

    it('at an event of another epoch', async () => {
      const watched = start();
      await send(history.add());
      await complete();
      const other = new TokenHistory();
      const foreign = other.add();
      await sendRecords(other.record(foreign));
      expect(await halted(watched)).toContain(`epoch ${other.epoch}`);
      expect(await repository.get(tokenOf(foreign))).toBeNull();
    });

    it('at a heartbeat of another epoch', async () => {
      const watched = start();
      await send(history.add());
      await complete();
      await beat({ epoch: 'f'.repeat(32), position: 99 });
      expect(await halted(watched)).toContain(`epoch ${'f'.repeat(32)}`);
      expect(await repository.position()).toBe(1);
    });

    it('where the topic is another one than the read model was built from', async () => {
      await repository.settle('topic', 'another');
      expect(await halted(start())).toMatch(/built from topic another/);
    });

    it('where the topic has other partitions than the read model was built from', async () => {
      await repository.settle('partitions', '12');
      expect(await halted(start())).toMatch(/built from partitions 12/);
    });

    it('where the topic ends before the stored offset', async () => {
      await repository.apply({
        partition: 2,
        from: null,
        nextOffset: 1000n,
        heartbeatPosition: 0,
        rows: [],
        parked: [],
      });
      expect(await halted(start())).toContain('1000');
    });
  });
});
