import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { topics as topicsUnder, topicSpecs } from '@token-status/contracts';
import type { EventRecord, RecordedEvent } from '@token-status/contracts';
import { createInProcessEventBus } from '@token-status/event-bus';
import type { DurableSource, EventBus, Publisher } from '@token-status/event-bus';
import { TokenHistory, tokenOf } from '../../../test/contracts/token-history.js';
import { until } from '../../../test/contracts/until.js';
import { Projector } from './projector.js';
import type { ProjectorAlarm, ProjectorOptions } from './projector.js';
import { openSqliteReadModel } from './sqlite/sqlite-read-model.js';
import type { TokenStatusRepository } from './token-status-repository.js';

/** As standalone has it: one process, one partition, SQLite. What both buses share is in the int spec. */
describe('the projector on the in-process bus and SQLite', () => {
  const topics = topicsUnder('spec');
  const running: Projector[] = [];
  let folder: string;
  let history: TokenHistory;
  let sent: EventRecord[];
  let bus: EventBus;
  let publisher: Publisher;
  let repository: TokenStatusRepository;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'projector-'));
    history = new TokenHistory();
    sent = [];
    const source: DurableSource = {
      id: history.epoch,
      read: (from, limit) =>
        Promise.resolve(
          sent
            .slice(Number(from), Number(from) + limit)
            .map((record, i) => ({ offset: from + BigInt(i), record })),
        ),
      end: () => Promise.resolve(BigInt(sent.length)),
    };
    bus = createInProcessEventBus({ durable: { [topics.events]: source } });
    await bus.ensureTopics(topicSpecs(topics, 1));
    publisher = await bus.publisher();
    repository = await openSqliteReadModel({ file: join(folder, 'read-model.db') });
  });

  afterEach(async () => {
    await Promise.all(running.splice(0).map((projector) => projector.close()));
    await bus.close();
    await repository.close();
    rmSync(folder, { recursive: true });
  });

  const start = (
    change: Partial<ProjectorOptions> = {},
  ): { projector: Projector; alarms: ProjectorAlarm[] } => {
    const alarms: ProjectorAlarm[] = [];
    const projector = new Projector({
      bus,
      topics,
      eventPartitions: 1,
      group: 'spec',
      openRepository: () => Promise.resolve(repository),
      openSealed: (_, sealed) => Promise.resolve({ text: sealed }),
      observer: { alarm: (alarm) => void alarms.push(alarm) },
      ...change,
    });
    running.push(projector);
    projector.start();
    return { projector, alarms };
  };
  const send = async (...events: readonly RecordedEvent[]): Promise<void> => {
    const records = events.map((event) => history.record(event));
    sent.push(...records);
    await publisher.publish(topics.events, records);
  };
  const complete = (): Promise<void> =>
    until(async () => {
      const heartbeat = {
        epoch: history.epoch,
        at: new Date().toISOString(),
        position: sent.length,
        offsets: { 0: String(sent.length) },
        echoes: [],
      };
      await publisher.publish(topics.heartbeats, [
        { key: null, headers: {}, value: JSON.stringify(heartbeat) },
      ]);
      return (await repository.position()) === sent.length;
    });
  /** The bus, except that the first subscription to a topic gets nothing and says nothing, as was seen of Kafka's. */
  const stallingAt = (topic: string): EventBus => {
    let stalls = 1;
    return {
      ...bus,
      subscribe: (options) =>
        options.topic === topic && stalls-- > 0
          ? bus.subscribe({
              ...options,
              onBatch: ({ signal }) =>
                new Promise((_, reject) =>
                  signal.addEventListener('abort', () => reject(new Error('closed'))),
                ),
            })
          : bus.subscribe(options),
    };
  };

  it('follows, and goes on where it was after a restart', async () => {
    const added = history.add('u-1', 'name');
    const first = start();
    await send(added, added, history.disable(tokenOf(added)));
    await until(async () => (await repository.get(tokenOf(added)))?.version === 2);
    await first.projector.close();
    await send(history.enable(tokenOf(added)));
    const second = start();
    await until(async () => (await repository.get(tokenOf(added)))?.version === 3);
    expect((await repository.checkpoints()).get(0)?.nextOffset).toBe(4n);
    expect(second.alarms).toEqual([]);
  });

  it.each([
    ['events', /no batch comes/],
    ['heartbeats', /newer heartbeats/],
  ] as const)('makes its subscriptions anew when the one to the %s stalls', async (which, why) => {
    const { alarms, projector } = start({ bus: stallingAt(topics[which]), stallMs: 100 });
    const added = history.add();
    await send(added);
    await complete();
    expect(await repository.get(tokenOf(added))).toMatchObject({ version: 1 });
    expect(alarms).toContainEqual({ kind: 'stalled', why: expect.stringMatching(why) });
    await until(async () => {
      await complete();
      return projector.readiness().ok;
    });
  });

  it('halts when its consumer has joined again and the topic is another one by then', async () => {
    let id = 'the first';
    let joinAgain: () => void = () => undefined;
    const { projector } = start({
      bus: {
        ...bus,
        topicId: () => Promise.resolve(id),
        subscribe: (options) => {
          if (options.topic === topics.events) joinAgain = () => options.onAssigned?.([0]);
          return bus.subscribe(options);
        },
      },
    });
    const [before, after] = [history.add(), history.add()];
    await send(before);
    await complete();
    id = 'the second';
    joinAgain();
    await send(after);
    await until(() => !projector.readiness().ok);
    expect(projector.readiness()).toMatchObject({ why: expect.stringMatching(/the second/) });
    expect(await repository.get(tokenOf(after))).toBeNull();
  });

  it('is ready again after its consumer crashed and came back, though no event comes', async () => {
    const { projector } = start({
      bus: {
        ...bus,
        subscribe: (options) => {
          options.onFault?.(new Error('the coordinator is loading'), false);
          return bus.subscribe(options);
        },
      },
    });
    await until(async () => {
      await complete();
      return projector.readiness().ok;
    });
  });

  it('is not ready while no heartbeat comes, though nothing stalls', async () => {
    let now = 1000;
    const { alarms, projector } = start({ now: () => now, stallMs: 1000 });
    await until(() => {
      const readiness = projector.readiness();
      return !readiness.ok && readiness.why === 'no heartbeat came yet';
    });
    await complete();
    await until(() => projector.readiness().ok);
    now += 1001;
    expect(projector.readiness()).toMatchObject({ ok: false });
    await until(async () => {
      await complete();
      return projector.readiness().ok;
    });
    expect(alarms).toEqual([]);
  });
});
