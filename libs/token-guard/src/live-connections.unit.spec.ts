import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { topics } from '@token-status/contracts';
import type { WireEvent } from '@token-status/contracts';
import type { ReceivedRecord } from '@token-status/event-bus';
import { CompactTable } from './compact-table.js';
import { decideAgain } from './decision.js';
import type { Decision, TokenIdentity } from './decision.js';
import type { Freshness } from './freshness.js';
import { BusThatMisbehaves, RelayOfTheTest, until } from './given-bus.spec.js';
import { EPOCH, bearer, eventRecord, token, wireEvent } from './given.spec.js';
import type { GivenToken } from './given.spec.js';
import { Intake } from './intake.js';
import { liveConnections } from './live-connections.js';
import type {
  LiveConnections,
  LiveConnectionsOptions,
  WatchedGuard,
  WhyClosed,
} from './live-connections.js';
import { createTokenGuard } from './token-guard.js';
import type { GuardEvents } from './token-guard.js';

type Type = WireEvent['type'];

const DAY = 24 * 60 * 60 * 1000;

const identity = ({ tokenId, userId, accountId, expiresAt }: GivenToken): TokenIdentity => ({
  tokenId,
  userId,
  accountId,
  version: 1,
  expiresAt: expiresAt === null ? null : Date.parse(expiresAt),
});

/**
 * What the guard tells and when, with a freshness that the test decides on: it is the guard's own reading
 * of records, table and decision. That the real one tells the same is tested below.
 */
class GuardOfTheTest implements WatchedGuard {
  readonly clocks = { monotonic: () => performance.now(), wall: () => Date.now() };
  readonly #listeners: { event: string; listener: unknown }[] = [];
  #intake = this.#newIntake();
  #replaying = false;
  #history: ReceivedRecord[] = [];
  #versions = new Map<string, number>();
  #fresh = true;

  on<E extends keyof GuardEvents>(event: E, listener: (...args: GuardEvents[E]) => void): this {
    this.#listeners.push({ event, listener });
    return this;
  }

