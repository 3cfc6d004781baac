import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { topics } from '@token-status/contracts';
import { BusThatMisbehaves, RelayOfTheTest, until } from './given-bus.spec.js';
import { bearer, eventRecord, token, wireEvent } from './given.spec.js';
import type { Alarm } from './intake.js';
import { loadSnapshot } from './snapshot.js';
import { createTokenGuard } from './token-guard.js';
import type { TokenGuard, TokenGuardOptions } from './token-guard.js';

const names = topics('test');
const a = token('a');
const b = token('b');
const open: { close(): Promise<void> }[] = [];
const folders: string[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

const history = (): ReturnType<typeof eventRecord>[] => [
  eventRecord(wireEvent(a, 'TokenAdded', 1), 1),
  eventRecord(wireEvent(b, 'TokenAdded', 1), 2),
  eventRecord(wireEvent(b, 'TokenDisabled', 2), 3),
];

async function given() {
  const folder = mkdtempSync(join(tmpdir(), 'snapshot-'));
  folders.push(folder);
  const file = join(folder, 'table');
  const bus = new BusThatMisbehaves();
  const relay = new RelayOfTheTest(bus, names);
  await relay.start();
  open.push(relay);
  const alarms: Alarm[] = [];
  const codes = (): string[] => alarms.map(({ code }) => code);
  const start = (options: Partial<TokenGuardOptions> = {}): TokenGuard => {
    const guard = createTokenGuard({
      bus,
      topics: names,
      gatewayId: 'gw-1',
      probeEveryMs: 10,
      random: () => 0,
      onAlarm: (alarm) => alarms.push(alarm),
      snapshot: { file },
      ...options,
    });
    open.push(guard);
    return guard;
  };
  /** A guard that has read so much and was closed. */
  const ran = async (upTo = 3, options: Partial<TokenGuardOptions> = {}): Promise<void> => {
    const guard = start(options);
    await guard.ready();
    await until('the history is read', () => guard.state().watermark === upTo);
    await guard.close();
  };
  return { bus, relay, file, alarms, codes, start, ran };
}

const outcome = (guard: TokenGuard, secret: string): string =>
  guard.check({ authorization: bearer(secret) }).outcome;

describe('the token guard with a snapshot', () => {
  it('starts from what it knew when it was closed, and reads on from there', async () => {
    const { relay, start, ran, codes } = await given();
    await relay.publish(history(), 3);
    await ran();
    await relay.publish([eventRecord(wireEvent(a, 'TokenDisabled', 2), 4)], 4);
    const guard = start();
    await guard.ready();
    await until('the rest is read', () => guard.state().watermark === 4);
    // Of the history only what came since.
    expect(guard.state().events).toEqual({
      applied: 1,
      repeated: 0,
      parked: 0,
      rejected: 0,
      unverified: 0,
    });
    expect(guard.state().snapshot).toMatchObject({ start: 'loaded' });
    expect(outcome(guard, a.secret)).toBe('disabled');
    expect(outcome(guard, b.secret)).toBe('disabled');
    expect(codes()).toEqual([]);
  });

  it('passes nobody from a snapshot before it is proven that nothing is missing', async () => {
    const { relay, start, ran } = await given();
    await relay.publish(history(), 3);
    await ran();
    relay.pause();
    const guard = start();
    await until('it is loaded', () => guard.state().snapshot?.start === 'loaded');
    expect(guard.state().tokens.active).toBe(1);
    expect(outcome(guard, a.secret)).toBe('unavailable');
    relay.beat();
    await guard.ready();
    expect(outcome(guard, a.secret)).toBe('pass');
  });

  it('still denies a token that was parked', async () => {
    const { relay, start, ran } = await given();
    const unreadable = { ...eventRecord(wireEvent(a, 'TokenRenamed', 2), 4), value: '{' };
    await relay.publish([...history(), unreadable], 4);
    await ran(4);
    const guard = start();
    await guard.ready();
    expect(guard.check({ authorization: bearer(a.secret) }).finding).toBe('parked');
    expect(guard.state().parkedTokens).toMatchObject([{ tokenId: a.tokenId }]);
  });

  it('saves now and then while it runs, so that a crash costs little', async () => {
    const { relay, start, file } = await given();
    await relay.publish(history(), 3);
    const guard = start({ snapshot: { file, everyMs: 5 } });
    const saved = async (watermark: number): Promise<boolean> => {
      const expected = { topic: names.events, epoch: null };
      const loaded = await loadSnapshot(file, expected);
      return loaded.kind === 'loaded' && loaded.readTo.watermark.value === watermark;
    };
    await guard.ready();
    await until('it is saved', () => saved(3));
    await relay.publish([eventRecord(wireEvent(a, 'TokenDisabled', 2), 4)], 4);
    await until('it is saved again', () => saved(4));
    expect(guard.state().snapshot).toMatchObject({ savedBytes: readFileSync(file).length });
  });

  it('reads everything where the snapshot is damaged, and tells so', async () => {
    const { relay, start, ran, codes, alarms, file } = await given();
    await relay.publish(history(), 3);
    await ran();
    const spoiled = readFileSync(file);
    spoiled[spoiled.length - 40] = (spoiled[spoiled.length - 40] ?? 0) ^ 1;
    writeFileSync(file, spoiled);
    const guard = start();
    await guard.ready();
    expect(codes()).toEqual(['snapshot-refused']);
    expect(alarms[0]?.message).toMatch(/checksum/);
    expect(guard.state()).toMatchObject({ events: { applied: 3 }, snapshot: { start: 'refused' } });
    expect(outcome(guard, a.secret)).toBe('pass');
    await guard.close();
    await ran();
    expect(codes()).toEqual(['snapshot-refused']);
  });

  it('reads everything where the snapshot is of another log than the one configured', async () => {
    const { relay, start, ran, codes, file } = await given();
    await relay.publish(history(), 3);
    await ran();
    const text = readFileSync(file, 'latin1').replace('e'.repeat(32), 'd'.repeat(32));
    writeFileSync(file, text, 'latin1');
    const guard = start({ epoch: 'e'.repeat(32) });
    await guard.ready();
    expect(codes()).toEqual(['snapshot-refused']);
    expect(guard.state().events.applied).toBe(3);
  });

  it('reads everything where the topic is another one under the same name', async () => {
    const { bus, relay, start, ran, codes } = await given();
    await relay.publish(history(), 3);
    await ran();
    bus.replace(names.events);
    await relay.publish(history().slice(0, 1), 1);
    const guard = start();
    await guard.ready();
    expect(codes()).toEqual(['history-replaced']);
    expect(guard.state().tokens).toEqual({ active: 1, disabled: 0, revoked: 0, parked: 0 });
  });

  it('reads everything where the topic ends before the place that the snapshot is from', async () => {
    const { bus, relay, start, ran, codes } = await given();
    await relay.publish(history(), 3);
    await ran();
    const { id } = bus;
    bus.replace(names.events);
    bus.id = id;
    await relay.publish(history().slice(0, 1), 1);
    const guard = start();
    await until('the alarm', () => codes().includes('history-replaced'));
    await guard.ready();
    expect(codes()).toEqual(['history-replaced']);
    expect(guard.state().tokens).toEqual({ active: 1, disabled: 0, revoked: 0, parked: 0 });
  });

  it('saves nothing once it has read what it can’t trust itself after: a restart comes upon that again', async () => {
    const { relay, start, ran, codes, file } = await given();
    await relay.publish(history(), 3);
    await ran();
    const before = readFileSync(file);
    await relay.publish([{ ...eventRecord(wireEvent(a, 'TokenDisabled', 2), 4), key: null }], 4);
    const guard = start();
    await until('it is stale', () => codes().includes('event-without-token'));
    await guard.close();
    expect(readFileSync(file).equals(before)).toBe(true);
    const again = start();
    await until('it is stale again', () => again.state().state === 'stale');
  });

  it('tells when it can’t save, and goes on', async () => {
    const { relay, start, codes, file } = await given();
    await relay.publish(history(), 3);
    const guard = start({ snapshot: { file: join(file, 'in', 'no', 'folder') } });
    await guard.ready();
    expect(outcome(guard, a.secret)).toBe('pass');
    await guard.close();
    expect(codes()).toEqual(['snapshot-not-saved']);
  });

  it('closes while it is loading', async () => {
    const { relay, start, ran, file } = await given();
    await relay.publish(history(), 3);
    await ran();
    const before = readFileSync(file);
    await start().close();
    expect(readFileSync(file).equals(before)).toBe(true);
  });
});
