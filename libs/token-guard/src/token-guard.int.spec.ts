import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { newSecret, topicSpecs, topics } from '@token-status/contracts';
import { createKafkaEventBus } from '@token-status/event-bus';
import type { EventBus } from '@token-status/event-bus';
import { RelayOfTheTest, until } from './given-bus.spec.js';
import { basic, bearer, eventRecord, token, wireEvent } from './given.spec.js';
import type { Alarm } from './intake.js';
import { createTokenGuard } from './token-guard.js';
import type { TokenGuard, TokenGuardOptions } from './token-guard.js';

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
}, 60_000);

function kafka(clientId: string): EventBus {
  const bus = createKafkaEventBus({ brokers: process.env.KAFKA_BROKERS!.split(','), clientId });
  open.push(bus);
  return bus;
}

/** Topics of its own, a relay on them, and a way to start guards with clocks that can be moved. */
async function given() {
  const names = topics(`test-${randomBytes(6).toString('hex')}`);
  const specs = topicSpecs(names, 3);
  const bus = kafka('relay');
  await bus.ensureTopics(specs);
  const relay = new RelayOfTheTest(bus, names);
  await relay.start(50);
  open.push(relay);
  let passed = 0;
  const pass = (ms: number): void => {
    passed += ms;
    relay.ahead += ms;
  };
  const start = (gatewayId: string, options: Partial<TokenGuardOptions> = {}) => {
    const alarms: Alarm[] = [];
    const guard = createTokenGuard({
      bus: kafka(gatewayId),
      topics: names,
      ensureTopics: specs,
      gatewayId,
      probeEveryMs: 50,
      // A busy machine is no silent consumer.
      silentAfterMs: 15_000,
      clocks: {
        monotonic: () => performance.now() + passed,
        wall: () => Date.now() + passed,
      },
      onAlarm: (alarm) => alarms.push(alarm),
      ...options,
    });
    open.push(guard);
    return { guard, alarms };
  };
  return { names, relay, pass, start };
}

const outcome = (guard: TokenGuard, authorization?: string): string =>
  guard.check({ authorization }).outcome;
const became = (guard: TokenGuard, state: string): Promise<void> =>
  until(`the guard is ${state}`, () => guard.freshness().state === state);