  recheck({ tokenId }: { readonly tokenId: string }): Decision {
    const freshness: Freshness = this.#fresh
      ? { state: 'fresh', ageMs: 1 }
      : { state: 'stale', why: 'of the test', ageMs: null, onlyOld: false };
    return decideAgain({ tokenId, freshness, table: this.#intake.table, now: Date.now() });
  }

  get fresh(): boolean {
    return this.#fresh;
  }

  /** An event of the token comes, under its next version; `variant` makes it another under the last one. */
  come(of: GivenToken, type: Type, variant = ''): void {
    const last = this.#versions.get(of.tokenId) ?? 0;
    const version = variant === '' ? last + 1 : last;
    this.#versions.set(of.tokenId, version);
    const event = wireEvent(of, type, version, variant);
    const record = eventRecord(event, this.#history.length + 1);
    this.#history.push(record);
    this.#intake.take([record]);
  }

  becomeStale(): void {
    this.#fresh = false;
    this.emit('stale', 'of the test');
  }

  /** The history is read again, of which nothing is told. */
  readAgain(): void {
    this.#replaying = true;
    if (this.#fresh) this.becomeStale();
    this.#intake = this.#newIntake();
    this.#intake.take(this.#history);
  }

  becomeFresh(): void {
    this.#replaying = false;
    this.#fresh = true;
    this.emit('fresh');
  }

  close(): void {
    this.emit('closed');
  }

  emit<E extends keyof GuardEvents>(event: E, ...args: GuardEvents[E]): void {
    for (const each of this.#listeners) {
      if (each.event === event) (each.listener as (...args: GuardEvents[E]) => void)(...args);
    }
  }

  #newIntake(): Intake<CompactTable> {
    return new Intake(new CompactTable(), {
      acceptsEpoch: (epoch) => epoch === EPOCH,
      onBroken: () => undefined,
      onAlarm: () => undefined,
      onChange: (tokenId, change) => {
        if (this.#replaying || change === 'added' || change === 'renamed') return;
        this.emit(change, tokenId);
      },
    });
  }
}

const a = token('a');
const b = token('b');

function given(options?: LiveConnectionsOptions) {
  const guard = new GuardOfTheTest();
  const live = liveConnections(guard, options);
  for (const each of [a, b]) guard.come(each, 'TokenAdded');
  const hold = (of: GivenToken) => held(live, identity(of));
  return { guard, live, hold };
}

/** A connection and why it was closed; `closed` is empty while it lives. */
function held(live: LiveConnections, of: TokenIdentity) {
  const closed: WhyClosed[] = [];
  const release = live.hold(of, (why) => {
    closed.push(why);
  });
  return { closed, release };
}

describe('live connections', () => {
  it.each([
    ['TokenDisabled', 'disabled'],
    ['TokenRevoked', 'revoked'],
  ] as const)('of a token are all closed by %s, and of no other', (type, why) => {
    const { guard, live, hold } = given();
    const [first, second, other] = [hold(a), hold(a), hold(b)];
    expect(live.size).toBe(3);
    guard.come(a, type);
    expect([first.closed, second.closed, other.closed]).toEqual([[why], [why], []]);
    expect(live.size).toBe(1);
  });

  it('are not closed by a rename, nor by what another token goes through', () => {
    const { guard, hold } = given();
    const one = hold(a);
    guard.come(a, 'TokenRenamed');
    guard.come(b, 'TokenRevoked');
    expect(one.closed).toEqual([]);
  });

  it('are closed when an event of their token can not be applied', () => {
    const { guard, hold } = given();
    const one = hold(a);
    guard.come(a, 'TokenAdded', 'another');
    expect(one.closed).toEqual(['parked']);
  });

  it('are closed when another token turns up with the same secret', () => {
    const { guard, hold } = given();
    const one = hold(a);
    guard.come({ ...token('thief'), secret: a.secret }, 'TokenAdded');
    expect(one.closed).toEqual(['parked']);
  });

  it('are closed at once where the token was disabled between the check and the hold', () => {
    const { guard, live, hold } = given();
    guard.come(a, 'TokenDisabled');
    const { closed, release } = hold(a);
    expect(closed).toEqual(['disabled']);
    release();
    expect(live.size).toBe(0);
  });

  it('are closed once, and never after they were released', () => {
    const { guard, live, hold } = given();
    const [one, two] = [hold(a), hold(a)];
    one.release();
    one.release();
    expect(live.size).toBe(1);
    guard.come(a, 'TokenDisabled');
    guard.come(a, 'TokenRevoked');
    two.release();
    expect([one.closed, two.closed]).toEqual([[], ['disabled']]);
    expect(live.size).toBe(0);
  });

  it('are all closed though one of them can not be', async () => {
    const faults: string[] = [];
    const { guard, live, hold } = given({
      onFault: ({ message }) => {
        faults.push(message);
        throw new Error('nor can it be told');
      },
    });
    live.hold(identity(a), () => {
      throw new Error('it throws');
    });
    live.hold(identity(a), () => Promise.reject(new Error('it rejects')));
    const one = hold(a);
    guard.come(a, 'TokenDisabled');
    expect(one.closed).toEqual(['disabled']);
    await Promise.resolve();
    expect(faults).toEqual(['it throws', 'it rejects']);
  });

  it('may release and hold each other while they are closed', () => {
    const { guard, live, hold } = given();
    const seen: string[] = [];
    let releaseSecond = (): void => undefined;
    live.hold(identity(a), (why) => {
      seen.push(`first ${why}`);
      releaseSecond();
      live.hold(identity(a), (again) => {
        seen.push(`anew ${again}`);
      });
    });
    releaseSecond = live.hold(identity(a), () => {
      seen.push('second');
    });
    const third = hold(a);
    guard.come(a, 'TokenDisabled');
    expect(seen).toEqual(['first disabled', 'anew disabled']);
    expect(third.closed).toEqual(['disabled']);
    expect(live.size).toBe(0);
  });

  it('are all closed, and none is held any more, when the guard is', () => {
    const { guard, hold } = given({ onStale: 'keep' });
    const one = hold(a);
    guard.close();
    expect(one.closed).toEqual(['closed']);
    expect(hold(a).closed).toEqual(['closed']);
  });
});

describe('live connections on a stale view', () => {
  it('are all closed, by default, and none is held', () => {
    const { guard, hold } = given();
    const one = hold(a);
    guard.becomeStale();
    expect(one.closed).toEqual(['stale']);
    expect(hold(b).closed).toEqual(['stale']);
  });

  it('are kept where that is asked for, until an event closes them', () => {
    const { guard, hold } = given({ onStale: 'keep' });
    guard.becomeStale();
    const [one, other] = [hold(a), hold(b)];
    guard.come(a, 'TokenDisabled');
    guard.becomeFresh();
    expect([one.closed, other.closed]).toEqual([['disabled'], []]);
  });

  it('that were kept are closed on the next fresh one, where a change had not been told', () => {
    const { guard, hold } = given({ onStale: 'keep' });
    const [one, other] = [hold(a), hold(b)];
    guard.readAgain();
    guard.come(a, 'TokenDisabled');
    expect(one.closed).toEqual([]);
    guard.becomeFresh();
    expect([one.closed, other.closed]).toEqual([['disabled'], []]);
  });

  it('that were kept are closed on the next fresh one, where nothing is known of their token', () => {
    const { guard, live } = given({ onStale: 'keep' });
    guard.becomeStale();
    const { closed } = held(live, identity(token('of another history')));
    guard.becomeFresh();
    expect(closed).toEqual(['unknown']);
  });
});

describe('live connections of a token that expires', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: Date.parse('2026-01-01T00:00:00.000Z') });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const mortal = (ms: number): GivenToken =>
    token(`lives-${ms}`, { expiresAt: new Date(Date.now() + ms).toISOString() });

  // 2^31 ms, where timers end, are 24.9 days.
  it.each([1, 1000, DAY, 30 * DAY, 400 * DAY])('are closed after %d ms, not before', (ms) => {
    const { guard, live, hold } = given();
    const one = mortal(ms);
    guard.come(one, 'TokenAdded');
    const { closed } = hold(one);
    jest.advanceTimersByTime(ms - 1);
    expect(closed).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(closed).toEqual(['expired']);
    expect(live.size).toBe(0);
  });

  it('are not held any more once it has', () => {
    const { guard, hold } = given();
    const one = mortal(1000);
    guard.come(one, 'TokenAdded');
    jest.advanceTimersByTime(1000);
    expect(hold(one).closed).toEqual(['expired']);
  });

  it('are closed then though the view is stale and they were kept', () => {
    const { guard, hold } = given({ onStale: 'keep' });
    const one = mortal(1000);
    guard.come(one, 'TokenAdded');
    const { closed } = hold(one);
    guard.becomeStale();
    jest.advanceTimersByTime(1000);
    expect(closed).toEqual(['expired']);
  });

  it('leave no timer behind when they are released or closed', () => {
    const { guard, live, hold } = given();
    const [one, two] = [mortal(1000), mortal(2000)];
    guard.come(one, 'TokenAdded');
    guard.come(two, 'TokenAdded');
    const { release } = hold(one);
    const again = hold(one);
    hold(two);
    expect(jest.getTimerCount()).toBe(2);
    release();
    again.release();
    guard.come(two, 'TokenDisabled');
    expect(jest.getTimerCount()).toBe(0);
    expect(live.size).toBe(0);
  });

  it('are closed within the hour where the wall clock was set forward', () => {
    const { guard, hold } = given();
    const one = mortal(30 * DAY);
    guard.come(one, 'TokenAdded');
    const { closed } = hold(one);
    jest.setSystemTime(Date.now() + 31 * DAY);
    jest.advanceTimersByTime(60 * 60 * 1000);
    expect(closed).toEqual(['expired']);
  });
});

describe('whatever happens, in whatever order', () => {
  const NAMES = ['a', 'b', 'c'] as const;
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('hold'), whose: fc.nat(2) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('release'), which: fc.nat(20) }) },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('come'),
        whose: fc.nat(2),
        type: fc.constantFrom<Type>('TokenDisabled', 'TokenEnabled', 'TokenRenamed'),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constantFrom('revoke', 'park', 'same secret'),
        whose: fc.nat(2),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constantFrom('stale', 'read again', 'fresh', 'time'),
      }),
    },
  );

  it.each(['close', 'keep'] as const)(
    'no connection of a token that is not valid stays open on a fresh view (%s)',
    (onStale) => {
      jest.useFakeTimers({ now: 0 });
      try {
        fc.assert(
          fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
            jest.setSystemTime(0);
            const guard = new GuardOfTheTest();
            const live = liveConnections(guard, { onStale });
            // Of three tokens, two of which expire on the way.
            const tokens = NAMES.map((name, i) =>
              token(name, { expiresAt: i === 0 ? null : new Date(i * 5000).toISOString() }),
            );
            for (const each of tokens) guard.come(each, 'TokenAdded');
            let open: { of: GivenToken; closed: WhyClosed[]; release: () => void }[] = [];
            for (const each of steps) {
              const of = tokens['whose' in each ? each.whose : 0]!;
              if (each.do === 'hold') {
                const passed = guard.recheck(of).outcome === 'pass';
                const connection = { of, ...held(live, identity(of)) };
                if (passed) expect(connection.closed).toEqual([]);
                open.push(connection);
              } else if (each.do === 'release' && 'which' in each && open.length > 0) {
                const [one] = open.splice(each.which % open.length, 1);
                one?.release();
              } else if (each.do === 'come' && 'type' in each) guard.come(of, each.type);
              else if (each.do === 'revoke') guard.come(of, 'TokenRevoked');
              else if (each.do === 'park') guard.come(of, 'TokenDisabled', 'another');
              else if (each.do === 'same secret') {
                guard.come({ ...token('thief'), secret: of.secret }, 'TokenAdded');
              } else if (each.do === 'stale' && guard.fresh) guard.becomeStale();
              else if (each.do === 'read again') guard.readAgain();
              else if (each.do === 'fresh' && !guard.fresh) guard.becomeFresh();
              else if (each.do === 'time') jest.advanceTimersByTime(1000);
              for (const { closed } of open) expect(closed.length).toBeLessThanOrEqual(1);
              open = open.filter(({ closed }) => closed.length === 0);
              expect(live.size).toBe(open.length);
              if (onStale === 'close' && !guard.fresh) expect(open).toEqual([]);
              if (!guard.fresh) continue;
              for (const { of: whose } of open) {
                expect(guard.recheck(whose).outcome).toBe('pass');
              }
            }
            for (const { release } of open) release();
            expect(live.size).toBe(0);
            expect(jest.getTimerCount()).toBe(0);
          }),
          { numRuns: 400 },
        );
      } finally {
        jest.useRealTimers();
      }
    },
  );
});

