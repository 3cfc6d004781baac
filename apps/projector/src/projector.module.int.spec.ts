import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { topics as topicsUnder } from '@token-status/contracts';
import { createKafkaEventBus } from '@token-status/event-bus';
import type { EventBus } from '@token-status/event-bus';
import { openSqlitePersonalData } from '@token-status/personal-data';
import type { PersonalData } from '@token-status/personal-data';
import { createApp, createLogger, startMetrics } from '@token-status/platform';
import type { App } from '@token-status/platform';
import { openSqliteReadModel } from '@token-status/read-model';
import type { TokenStatusRepository } from '@token-status/read-model';
import { TokenHistory, tokenOf } from '../../../test/contracts/token-history.js';
import { eventually, until } from '../../../test/contracts/until.js';
import { ProjectorModule } from './projector.module.js';

/** The module on Kafka and two SQLite files; the adapters have their own suites. */
describe('the projector as an app', () => {
  const prefix = `projector-app-${randomUUID().slice(0, 8)}`;
  const topics = topicsUnder(prefix);
  const history = new TokenHistory();
  const lines: string[] = [];
  let folder: string;
  let bus: EventBus;
  let repository: TokenStatusRepository;
  let personalData: PersonalData;
  let app: App;
  let url: string;

  const get = async (path: string): Promise<{ status: number; body: string }> => {
    const answer = await fetch(url + path);
    return { status: answer.status, body: await answer.text() };
  };
  const beat = async (position: number): Promise<void> => {
    const publisher = await bus.publisher();
    const ends = await bus.ends(topics.events);
    const offsets = Object.fromEntries([...ends].map(([p, end]) => [String(p), String(end)]));
    const value = { epoch: history.epoch, at: new Date().toISOString(), position, offsets };
    await publisher.publish(topics.heartbeats, [
      { key: null, headers: {}, value: JSON.stringify({ ...value, echoes: [] }) },
    ]);
    await publisher.close();
  };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'projector-'));
    bus = createKafkaEventBus({
      brokers: (process.env.KAFKA_BROKERS ?? '').split(','),
      clientId: prefix,
    });
    repository = await openSqliteReadModel({ file: join(folder, 'read-model.db') });
    personalData = await openSqlitePersonalData({
      file: join(folder, 'keys.db'),
      masterKey: randomBytes(32),
    });
    const logger = createLogger({
      name: 'projector',
      level: 'info',
      destination: { write: (line) => void lines.push(line) },
    });
    const metrics = startMetrics({ service: 'projector', version: 'spec' });
    app = await createApp(
      ProjectorModule.register({
        bus,
        topics,
        eventPartitions: 2,
        group: prefix,
        openRepository: () => Promise.resolve(repository),
        openPersonalData: () => Promise.resolve(personalData),
        logger,
        metrics,
      }),
      { logger, metrics, callers: 'none' },
    );
    ({ url } = await app.listen({ port: 0 }));
  });

  afterEach(async () => {
    await app.close();
    await bus.close();
    await repository.close();
    await personalData.close();
    rmSync(folder, { recursive: true });
  });

  it('is ready once heartbeats come, shows what it does, and stops in order', async () => {
    expect((await get('/livez')).status).toBe(200);
    expect((await get('/readyz')).status).toBe(503);

    const added = history.add('u-1', await personalData.seal('u-1', 'build agent'));
    const sealed = String(added.data.name);
    const [foreign, gap] = [history.add('u-2', sealed), history.add('u-1', sealed)];
    history.disable(tokenOf(gap));
    await bus.ensureTopics([{ name: topics.events, partitions: 2, retention: 'for-ever' }]);
    const publisher = await bus.publisher();
    await publisher.publish(
      topics.events,
      [added, added, foreign, gap, history.enable(tokenOf(gap))].map((e) => history.record(e)),
    );
    await bus.ensureTopics([
      { name: topics.heartbeats, partitions: 1, retention: { ms: 600_000 } },
    ]);
    await until(async () => {
      await beat(5);
      return (await get('/readyz')).status === 200 && (await repository.position()) === 5;
    });
    expect(await repository.get(tokenOf(added))).toMatchObject({ name: 'build agent' });
    expect(await repository.get(tokenOf(foreign))).toMatchObject({ name: null });
    await eventually(async () => {
      const { body } = await get('/metrics');
      expect(body).toMatch(/^projector_events_total\{outcome="applied"\} 3$/m);
      expect(body).toMatch(/^projector_events_total\{outcome="repeated"\} 1$/m);
      expect(body).toMatch(/^projector_events_total\{outcome="parked"\} 1$/m);
      expect(body).toMatch(/^projector_alarms_total\{kind="parked"\} 1$/m);
      expect(body).toMatch(/^projector_alarms_total\{kind="text-unreadable"\} 1$/m);
      expect(body).toMatch(/^projector_lag_positions 0$/m);
      expect(body).toMatch(/^projector_parked 1$/m);
      expect(body).toMatch(/^projector_batch_seconds_count /m);
    });
    const log = lines.join('');
    expect(log).toContain(tokenOf(gap));
    expect(log).not.toContain('build agent');
    expect(log).not.toContain(sealed);

    await app.close();
    // Closed means that it has let go: what comes now is for its successor.
    await publisher.publish(topics.events, [history.record(history.disable(tokenOf(added)))]);
    expect(await repository.get(tokenOf(added))).toMatchObject({ version: 1 });
  });
});
