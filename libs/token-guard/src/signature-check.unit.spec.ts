import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { signEvent, topics, verificationKeyOf } from '@token-status/contracts';
import type { SigningKey } from '@token-status/contracts';
import { BusThatMisbehaves, RelayOfTheTest, until } from './given-bus.spec.js';
import { EPOCH, bearer, eventRecord, givenEd25519, token, wireEvent } from './given.spec.js';
import type { Alarm } from './intake.js';
import { mayKeep } from './signature-check.js';
import { createTokenGuard } from './token-guard.js';
import type { TokenGuard, TokenGuardOptions } from './token-guard.js';

const hmac = (keyid: string): SigningKey => ({
  keyid,
  algorithm: 'HS256',
  key: createSecretKey(randomBytes(32)),
});
const names = topics('test');
const a = token('a');
const b = token('b');
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

const added = eventRecord(wireEvent(a, 'TokenAdded', 1), 1);
const otherAdded = eventRecord(wireEvent(b, 'TokenAdded', 1), 2);
const disabled = eventRecord(wireEvent(a, 'TokenDisabled', 2), 3);
const enabled = eventRecord(wireEvent(a, 'TokenEnabled', 3), 4);

/** A relay that signs, and a bus to which somebody else may write too. */
async function given(signingKey: SigningKey | null) {
  const bus = new BusThatMisbehaves();
  const relay = new RelayOfTheTest(bus, names);
  relay.signingKey = signingKey;
  await relay.start();
  open.push(relay);
  const alarms: Alarm[] = [];
  const codes = (): string[] => alarms.map(({ code }) => code);
  const start = (
    keys: readonly SigningKey[] | null,
    options: Partial<TokenGuardOptions> = {},
  ): TokenGuard => {
    const guard = createTokenGuard({
      bus,
      topics: names,
      gatewayId: 'gw-1',
      probeEveryMs: 10,
      random: () => 0,
      onAlarm: (alarm) => alarms.push(alarm),
      verificationKeys: keys?.map(verificationKeyOf) ?? null,
      ...options,
    });
    open.push(guard);
    return guard;
  };
  return { bus, relay, alarms, codes, start };
}

const outcome = (guard: TokenGuard, of = a): string =>
  guard.check({ authorization: bearer(of.secret) }).outcome;
const reached = (guard: TokenGuard, watermark: number): Promise<void> =>
  until(`the watermark is ${watermark}`, () => guard.state().watermark === watermark);

describe.each([
  ['Ed25519', givenEd25519('relay-1')],
  ['HMAC-SHA-256', hmac('relay-1')],
])('a guard with keys, of a relay that signs by %s', (_, key) => {
  it('believes what is signed, and alarms nobody', async () => {
    const { relay, start, codes } = await given(key);
    await relay.publish([added, otherAdded, disabled], 3);
    const guard = start([hmac('another'), key]);
    await guard.ready();
    await reached(guard, 3);
    expect([outcome(guard), outcome(guard, b)]).toEqual(['disabled', 'pass']);
    await relay.publish([enabled], 4);
    await until('it passes', () => outcome(guard) === 'pass');
    expect(guard.state().verificationKeyIds).toEqual(['another', 'relay-1']);
    expect(codes()).toEqual([]);
  });

  it('passes no token by a forged enable, be it unsigned, by a key of its own, or a changed copy', async () => {
    const { relay, start, codes, bus } = await given(key);
    await relay.publish([added, otherAdded, disabled], 3);
    const guard = start([key]);
    await guard.ready();
    await reached(guard, 3);
    const copied = signEvent(disabled, names.events, key);
    await relay.forge('events', [
      enabled,
      signEvent(enabled, names.events, hmac('mine')),
      signEvent(enabled, names.events, hmac('relay-1')),
      { ...copied, headers: { ...copied.headers, ce_type: 'TokenEnabled' } },
    ]);
    await until('all is read', () => guard.state().events.unverified === 4);
    expect(guard.check({ authorization: bearer(a.secret) }).finding).toBe('parked');
    expect(outcome(guard, b)).toBe('pass');
    expect(codes()).toEqual(Array(4).fill('event-unverified'));
    // It goes on, and is complete by what is genuine alone.
    await relay.publish([eventRecord(wireEvent(b, 'TokenDisabled', 2), 4)], 4);
    await until('it is refused', () => outcome(guard, b) === 'disabled');
    expect(bus.subscribed.filter((topic) => topic === names.events)).toHaveLength(1);
  });

  it('is not told that it is complete by who can sign nothing', async () => {
    const { relay, start, codes } = await given(key);
    await relay.publish([added], 1);
    const guard = start([key]);
    await guard.ready();
    relay.signingKey = null;
    relay.position = 7;
    await until('a heartbeat was refused', () => codes().includes('heartbeat-unverified'));
    expect(guard.state().headPosition).toBe(1);
    expect(codes()).toEqual(['heartbeat-unverified']);
  });

  it('passes nobody where an event of the relay is missing, though a forged one has its position', async () => {
    const { relay, start } = await given(key);
    await relay.publish([added, otherAdded], 2);
    const guard = start([key], { maxStalenessMs: 300 });
    await guard.ready();
    await reached(guard, 2);
    await relay.forge('events', [eventRecord(wireEvent(b, 'TokenRenamed', 2), 3)]);
    // The disable at 3 was kept from the topic.
    relay.position = 3;
    await until('it is stale', () => guard.freshness().state === 'stale');
    expect(guard.state()).toMatchObject({ watermark: 2, headPosition: 3 });
    expect(outcome(guard)).toBe('unavailable');
  });

  it('adopts the log of what is signed, whatever else comes first', async () => {
    const { relay, start, codes } = await given(key);
    await relay.forge('events', [
      eventRecord(wireEvent(b, 'TokenDisabled', 2), 1, 'f'.repeat(32)),
      { key: null, headers: {}, value: 'nothing at all' },
    ]);
    await relay.publish([added], 1);
    const guard = start([key]);
    await guard.ready();
    expect(guard.state().epoch).toBe(EPOCH);
    expect(outcome(guard)).toBe('pass');
    expect(codes()).toEqual(['event-unverified', 'event-unverified']);
  });

  it('is changed by nothing that is signed and comes again', async () => {
    const { relay, start, codes } = await given(key);
    const all = [added, otherAdded, disabled, enabled];
    await relay.publish([...all, eventRecord(wireEvent(a, 'TokenDisabled', 4), 5)], 5);
    const guard = start([key]);
    await guard.ready();
    await relay.forge(
      'events',
      all.toReversed().map((each) => signEvent(each, names.events, key)),
    );
    await until('all is read', () => guard.state().events.repeated === 4);
    expect(outcome(guard)).toBe('disabled');
    expect(codes()).toEqual([]);
  });
});

