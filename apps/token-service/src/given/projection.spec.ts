import { upcast } from '@token-status/contracts';
import type { EventLog } from '@token-status/event-log';
import type { PersonalData } from '@token-status/personal-data';
import { newRow, projectToken, sealedTexts, withTexts } from '@token-status/read-model';
import type { TokenRow, TokenStatusRepository } from '@token-status/read-model';

/**
 * What relay, Kafka and projector do in several processes, in one call: the log's events since the last
 * one, folded into the real read model, complete up to the log's head.
 */
export async function projectionOf(
  log: EventLog,
  repository: TokenStatusRepository,
  personalData: PersonalData,
): Promise<() => Promise<void>> {
  await repository.settle('partitions', '1');
  let position = 0;
  return async () => {
    const rows = new Map<string, TokenRow>();
    const from = position;
    for await (const recorded of log.read(position)) {
      const { id, type, schemaVersion, data, traceparent } = recorded;
      const event = upcast(type, schemaVersion, data);
      const loaded =
        rows.get(event.tokenId) ??
        (await repository.load([event.tokenId])).get(event.tokenId) ??
        newRow(event.tokenId);
      const published = { id, epoch: log.epoch, position: recorded.position, traceparent, event };
      const projected = projectToken(loaded, published);
      if (projected.kind !== 'applied') throw new Error(`not applied: ${projected.kind}`);
      rows.set(event.tokenId, projected.row);
      position = recorded.position;
    }
    const opened = await Promise.all(
      [...rows.values()].map(async (row) => {
        const { name, note } = sealedTexts(row.token);
        const open = (text: string | null): Promise<string | null> | null =>
          text === null ? null : personalData.open(row.token?.userId ?? '', text);
        return withTexts(row, { name: await open(name), note: await open(note) });
      }),
    );
    await repository.apply({
      partition: 0,
      from: from === 0 ? null : BigInt(from),
      nextOffset: BigInt(position),
      heartbeatPosition: position,
      rows: opened,
      parked: [],
    });
  };
}
