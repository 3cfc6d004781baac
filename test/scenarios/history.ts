import { expect } from '@jest/globals';
import { fromEventRecord, upcast } from '@token-status/contracts';
import type { RecordedEvent } from '@token-status/contracts';
import { evolve, noTokens, statusOf } from '@token-status/domain';
import type { Tokens } from '@token-status/domain';
import { createKafkaEventBus } from '@token-status/event-bus';
import {
  canonicalEvent,
  chainHash,
  genesisHash,
  openEventLog,
  openMongoLogStore,
} from '@token-status/event-log';
import { openMongoReadModel } from '@token-status/read-model';
import { until } from '../contracts/until.js';

export interface Where {
  readonly mongodbUri: string;
  readonly kafkaBrokers: string;
  readonly logDatabase: string;
  readonly readModelDatabase: string;
  readonly eventsTopic: string;
}

/**
 * Nothing lost, doubled or out of order, anywhere: the log is whole and chained; Kafka holds every event
 * of it, each token's in order, and nothing else; the read model is what the log folds to.
 *
 * @returns the log's fold.
 */
export async function expectOneHistory(where: Where): Promise<Tokens> {
  const log = openEventLog(
    await openMongoLogStore({ uri: where.mongodbUri, database: where.logDatabase }),
  );
  try {
    const events: RecordedEvent[] = [];
    for await (const event of log.read(0)) events.push(event);
    let hash = genesisHash(log.epoch);
    events.forEach((event, index) => {
      expect(event.position).toBe(index + 1);
      hash = chainHash(hash, canonicalEvent(event));
      expect(event.hash).toBe(hash);
    });
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
    const tokens = events.reduce(
      (state, { type, schemaVersion, data }) => evolve(state, upcast(type, schemaVersion, data)),
      noTokens,
    );
    await expectPublished(where, log.epoch, events);
    await expectReadModel(where, tokens);
    return tokens;
  } finally {
    await log.close();
  }
}

async function expectPublished(
  { kafkaBrokers, eventsTopic }: Where,
  epoch: string,
  events: readonly RecordedEvent[],
): Promise<void> {
  const bus = createKafkaEventBus({ brokers: kafkaBrokers.split(','), clientId: 'history-check' });
  try {
    const published: ReturnType<typeof fromEventRecord>[] = [];
    const ends = await bus.ends(eventsTopic);
    const subscription = await bus.subscribe({
      topic: eventsTopic,
      mode: { kind: 'every' },
      startAt: () => Promise.resolve('earliest'),
      onBatch: ({ records }) =>
        Promise.resolve(void published.push(...records.map(fromEventRecord))),
    });
    await until(() => {
      const positions = subscription.positions();
      return [...ends].every(([partition, end]) => (positions.get(partition) ?? -1n) >= end);
    });
    const byId = new Map(published.map((event) => [event.id, event]));
    // A repeat is the same event again, and comes after its first time in its token's order.
    const firstTimes = new Map<string, number[]>();
    const seen = new Set<string>();
    for (const { id, event } of published) {
      if (seen.has(id)) continue;
      seen.add(id);
      firstTimes.set(event.tokenId, [...(firstTimes.get(event.tokenId) ?? []), event.tokenVersion]);
    }
    for (const versions of firstTimes.values()) {
      expect(versions).toEqual(versions.map((_, n) => n + 1));
    }
    expect(byId.size).toBe(events.length);
    for (const { id, position, type, data } of events) {
      expect(byId.get(id)).toMatchObject({ epoch, position, event: { ...data, type } });
    }
  } finally {
    await bus.close();
  }
}

async function expectReadModel(
  { mongodbUri, readModelDatabase }: Where,
  tokens: Tokens,
): Promise<void> {
  const reads = await openMongoReadModel({ uri: mongodbUri, database: readModelDatabase });
  try {
    for (const token of tokens.values()) {
      await until(
        async () => (await reads.get(token.id))?.version === token.version,
        20_000,
        `the read model having version ${token.version} of ${token.id}`,
      );
      const view = await reads.get(token.id);
      expect({ disabled: view?.disabled !== null, revoked: view?.revoked }).toEqual({
        disabled: token.disabled !== null,
        revoked: token.revoked,
      });
      expect(statusOf(token, new Date().toISOString())).not.toBe('expired');
    }
  } finally {
    await reads.close();
  }
}