describe('other keys, set while the guard runs', () => {
  const first = givenEd25519('relay-1');
  const second = hmac('relay-2');

  it('are taken without a pause where they come before the relay signs by them', async () => {
    const { relay, start, codes } = await given(first);
    await relay.publish([added, otherAdded], 2);
    const guard = start([first]);
    await guard.ready();
    await reached(guard, 2);
    guard.configure({ verificationKeys: [first, second].map(verificationKeyOf) });
    expect(outcome(guard)).toBe('pass');
    relay.signingKey = second;
    await relay.publish([disabled], 3);
    await until('it is refused', () => outcome(guard) === 'disabled');
    expect(codes()).toEqual([]);
  });

  it('bring back what was kept out for want of them: the history is read again', async () => {
    const { relay, start, codes } = await given(first);
    await relay.publish([added, otherAdded], 2);
    const guard = start([first]);
    await guard.ready();
    await reached(guard, 2);
    relay.signingKey = second;
    await relay.publish([disabled, enabled], 4);
    await until('it was kept out', () => guard.state().events.unverified === 2);
    expect(outcome(guard)).not.toBe('pass');
    guard.configure({ verificationKeys: [first, second].map(verificationKeyOf) });
    expect(outcome(guard)).toBe('unavailable');
    await until('it passes', () => outcome(guard) === 'pass');
    expect(guard.state()).toMatchObject({ watermark: 4, tokens: { active: 2, parked: 0 } });
    expect(codes()).toContain('history-replaced');
  });

  it('keep out from now on what was signed by a key that is not among them', async () => {
    const { relay, start } = await given(first);
    await relay.publish([added], 1);
    const guard = start([first, second]);
    await guard.ready();
    await reached(guard, 1);
    guard.configure({ verificationKeys: [verificationKeyOf(second)] });
    expect(outcome(guard)).toBe('unavailable');
    await until('it is read again', () => guard.state().events.unverified === 1);
    expect(guard.state().tokens).toMatchObject({ active: 0 });
  });

  it('do not trust a table that was built without any, nor the log that it adopted', async () => {
    const { relay, start } = await given(first);
    await relay.publish([added, otherAdded, disabled], 3);
    await relay.forge('events', [enabled]);
    const guard = start(null);
    await guard.ready();
    await until('it believes the forged one', () => outcome(guard) === 'pass');
    guard.configure({ verificationKeys: [verificationKeyOf(first)] });
    expect([outcome(guard), guard.state().epoch]).toEqual(['unavailable', null]);
    await until('it is proven', () => guard.freshness().state === 'fresh');
    await reached(guard, 3);
    expect(guard.check({ authorization: bearer(a.secret) }).finding).toBe('parked');
    expect(outcome(guard, b)).toBe('pass');
  });

  it('are those of its creation where none are named, and none where that is said, which is an alarm', async () => {
    const { relay, start, codes } = await given(first);
    await relay.publish([added], 1);
    const guard = start([first]);
    await guard.ready();
    await reached(guard, 1);
    guard.configure({ failureLimits: { burst: 1, perMinute: 1 } });
    expect(guard.state().verificationKeyIds).toEqual(['relay-1']);
    guard.configure({ verificationKeys: [verificationKeyOf(first)] });
    expect(codes()).toEqual([]);
    guard.configure({ verificationKeys: null });
    expect(guard.state().verificationKeyIds).toBeNull();
    expect([outcome(guard), ...codes()]).toEqual(['pass', 'verification-off']);
    guard.configure({ verificationKeys: [] });
    expect(outcome(guard)).toBe('unavailable');
    await until('nothing is believed', () => guard.state().events.unverified === 1);
  });

  it('are set before anything is read without an alarm, nor a second subscription', async () => {
    const { bus, relay, start, codes } = await given(first);
    await relay.publish([added], 1);
    const guard = start(null);
    guard.configure({ verificationKeys: [verificationKeyOf(first)] });
    await guard.ready();
    expect([outcome(guard), ...codes()]).toEqual(['pass']);
    expect(bus.subscribed.filter((topic) => topic === names.events)).toHaveLength(1);
  });
});

