import { randomUUID } from 'node:crypto';
import type { BusRecord, Offsets, TopicSpec } from '../event-bus.js';
import { partitionOfKey } from '../partition-of-key.js';
import type { DurableSource, PartitionLog } from './partition-log.js';
import { DurableLog, MemoryLog } from './partition-log.js';

export interface Topic {
  readonly id: string;
  readonly partitions: readonly PartitionLog[];
  /** Counts the publishes. Read it before reading, to wait for what comes after. */
  readonly version: number;
  /** Resolves when something was published since that version, or when the signal is aborted. */
  changedSince(version: number, signal: AbortSignal): Promise<void>;
  publish(records: readonly BusRecord[]): Promise<Offsets>;
}

export function durableTopic(name: string, source: DurableSource): Topic {
  const log = new DurableLog(name, source);
  let turn: Promise<unknown> = Promise.resolve();
  return withWakeUp(source.id, [log], async (records) => {
    const found = turn.then(() => log.find(records));
    turn = found.catch(() => undefined);
    return new Map([[0, await found]]);
  });
}

export function memoryTopic(
  { name, partitions }: TopicSpec,
  keep: { readonly ms: number; readonly records: number },
): Topic {
  const logs = Array.from({ length: partitions }, (_, at) => new MemoryLog(name, at, keep));
  let turn = 0;
  return withWakeUp(randomUUID(), logs, (records) => {
    const offsets = new Map<number, bigint>();
    for (const record of records) {
      const partition =
        record.key === null ? turn++ % partitions : partitionOfKey(record.key, partitions);
      const log = logs[partition];
      if (log !== undefined) offsets.set(partition, log.append(record));
    }
    return Promise.resolve(offsets);
  });
}

function withWakeUp(
  id: string,
  partitions: readonly PartitionLog[],
  store: (records: readonly BusRecord[]) => Promise<Offsets>,
): Topic {
  const waiting = new Set<() => void>();
  let version = 0;
  return {
    id,
    partitions,
    get version() {
      return version;
    },
    async changedSince(seen, signal) {
      if (version !== seen || signal.aborted) return;
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        waiting.add(wake);
        signal.addEventListener('abort', wake);
      });
    },
    async publish(records) {
      const offsets = await store(records);
      version++;
      for (const wake of waiting) wake();
      return offsets;
    },
  };
}