describe('live connections of the real guard', () => {
  const names = topics('test');
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each.close();
  });

  async function givenGuard(options?: LiveConnectionsOptions) {
    const bus = new BusThatMisbehaves();
    const relay = new RelayOfTheTest(bus, names);
    await relay.start();
    let passed = 0;
    const guard = createTokenGuard({
      bus,
      topics: names,
      gatewayId: 'gw-1',
      probeEveryMs: 10,
      clocks: { monotonic: () => performance.now() + passed, wall: () => Date.now() + passed },
    });
    open.push(relay, guard);
    const live = liveConnections(guard, options);
    const history = [a, b].map((of, i) => eventRecord(wireEvent(of, 'TokenAdded', 1), i + 1));
    await relay.publish(history, 2);
    await guard.ready();
    const hold = ({ secret }: GivenToken) => {
      const decision = guard.check({ authorization: bearer(secret) });
      if (decision.outcome !== 'pass') throw new Error(decision.finding);
      return held(live, decision.token);
    };
    const goStale = async (): Promise<void> => {
      const stale = new Promise<void>((resolve) => guard.on('stale', () => resolve()));
      relay.pause();
      passed += 5001;
      relay.ahead += 5001;
      await stale;
    };
    return { bus, relay, guard, hold, history, goStale };
  }

  it('are closed by an event, and the others by the end of the guard', async () => {
    const { relay, guard, hold } = await givenGuard();
    const [one, other] = [hold(a), hold(b)];
    await relay.publish([eventRecord(wireEvent(a, 'TokenDisabled', 2), 3)], 3);
    await until('it is closed', () => one.closed.length > 0);
    expect([one.closed, other.closed]).toEqual([['disabled'], []]);
    await guard.close();
    expect(other.closed).toEqual(['closed']);
  });

  it('are closed when proofs stop coming', async () => {
    const { hold, goStale } = await givenGuard();
    const one = hold(a);
    await goStale();
    expect(one.closed).toEqual(['stale']);
  });

  it('that are kept are checked anew once the history has been read again', async () => {
    const { bus, relay, guard, hold, history } = await givenGuard({ onStale: 'keep' });
    const [one, other] = [hold(a), hold(b)];
    const fresh = new Promise<void>((resolve) => guard.on('fresh', () => resolve()));
    bus.replace(names.events);
    bus.end(names.events, new Error('the topic is gone'));
    await until('the history is to be read again', () => guard.freshness().state !== 'fresh');
    await relay.publish([...history, eventRecord(wireEvent(a, 'TokenDisabled', 2), 3)], 3);
    await fresh;
    expect([one.closed, other.closed]).toEqual([['disabled'], []]);
  });
});