describe('a snapshot', () => {
  const first = hmac('relay-1');
  const second = hmac('relay-2');
  const folders: string[] = [];
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  });

  /** What became of the snapshot of a guard with some keys, at the start of one with others. */
  async function startWith(
    before: readonly SigningKey[] | null,
    after: readonly SigningKey[] | null,
    forged = false,
  ): Promise<{ guard: TokenGuard; codes: string[] }> {
    const folder = mkdtempSync(join(tmpdir(), 'snapshot-'));
    folders.push(folder);
    const snapshot = { file: join(folder, 'table') };
    const { relay, start, codes } = await given(first);
    await relay.publish([added, otherAdded], 2);
    if (forged) await relay.forge('events', [disabled]);
    const saving = start(before, { snapshot });
    await saving.ready();
    await until('all is read', () => saving.state().offsets.get(0) === (forged ? 3n : 2n));
    await saving.close();
    const told = codes().length;
    const guard = start(after, { snapshot });
    await until('it has looked', () => (guard.state().snapshot?.start ?? 'loading') !== 'loading');
    return { guard, codes: codes().slice(told) };
  }

  it.each([
    ['none', null, null],
    ['one', [first], [first]],
    ['two, in another order', [first, second], [second, first]],
    ['one, and now two', [first], [first, second]],
    ['one, and now none', [first], null],
  ])('is used where the keys were %s', async (_, before, after) => {
    const { guard, codes } = await startWith(before, after);
    expect([guard.state().snapshot?.start, ...codes]).toEqual(['loaded']);
    await guard.ready();
    expect(outcome(guard)).toBe('pass');
  });

  it.each([
    ['none, and now one', null, [first]],
    ['two, and now one', [first, second], [first]],
    ['two, and now none of them', [first, second], []],
  ])('is refused, and the history read, where the keys were %s', async (_, before, after) => {
    const { guard, codes } = await startWith(before, after);
    expect(guard.state().snapshot?.start).toBe('refused');
    expect(codes).toContain('snapshot-refused');
    await until('the history is read', () => guard.state().offsets.get(0) === 2n);
  });

  it('keeps what was denied by what did not verify for the same keys, and for no others', async () => {
    const same = await startWith([first], [first], true);
    await same.guard.ready();
    expect(outcome(same.guard)).toBe('disabled');
    expect(same.guard.state().snapshot?.start).toBe('loaded');
    // That it is not all verified is still known.
    same.guard.configure({ verificationKeys: [first, second].map(verificationKeyOf) });
    expect(outcome(same.guard)).toBe('unavailable');
    for (const after of [[first, second], null]) {
      const { guard } = await startWith([first], after, true);
      expect(guard.state().snapshot?.start).toBe('refused');
    }
  });
});

describe('what was read', () => {
  it.each([
    [null, 0, null, true],
    [null, 0, ['a'], false],
    [null, 0, [], false],
    [['a'], 0, ['a'], true],
    [['a'], 0, ['a', 'b'], true],
    [['a', 'b'], 0, ['a'], false],
    [['a'], 0, ['b'], false],
    [['a'], 0, null, true],
    [['a'], 0, [], false],
    [[], 0, ['a'], true],
    [['a'], 1, ['a'], true],
    [['a'], 1, ['a', 'b'], false],
    [['a'], 1, null, false],
    [[], 1, null, false],
  ])(
    'by the keys %j, of which %i did not verify, is kept under %j: %s',
    (verifiedBy, unverified, keys, kept) => {
      expect(mayKeep({ verifiedBy, unverified }, keys)).toBe(kept);
    },
  );
});
