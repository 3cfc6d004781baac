import { afterEach, describe, expect, it } from '@jest/globals';
import { newSecret, topicSpecs, topics } from '@token-status/contracts';
import { OffsetOutOfRange, createInProcessEventBus } from '@token-status/event-bus';
import type { EventBus } from '@token-status/event-bus';
import { BusThatMisbehaves, RelayOfTheTest, until } from './given-bus.spec.js';
import { basic, bearer, eventRecord, token, wireEvent } from './given.spec.js';
import type { Alarm } from './intake.js';
import { createTokenGuard } from './token-guard.js';
import type { TokenGuardOptions } from './token-guard.js';

const names = topics('test');
const a = token('a');
const b = token('b');
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

/** A relay and a guard on one bus; both clocks of the guard can be moved. */
async function given<B extends EventBus = BusThatMisbehaves>(
  options: Partial<TokenGuardOptions> = {},
  bus: B = new BusThatMisbehaves() as unknown as B,
) {
  const relay = new RelayOfTheTest(bus, names);
  await relay.start();
  let passed = 0;
  /** Lets time pass on every clock there is. */
  const pass = (ms: number): void => {
    passed += ms;
    relay.ahead += ms;
  };
  const alarms: Alarm[] = [];
  const guard = createTokenGuard({
    bus,
    topics: names,
    gatewayId: 'gw-1',
    probeEveryMs: 10,
    clocks: {
      monotonic: () => performance.now() + passed,
      wall: () => Date.now() + passed,
    },
    random: () => 0,
    onAlarm: (alarm) => alarms.push(alarm),
    ...options,
  });
  open.push(relay, guard);
  const outcome = (authorization?: string): string => guard.check({ authorization }).outcome;
  const became = (state: string): Promise<void> =>
    until(`the guard is ${state}`, () => guard.freshness().state === state);
  const codes = (): string[] => alarms.map(({ code }) => code);
  return { bus, relay, guard, pass, alarms, codes, outcome, became };
}

const history = (): ReturnType<typeof eventRecord>[] => [
  eventRecord(wireEvent(a, 'TokenAdded', 1), 1),
  eventRecord(wireEvent(b, 'TokenAdded', 1), 2),
  eventRecord(wireEvent(b, 'TokenDisabled', 2), 3),
];