describe('the token guard on Kafka', () => {
  it('reads the history of all partitions and then follows', async () => {
    const { relay, start } = await given();
    const tokens = Array.from({ length: 50 }, (_, i) => token(`t${i}`));
    const added = tokens.map((each, i) => eventRecord(wireEvent(each, 'TokenAdded', 1), i + 1));
    await relay.publish(added, 50);
    const { guard, alarms } = start('gw-1');
    expect(outcome(guard, bearer(tokens[0]!.secret))).toBe('unavailable');
    await guard.ready();
    for (const { secret, userName } of tokens) {
      expect(outcome(guard, bearer(secret))).toBe('pass');
      expect(outcome(guard, basic(userName, secret))).toBe('pass');
    }
    expect(outcome(guard, bearer(newSecret()))).toBe('stranger');

    const [first] = tokens;
    await relay.publish([eventRecord(wireEvent(first!, 'TokenDisabled', 2), 51)], 51);
    await until('it is refused', () => outcome(guard, bearer(first!.secret)) === 'disabled');
    await relay.publish([eventRecord(wireEvent(first!, 'TokenEnabled', 3), 52)], 52);
    await until('it passes again', () => outcome(guard, bearer(first!.secret)) === 'pass');
    expect(guard.state()).toMatchObject({ watermark: 52, alarms: 0, rebuilds: 0 });
    expect(alarms).toEqual([]);
  }, 60_000);

  it('starts from its snapshot and reads on from there, in all partitions', async () => {
    const { relay, start } = await given();
    const folder = mkdtempSync(join(tmpdir(), 'snapshot-'));
    open.push({
      close: () => {
        rmSync(folder, { recursive: true });
        return Promise.resolve();
      },
    });
    const snapshot = { file: join(folder, 'table') };
    const tokens = Array.from({ length: 50 }, (_, i) => token(`t${i}`));
    const added = tokens.map((each, i) => eventRecord(wireEvent(each, 'TokenAdded', 1), i + 1));
    await relay.publish(added, 50);
    const first = start('gw-1', { snapshot }).guard;
    await first.ready();
    await first.close();
    const disabled = tokens.map((each, i) =>
      eventRecord(wireEvent(each, 'TokenDisabled', 2), i + 51),
    );
    await relay.publish(disabled, 100);
    const { guard, alarms } = start('gw-1', { snapshot });
    await guard.ready();
    for (const { secret } of tokens) expect(outcome(guard, bearer(secret))).toBe('disabled');
    expect(guard.state()).toMatchObject({
      watermark: 100,
      events: { applied: 50, repeated: 0 },
      snapshot: { start: 'loaded' },
    });
    expect(alarms).toEqual([]);
  }, 60_000);

  it('keeps several guards fresh with one relay', async () => {
    const { relay, start } = await given();
    const a = token('a');
    await relay.publish([eventRecord(wireEvent(a, 'TokenAdded', 1), 1)], 1);
    const guards = ['gw-1', 'gw-2', 'gw-3'].map((id) => start(id).guard);
    await Promise.all(guards.map((guard) => guard.ready()));
    await relay.publish([eventRecord(wireEvent(a, 'TokenDisabled', 2), 2)], 2);
    for (const guard of guards) {
      await until('it is refused', () => outcome(guard, bearer(a.secret)) === 'disabled');
    }
  }, 60_000);

  it('passes nobody once heartbeats have stopped for longer than the bound, and recovers', async () => {
    const { relay, start, pass } = await given();
    const a = token('a');
    await relay.publish([eventRecord(wireEvent(a, 'TokenAdded', 1), 1)], 1);
    const { guard } = start('gw-1');
    await guard.ready();
    relay.pause();
    pass(5001);
    expect(outcome(guard, bearer(a.secret))).toBe('unavailable');
    relay.beat(50);
    await became(guard, 'fresh');
    expect(outcome(guard, bearer(a.secret))).toBe('pass');
  }, 60_000);

  it('stays unproven while its watermark is behind what heartbeats say', async () => {
    const { relay, start, pass } = await given();
    const a = token('a');
    await relay.publish([eventRecord(wireEvent(a, 'TokenAdded', 1), 1)], 2);
    const { guard } = start('gw-1');
    await until('heartbeats came', () => guard.state().headPosition === 2);
    await until('the history is read', () => guard.state().watermark === 1);
    pass(1000);
    await until(
      'only the history is missing',
      () => guard.state().why === 'the history is being read',
    );
    expect(guard.state().state).toBe('starting');
    await relay.publish([eventRecord(wireEvent(a, 'TokenRenamed', 2), 2)], 2);
    await guard.ready();
  }, 60_000);

  it('goes stale when its probes are not echoed, though heartbeats come', async () => {
    const { relay, start, pass } = await given();
    const { guard } = start('gw-1');
    await guard.ready();
    relay.echoing = false;
    relay.position = 1;
    await until('a heartbeat without echoes came', () => guard.state().headPosition === 1);
    await relay.publish([eventRecord(wireEvent(token('a'), 'TokenAdded', 1), 1)], 1);
    pass(5001);
    await until('the event came', () => guard.state().watermark === 1);
    expect(guard.freshness().state).toBe('stale');
  }, 60_000);

  it('goes stale for good at an event of another log', async () => {
    const { relay, start } = await given();
    const { guard, alarms } = start('gw-1');
    await guard.ready();
    const foreign = eventRecord(wireEvent(token('a'), 'TokenAdded', 1), 1, 'f'.repeat(32));
    await relay.publish([foreign], 0);
    await became(guard, 'stale');
    expect(alarms).toMatchObject([{ code: 'foreign-epoch' }]);
  }, 60_000);

  it('changes nothing when the relay repeats itself after a crash', async () => {
    const { relay, start } = await given();
    const a = token('a');
    const history = [
      eventRecord(wireEvent(a, 'TokenAdded', 1), 1),
      eventRecord(wireEvent(a, 'TokenDisabled', 2), 2),
      eventRecord(wireEvent(a, 'TokenEnabled', 3), 3),
    ];
    await relay.publish(history, 3);
    await relay.publish(history.slice(1, 2), 3);
    const { guard, alarms } = start('gw-1');
    await guard.ready();
    await until('all was read', () => guard.state().events.repeated === 1);
    expect(outcome(guard, bearer(a.secret))).toBe('pass');
    expect(alarms).toEqual([]);
  }, 60_000);
});
