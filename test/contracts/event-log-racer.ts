import {
  commandIdOf,
  openEventLog,
  openMongoLogStore,
  openSqliteLogStore,
} from '@token-status/event-log';
import type { LogStore } from '@token-status/event-log';
import { count, take } from './seats.js';

/**
 * One process of a race: `callers` at once each try for every seat, count on a shared tally, and ask
 * for one seat under a key that all processes share. What came of it goes to the parent.
 */
export type RaceOn =
  | { readonly kind: 'mongo'; readonly uri: string; readonly database: string }
  | { readonly kind: 'sqlite'; readonly file: string };

export interface RaceOrders {
  readonly on: RaceOn;
  readonly racer: string;
  readonly callers: number;
  readonly seats: number;
}

export interface RaceResult {
  readonly racer: string;
  readonly won: readonly string[];
  readonly refused: number;
  readonly counted: number;
  readonly keyed: readonly { readonly position: number; readonly ids: readonly string[] }[];
  readonly faults: readonly string[];
}

export const openStore = (on: RaceOn): Promise<LogStore> | LogStore =>
  on.kind === 'mongo' ? openMongoLogStore(on) : openSqliteLogStore(on);

async function race({ on, racer, callers, seats }: RaceOrders): Promise<RaceResult> {
  const log = openEventLog(await openStore(on), { timeoutMs: 60_000 });
  const won: string[] = [];
  const faults: string[] = [];
  const keyed: { position: number; ids: string[] }[] = [];
  let refused = 0;
  let counted = 0;
  const caller = async (n: number): Promise<void> => {
    for (let i = 0; i < seats; i++) {
      const seat = String((i + n) % seats);
      const taken = await take(log, seat, `${racer}/${n}`);
      if (taken.kind === 'recorded') won.push(seat);
      else refused++;
      if ((await count(log, 'shared')).kind === 'recorded') counted++;
    }
    const key = { caller: 'everybody', key: `key-${n}`, fingerprint: 'same' };
    const once = await take(log, `keyed-${n}`, 'everybody', { key, commandId: commandIdOf(key) });
    if (once.kind === 'recorded') {
      keyed.push({ position: once.position, ids: once.events.map((event) => event.id) });
    } else {
      faults.push(`a keyed command came to ${once.kind}`);
    }
  };
  await Promise.all(
    Array.from({ length: callers }, (_, n) =>
      caller(n).catch((fault: unknown) => faults.push(String(fault))),
    ),
  );
  await log.close();
  return { racer, won, refused, counted, keyed, faults };
}

if (process.send) {
  process.once('message', (orders: RaceOrders) => {
    void race(orders).then((result) => process.send?.(result, () => process.disconnect()));
  });
}