describe('the token guard', () => {
  it('passes nobody before it is complete, and then whom it should', async () => {
    const bus = new BusThatMisbehaves();
    const { guard, relay, outcome } = await given({}, bus);
    expect(outcome(bearer(a.secret))).toBe('unavailable');
    await relay.publish(history(), 3);
    await guard.ready();
    await until('the history is read', () => guard.state().watermark === 3);
    expect(outcome(bearer(a.secret))).toBe('pass');
    expect(outcome(basic(a.userName, a.secret))).toBe('pass');
    expect(outcome(bearer(b.secret))).toBe('disabled');
    expect(outcome(basic(b.userName, b.secret))).toBe('disabled');
    expect(outcome(basic(a.userName, b.secret))).toBe('stranger');
    expect(outcome(bearer(newSecret()))).toBe('stranger');
    expect(outcome()).toBe('challenge');
    expect(guard.state()).toMatchObject({
      state: 'fresh',
      why: null,
      watermark: 3,
      headPosition: 3,
      tokens: { active: 1, disabled: 1, revoked: 0, parked: 0 },
      alarms: 0,
      rebuilds: 0,
    });
  });

  it('refuses a token from the event that disables it until the event that enables it', async () => {
    const { guard, relay, outcome } = await given();
    const told: string[] = [];
    await guard.ready();
    guard.on('disabled', (id) => told.push(`disabled ${id}`));
    guard.on('enabled', (id) => told.push(`enabled ${id}`));
    guard.on('revoked', (id) => told.push(`revoked ${id}`));
    await relay.publish(history().slice(0, 1), 1);
    await until('the token passes', () => outcome(bearer(a.secret)) === 'pass');
    await relay.publish([eventRecord(wireEvent(a, 'TokenDisabled', 2), 2)], 2);
    await until('it is refused', () => outcome(bearer(a.secret)) === 'disabled');
    await relay.publish([eventRecord(wireEvent(a, 'TokenEnabled', 3), 3)], 3);
    await until('it passes again', () => outcome(bearer(a.secret)) === 'pass');
    await relay.publish([eventRecord(wireEvent(a, 'TokenRevoked', 4), 4)], 4);
    await until('it is refused for ever', () => outcome(bearer(a.secret)) === 'stranger');
    expect(told).toEqual(['disabled', 'enabled', 'revoked'].map((what) => `${what} ${a.tokenId}`));
  });

  it('passes nobody once heartbeats have stopped for longer than the bound', async () => {
    const { guard, relay, pass, outcome, became } = await given();
    const told: string[] = [];
    guard.on('stale', () => told.push('stale')).on('fresh', () => told.push('fresh'));
    await relay.publish(history(), 3);
    await guard.ready();
    await until('the token passes', () => outcome(bearer(a.secret)) === 'pass');
    relay.pause();
    pass(1000);
    expect(outcome(bearer(a.secret))).toBe('pass');
    pass(4001);
    expect(outcome(bearer(a.secret))).toBe('unavailable');
    expect(guard.state().why).toMatch(/older than the bound/);
    expect(outcome()).toBe('unavailable');
    relay.beat();
    await became('fresh');
    await until('it was told', () => told.length === 3);
    expect(told).toEqual(['fresh', 'stale', 'fresh']);
  });

  it('passes nobody while its watermark is behind what heartbeats say', async () => {
    const { guard, relay, pass, outcome, became } = await given();
    await relay.publish(history(), 3);
    await guard.ready();
    // An event that was committed and never arrives.
    relay.position = 4;
    await until('a heartbeat said so', () => guard.state().headPosition === 4);
    pass(6000);
    await until('probes were echoed since', () => guard.state().ageMs! > 6000);
    expect(outcome(bearer(a.secret))).toBe('unavailable');
    await relay.publish([eventRecord(wireEvent(a, 'TokenRenamed', 2), 4)], 4);
    await became('fresh');
  });

  it('goes stale when its probes are not echoed, though heartbeats come', async () => {
    const { guard, relay, pass, outcome } = await given();
    await guard.ready();
    relay.echoing = false;
    relay.position = 1;
    await until('a heartbeat came', () => guard.state().headPosition === 1);
    await relay.publish(history().slice(0, 1), 1);
    pass(5001);
    expect(guard.freshness().state).toBe('stale');
    expect(outcome(bearer(a.secret))).toBe('unavailable');
  });

  it('goes stale when its clock and the relay’s are certain to differ too much', async () => {
    const { guard, relay, became } = await given();
    await guard.ready();
    relay.ahead = 3000;
    await became('stale');
    expect(guard.state().why).toMatch(/clock/);
    relay.ahead = 0;
    await became('fresh');
  });

  it('goes stale for good at a heartbeat of another log', async () => {
    const { guard, relay, codes, became } = await given();
    await guard.ready();
    relay.epoch = 'f'.repeat(32);
    await became('stale');
    expect(codes()).toEqual(['foreign-epoch']);
    relay.epoch = 'e'.repeat(32);
    relay.position = 1;
    await until('a heartbeat came', () => guard.state().headPosition === 1);
    expect(guard.state()).toMatchObject({ state: 'stale', why: /another log/ });
  });

  it('goes stale for good at an event of another log, even the first where one is configured', async () => {
    const { relay, codes, became, guard } = await given({ epoch: 'a'.repeat(32) });
    await relay.publish(history(), 3);
    await became('stale');
    expect(codes()).toContain('foreign-epoch');
    expect(guard.state().tokens.active).toBe(0);
  });

  it('goes stale for good at an event that names no token', async () => {
    const { guard, relay, codes, became } = await given();
    await guard.ready();
    await relay.publish([{ ...history()[0]!, key: null }, history()[1]!], 2);
    await became('stale');
    expect(codes()).toEqual(['event-without-token']);
  });

  it('denies a parked token, tells so, and passes the others', async () => {
    const { guard, relay, codes, outcome } = await given();
    const told: string[] = [];
    await guard.ready();
    guard.on('parked', (id) => told.push(id));
    await relay.publish(history().slice(0, 2), 2);
    await until('both pass', () => outcome(bearer(b.secret)) === 'pass');
    await relay.publish([{ ...eventRecord(wireEvent(a, 'TokenRenamed', 2), 3), value: '{' }], 3);
    await until('it is denied', () => outcome(bearer(a.secret)) === 'stranger');
    expect(guard.check({ authorization: bearer(a.secret) }).finding).toBe('parked');
    expect(outcome(bearer(b.secret))).toBe('pass');
    expect(codes()).toEqual(['token-parked']);
    expect(told).toEqual([a.tokenId]);
    expect(guard.state().parkedTokens).toMatchObject([{ tokenId: a.tokenId }]);
  });

  it('passes known tokens by an old view where that is asked for, and never by one that can’t be trusted', async () => {
    const { guard, relay, pass } = await given();
    const ask = (secret: string) =>
      guard.check({ authorization: bearer(secret), onStale: 'allow-known' });
    await relay.publish(history(), 3);
    expect(ask(a.secret).outcome).toBe('unavailable');
    await guard.ready();
    await until('the token passes', () => ask(a.secret).finding === 'active');
    relay.pause();
    pass(60_000);
    expect(ask(a.secret)).toMatchObject({ outcome: 'pass', finding: 'active-stale' });
    const { ageMs } = ask(a.secret) as { ageMs: number };
    expect(ageMs).toBeGreaterThanOrEqual(60_000);
    expect(ask(b.secret).outcome).toBe('unavailable');
    expect(ask(newSecret()).outcome).toBe('unavailable');
    expect(guard.check({ authorization: bearer(a.secret) }).outcome).toBe('unavailable');
    relay.beat();
    await until('the view is fresh', () => ask(a.secret).finding === 'active');
    await relay.publish([eventRecord(wireEvent(a, 'TokenRenamed', 2), 4, 'f'.repeat(32))], 3);
    await until('it can’t be trusted', () => ask(a.secret).outcome === 'unavailable');
  });

  it('judges a secret by itself as by Bearer', async () => {
    const { guard, relay } = await given();
    await relay.publish(history(), 3);
    await guard.ready();
    await until('the token passes', () => guard.check({ secret: a.secret }).outcome === 'pass');
    expect(guard.check({ secret: b.secret }).outcome).toBe('disabled');
    for (const secret of [newSecret(), '', 'x y', bearer(a.secret)]) {
      expect(guard.check({ secret }).outcome).toBe('stranger');
    }
  });

  describe('with a limit on failures', () => {
    async function flooded() {
      const it = await given();
      const { guard, relay, outcome } = it;
      await relay.publish(history(), 3);
      await guard.ready();
      await until('the token passes', () => outcome(bearer(a.secret)) === 'pass');
      guard.configure({ failureLimits: { burst: 3, perMinute: 6 } });
      const from = (address: string | undefined, authorization = bearer(newSecret())) =>
        guard.check({ authorization, address });
      for (let i = 0; i < 3; i++) expect(from('192.0.2.1').outcome).toBe('stranger');
      return { ...it, from };
    }

    it('answers strangers that they are too many, and says when to come back', async () => {
      const { from } = await flooded();
      expect(from('192.0.2.1')).toMatchObject({ outcome: 'limited', retryAfterSecs: 10 });
      expect(from('192.0.2.1', 'nonsense').outcome).toBe('limited');
      expect(from('192.0.2.1', basic(a.userName, newSecret())).outcome).toBe('limited');
      expect(from('192.0.2.2').outcome).toBe('stranger');
      expect(from(undefined).outcome).toBe('stranger');
    });

    it('never turns a flood against who holds a token, from the same address', async () => {
      const { from, guard } = await flooded();
      for (let i = 0; i < 100; i++) from('192.0.2.1');
      expect(from('192.0.2.1', bearer(a.secret)).outcome).toBe('pass');
      expect(from('192.0.2.1', basic(a.userName, a.secret)).outcome).toBe('pass');
      expect(from('192.0.2.1', bearer(b.secret)).outcome).toBe('disabled');
      expect(guard.check({ address: '192.0.2.1' }).outcome).toBe('challenge');
    });

    it('counts neither passing, nor a disabled token, nor no credential at all', async () => {
      const { guard, from } = await flooded();
      guard.configure({ failureLimits: { burst: 1, perMinute: 1 } });
      for (let i = 0; i < 10; i++) {
        from('192.0.2.1', bearer(a.secret));
        from('192.0.2.1', bearer(b.secret));
        guard.check({ address: '192.0.2.1' });
      }
      expect(from('192.0.2.1').outcome).toBe('stranger');
      expect(from('192.0.2.1').outcome).toBe('limited');
    });

    it('asks for the address of failures only', async () => {
      const { guard } = await flooded();
      const address = (): string => {
        throw new Error('was asked for');
      };
      expect(guard.check({ authorization: bearer(a.secret), address }).outcome).toBe('pass');
    });

    it('keeps what it has counted when it is configured anew as it was, and is off when it is left out', async () => {
      const { guard, from } = await flooded();
      guard.configure({ failureLimits: { burst: 3, perMinute: 6 } });
      expect(from('192.0.2.1').outcome).toBe('limited');
      guard.configure({ failureLimits: { burst: 4, perMinute: 6 } });
      expect(from('192.0.2.1').outcome).toBe('stranger');
      guard.configure({});
      for (let i = 0; i < 10; i++) expect(from('192.0.2.1').outcome).toBe('stranger');
    });
  });

  it('waits for the position that the caller names', async () => {
    const { guard, relay } = await given();
    await relay.publish(history(), 3);
    await guard.ready();
    await until('the history is read', () => guard.state().watermark === 3);
    const authorization = bearer(a.secret);
    expect(guard.check({ authorization, minPosition: 3 }).outcome).toBe('pass');
    expect(guard.check({ authorization, minPosition: 4 }).finding).toBe('behind');
  });

  it.each(['heartbeats', 'events'] as const)(
    'subscribes to %s again when that has gone silent though there is more',
    async (topic) => {
      const { bus, relay, guard, codes, outcome, became } = await given({ silentAfterMs: 50 });
      await relay.publish(history(), 3);
      await guard.ready();
      bus.silence(names[topic]);
      await relay.publish([eventRecord(wireEvent(a, 'TokenDisabled', 2), 4)], 4);
      await until('the alarm', () => codes().includes('consumer-silent'));
      await until('it goes on', () => outcome(bearer(a.secret)) === 'disabled');
      await until('it subscribed again', () => {
        return bus.subscribed.filter((each) => each === names[topic]).length > 1;
      });
      await became('fresh');
      expect(guard.state().rebuilds).toBeGreaterThan(0);
      // Read on from its own offsets: nothing came twice.
      expect(guard.state().events.repeated).toBe(0);
    },
  );

  it('does not take a slow join for silence', async () => {
    const bus = new BusThatMisbehaves();
    bus.send(names.events, history());
    let join = (): void => undefined;
    const joined = new Promise<void>((resolve) => (join = resolve));
    let fetch = (): void => undefined;
    const fetched = new Promise<void>((resolve) => (fetch = resolve));
    for (const topic of [names.events, names.heartbeats]) {
      bus.joining.set(topic, joined);
      bus.fetching.set(topic, fetched);
    }
    const { relay, guard, pass } = await given({ silentAfterMs: 10_000, random: () => 1 }, bus);
    relay.position = 3;
    await until('it subscribes to both', () => bus.subscribed.length === 3);
    pass(30_000);
    join();
    const probes = bus.sent(names.probes);
    const heartbeats = bus.sent(names.heartbeats);
    await until('the watchdog had its time', () => bus.sent(names.probes) > probes + 5);
    await until('there is more to read', () => bus.sent(names.heartbeats) > heartbeats + 5);
    fetch();
    await guard.ready();
    expect(guard.state()).toMatchObject({ alarms: 0, rebuilds: 0 });
  });

  it('leaves its subscriptions alone while the broker has nothing newer', async () => {
    const { relay, guard, pass, became } = await given({ silentAfterMs: 20 });
    await guard.ready();
    relay.pause();
    pass(10_000);
    await became('stale');
    const asked = performance.now();
    await until('the watchdog had its time', () => performance.now() - asked > 200);
    expect(guard.state().rebuilds).toBe(0);
  });

  it('reads everything again when its offsets are not in the topic any more', async () => {
    const { bus, relay, guard, codes, outcome, became } = await given();
    await relay.publish(history(), 3);
    await guard.ready();
    await until('the token passes', () => outcome(bearer(a.secret)) === 'pass');
    bus.end(names.events, new OffsetOutOfRange(names.events, 0, 3n, 0n, 0n));
    expect(outcome(bearer(a.secret))).toBe('unavailable');
    expect(codes()).toEqual(['history-replaced']);
    await became('fresh');
    expect(outcome(bearer(a.secret))).toBe('pass');
    expect(outcome(bearer(b.secret))).toBe('disabled');
  });

  it('reads everything again when the topic is another one under the same name', async () => {
    const { bus, relay, guard, codes, outcome, became } = await given();
    await relay.publish(history(), 3);
    await guard.ready();
    await until('the token passes', () => outcome(bearer(a.secret)) === 'pass');
    bus.replace(names.events);
    bus.end(names.events, new Error('the topic is gone'));
    await until('the alarm', () => codes().includes('history-replaced'));
    expect(outcome(bearer(a.secret))).toBe('unavailable');
    await relay.publish(history(), 3);
    await became('fresh');
    expect(outcome(bearer(a.secret))).toBe('pass');
  });

  it('subscribes again, where it was, when its subscription ends', async () => {
    const { bus, relay, guard, outcome } = await given();
    await relay.publish(history(), 3);
    await guard.ready();
    await until('the token passes', () => outcome(bearer(a.secret)) === 'pass');
    bus.end(names.events, new Error('the coordinator is gone'));
    await relay.publish([eventRecord(wireEvent(a, 'TokenDisabled', 2), 4)], 4);
    await until('it goes on', () => outcome(bearer(a.secret)) === 'disabled');
    expect(guard.state().events).toMatchObject({ applied: 4, repeated: 0 });
  });

  it('waits for a broker that is away at the start', async () => {
    const bus = new BusThatMisbehaves();
    const relay = new RelayOfTheTest(bus, names);
    await relay.start();
    bus.away = true;
    const faults: Error[] = [];
    const guard = createTokenGuard({
      bus,
      topics: names,
      ensureTopics: [],
      gatewayId: 'gw-1',
      probeEveryMs: 10,
      random: () => 0,
      onFault: (fault) => faults.push(fault),
    });
    open.push(relay, guard);
    await until('it has tried more than once', () => faults.length > 3);
    expect(guard.check({}).outcome).toBe('unavailable');
    bus.away = false;
    await guard.ready();
    expect(guard.check({}).outcome).toBe('challenge');
  });

  it('goes on reading when a listener throws', async () => {
    const { guard, relay, codes, outcome } = await given();
    await guard.ready();
    guard.on('disabled', () => {
      throw new Error('a fault of the listener');
    });
    await relay.publish(history(), 3);
    await until('it reads on', () => outcome(bearer(b.secret)) === 'disabled');
    expect(codes()).toEqual(['listener-failed']);
  });

  it('works on the in-process bus, as in the standalone process', async () => {
    const log = history().slice(0, 1);
    const bus = createInProcessEventBus({
      durable: {
        [names.events]: {
          id: 'log',
          read: (from, limit) => {
            const records = log.slice(Number(from), Number(from) + limit);
            return Promise.resolve(
              records.map((record, i) => ({ offset: from + BigInt(i), record })),
            );
          },
          end: () => Promise.resolve(BigInt(log.length)),
        },
      },
    });
    open.push(bus);
    await bus.ensureTopics(topicSpecs(names, 1));
    const { guard, relay, outcome } = await given({ ensureTopics: topicSpecs(names, 1) }, bus);
    relay.position = 1;
    await guard.ready();
    await until('the token passes', () => outcome(bearer(a.secret)) === 'pass');
    log.push(eventRecord(wireEvent(a, 'TokenDisabled', 2), 2));
    await relay.publish(log.slice(1), 2);
    await until('it is refused', () => outcome(bearer(a.secret)) === 'disabled');
    expect(guard.state()).toMatchObject({ watermark: 2, alarms: 0, rebuilds: 0 });
  });

  it('tells no changes while it reads the history', async () => {
    const bus = new BusThatMisbehaves();
    bus.send(names.events, history());
    const { guard, relay } = await given({}, bus);
    const told: string[] = [];
    guard.on('disabled', (id) => told.push(id));
    relay.position = 3;
    await until('the history is read', () => guard.state().watermark === 3);
    expect(told).toEqual([]);
  });

  it('closes at once while the broker says nothing at all', async () => {
    const silent = <T>(): Promise<T> => new Promise(() => undefined);
    const bus: EventBus = {
      ensureTopics: silent,
      publisher: silent,
      subscribe: silent,
      ends: silent,
      topicId: silent,
      close: silent,
    };
    const guard = createTokenGuard({
      bus,
      topics: names,
      ensureTopics: topicSpecs(names, 1),
      gatewayId: 'gw-1',
      probeEveryMs: 10,
    });
    await guard.close();
    expect(guard.freshness().state).toBe('starting');
  });

  it('closes once, leaves its subscriptions, and says so to who waits', async () => {
    const { guard, bus, relay } = await given();
    relay.pause();
    const waiting = guard.ready();
    const closed = guard.close();
    expect(guard.close()).toBe(closed);
    await closed;
    await expect(waiting).rejects.toThrow(/closed/);
    expect(bus.openSubscriptions).toBe(1);
    expect(guard.check({ authorization: bearer(a.secret) }).outcome).toBe('unavailable');
  });
});
