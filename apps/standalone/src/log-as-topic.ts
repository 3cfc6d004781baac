import { toEventRecord } from '@token-status/contracts';
import type { DurableSource } from '@token-status/event-bus';
import type { EventLog } from '@token-status/event-log';

/**
 * The event log as the events topic of the in-process bus, which so keeps no second copy: position p is
 * at offset p − 1 of the one partition.
 */
export const logAsTopic = (log: EventLog): DurableSource => ({
  id: log.epoch,
  async read(from, limit) {
    const after = Number(from);
    const records: { offset: bigint; record: ReturnType<typeof toEventRecord> }[] = [];
    for await (const event of log.read(after, { upTo: after + limit })) {
      records.push({ offset: BigInt(event.position - 1), record: toEventRecord(event, log.epoch) });
    }
    return records;
  },
  async end() {
    return BigInt((await log.fence()).position);
  },
});
