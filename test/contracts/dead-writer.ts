import { randomBytes } from 'node:crypto';
import { canonicalEvent, chainHash, openMongoLogStore } from '@token-status/event-log';
import type { LogStore } from '@token-status/event-log';
import { ClientSession } from 'mongodb';

/**
 * A writer that stops for good between its inserts and its commit, and says so to its parent, which
 * kills it: the driver's commit is kept from being sent, everything else is as it always is.
 */
async function die(store: LogStore): Promise<void> {
  ClientSession.prototype.commitTransaction = () => {
    process.send?.('inserted');
    return new Promise(() => undefined);
  };
  let head = await store.fence();
  const events = Array.from({ length: 2 }, () => {
    const event = {
      position: head.position + 1,
      id: randomBytes(16).toString('hex'),
      type: 'SeatTaken',
      schemaVersion: 1,
      tags: ['seat:dead'],
      data: { seat: 'dead', holder: 'nobody' },
      traceparent: null,
    };
    head = { position: event.position, hash: chainHash(head.hash, canonicalEvent(event)) };
    return { ...event, hash: head.hash };
  });
  await store.commit({ events, outcomes: [] });
}

const [uri = '', database = ''] = process.argv.slice(2);
await die(await openMongoLogStore({ uri, database }));
