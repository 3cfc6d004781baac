import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  admin,
  alice,
  at,
  bob,
  carol,
  commandId,
  digest,
  mallory,
  provisioning,
  reader,
  scanner,
  tokenId,
} from '../../../../test/specification/api-token.samples.js';
import { OutOfOrder, decide, evolve, evolveToken, noTokens, statusOf } from './api-token.js';
import type { ApiToken, Decision, Tokens } from './api-token.js';
import type { TokenCommand } from './commands.js';
import { REASONS } from './events.js';
import type { TokenEvent } from './events.js';
import { AUTHORITIES } from './policy.js';
import type { Authority } from './policy.js';
import { isRefusal } from './refusals.js';

const LIMIT = 2;
const owners = [
  { userId: 'u-alice', accountId: 'acme' },
  { userId: 'u-bob', accountId: 'acme' },
  { userId: 'u-mallory', accountId: 'globex' },
  { userId: 'u-alice', accountId: 'globex' },
] as const;

/** When the n-th command comes, and what is known then. */
interface Now {
  readonly n: number;
  readonly seconds: number;
  readonly tokens: Tokens;
}
type Ask = (now: Now) => TokenCommand;

/** What somebody does next; the clock is a step from the one before, since replicas' clocks differ. */
interface Step {
  readonly clock: number;
  readonly ask: Ask;
}

const caller = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(alice, admin, scanner) },
  { weight: 1, arbitrary: fc.constantFrom(carol, bob, mallory, provisioning, reader) },
);
const name = fc.constantFrom('sealed-a', 'sealed-b', 'sealed-c', 'sealed-d');
const reason = fc.constantFrom(null, ...REASONS);
const ahead = fc.option(fc.integer({ min: -2, max: 30 }), { nil: null });
const authority = fc.option(fc.constantFrom(...AUTHORITIES), { nil: undefined, freq: 2 });
const note = fc.constantFrom(null, 'sealed-note');
const later = (now: Now, by: number | null): string | null =>
  by === null ? null : at(now.seconds + by);

/** One of the tokens that are there, most often; else one that is not. */
const target = fc.nat({ max: 1000 }).map((pick) => ({ tokens }: Now): string => {
  const ids = [...tokens.keys()];
  return pick % 20 === 0 ? tokenId(0) : (ids[pick % ids.length] ?? tokenId(0));
});
/** `If-Match` of the version that is there, or of some other; most often none. */
const match = fc.constantFrom(undefined, undefined, undefined, undefined, 0, 0, 1, -1);

const onToken = fc
  .record({ target, match, caller, origin: note })
  .map(({ target, match, ...said }) => (now: Now) => {
    const tokenId = target(now);
    const version = now.tokens.get(tokenId)?.version ?? 1;
    return {
      ...said,
      tokenId,
      expectedVersion: match === undefined ? undefined : version + match,
      at: at(now.seconds),
      commandId: commandId(now.n),
    };
  });

const ask: fc.Arbitrary<Ask> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .record({
        owner: fc.constantFrom(...owners),
        caller: fc.constantFrom(alice, alice, provisioning, scanner, bob, mallory, reader, admin),
        name,
        expires: ahead,
        origin: note,
      })
      .map(({ owner, expires, ...said }): Ask => (now) => ({
        type: 'AddToken',
        ...owner,
        ...said,
        // Ids are random in life, so that no two commands ever add the same one.
        tokenId: tokenId(now.n),
        at: at(now.seconds),
        commandId: commandId(now.n),
        hint: 'a1B2c3',
        secretDigest: digest(now.n),
        userNameDigest: digest(1000 + now.n),
        expiresAt: later(now, expires),
        limit: LIMIT,
      })),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({ onToken, name })
      .map(({ onToken, name }): Ask => (now) => ({ type: 'RenameToken', ...onToken(now), name })),
  },
  {
    weight: 5,
    arbitrary: fc
      .record({ onToken, reason, note, authority, end: ahead })
      .map(({ onToken, end, ...said }): Ask => (now) => ({
        type: 'DisableToken',
        ...onToken(now),
        ...said,
        until: later(now, end),
      })),
  },
  {
    weight: 3,
    arbitrary: fc
      .record({ onToken, reason, note, authority })
      .map(({ onToken, ...said }): Ask => (now) => ({
        type: 'EnableToken',
        ...onToken(now),
        ...said,
      })),
  },
  {
    weight: 1,
    arbitrary: fc.record({ onToken, reason, note }).map(({ onToken, ...said }): Ask => (now) => ({
      type: 'RevokeToken',
      ...onToken(now),
      ...said,
    })),
  },
  {
    weight: 3,
    arbitrary: fc
      .record({ target, off: fc.constantFrom(0, 0, 0, -1, 1) })
      .map(({ target, off }): Ask => (now) => {
        const tokenId = target(now);
        const held = now.tokens.get(tokenId)?.disabled;
        return {
          type: 'EnableTokenWhenDue',
          tokenId,
          disabledAtVersion: (held?.version ?? 2) + off,
          at: at(now.seconds),
          commandId: commandId(now.n),
        };
      }),
  },
);

const history: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({ clock: fc.integer({ min: -10, max: 20 }), ask }),
  { maxLength: 40, size: 'max' },
);

/** What a command handler would have read: the user's tokens for a name or a number, else the one. */
function known(tokens: Tokens, command: TokenCommand): Tokens {
  const token = tokens.get(command.tokenId);
  const userId = command.type === 'AddToken' ? command.userId : token?.userId;
  const whole = command.type === 'AddToken' || command.type === 'RenameToken';
  return new Map(
    [...tokens].filter(([id, { userId: owner }]) =>
      whole ? owner === userId : id === command.tokenId,
    ),
  );
}

interface Moment {
  readonly command: TokenCommand;
  readonly before: Tokens;
  readonly decision: Decision;
  readonly after: Tokens;
}

/** Takes the steps one after another, as the log would: decided on the events before, then folded. */
function live(steps: readonly Step[]): { moments: Moment[]; events: TokenEvent[] } {
  const moments: Moment[] = [];
  const events: TokenEvent[] = [];
  let tokens = noTokens;
  let now = 0;
  for (const [n, step] of steps.entries()) {
    now += step.clock;
    const command = step.ask({ n: n + 1, seconds: now, tokens });
    const decision = decide(known(tokens, command), command);
    const after = isRefusal(decision) ? tokens : decision.reduce(evolve, tokens);
    moments.push({ command, before: tokens, decision, after });
    if (!isRefusal(decision)) events.push(...decision);
    tokens = after;
  }
  return { moments, events };
}

const rank = (authority: Authority): number => AUTHORITIES.indexOf(authority);
const END = '9999-12-31T23:59:59.999Z';

const always = (check: (lived: ReturnType<typeof live>) => void): void => {
  fc.assert(
    fc.property(history, (steps) => check(live(steps))),
    { numRuns: 100 },
  );
};

/** Each event with the token before and after it. */
const changes = (
  moments: readonly Moment[],
): { command: TokenCommand; event: TokenEvent; was: ApiToken | undefined; is: ApiToken }[] =>
  moments.flatMap(({ command, before, decision, after }) =>
    isRefusal(decision)
      ? []
      : decision.map((event) => ({
          command,
          event,
          was: before.get(event.tokenId),
          is: after.get(event.tokenId)!,
        })),
  );

describe('after any history of commands', () => {
  it('the histories that are tried hold every event, refusal and no-op that matters', () => {
    const seen = new Set<string>();
    for (const steps of fc.sample(history, { numRuns: 200, seed: 1 })) {
      for (const { command, decision } of live(steps).moments) {
        if (isRefusal(decision)) seen.add(decision.refused);
        else if (decision.length === 0) seen.add(`${command.type}, nothing`);
        for (const event of isRefusal(decision) ? [] : decision) {
          seen.add(event.type === 'TokenEnabled' ? `TokenEnabled by ${event.cause}` : event.type);
        }
      }
    }
    expect([...seen].sort()).toStrictEqual(
      [
        ...['TokenAdded', 'TokenRenamed', 'TokenDisabled', 'TokenRevoked'],
        ...['TokenEnabled by command', 'TokenEnabled by until'],
        ...['RenameToken', 'DisableToken', 'EnableToken', 'RevokeToken', 'EnableTokenWhenDue'].map(
          (type) => `${type}, nothing`,
        ),
        ...['token-unknown', 'privilege-missing', 'scope-missing', 'not-own-user', 'token-limit'],
        ...['authority-too-low', 'version-mismatch', 'token-revoked', 'token-expired'],
        ...['name-taken', 'account-mismatch', 'time-not-ahead'],
      ].sort(),
    );
  });

  it('a user has no more tokens that are not revoked than the limit, each name once, all in one account', () => {
    always(({ moments }) => {
      for (const { after } of moments) {
        for (const userId of new Set([...after.values()].map((token) => token.userId))) {
          const all = [...after.values()].filter((token) => token.userId === userId);
          const held = all.filter((token) => !token.revoked);
          expect(held.length).toBeLessThanOrEqual(LIMIT);
          expect(new Set(held.map((token) => token.name)).size).toBe(held.length);
          expect(new Set(all.map((token) => token.accountId)).size).toBe(1);
        }
      }
    });
  });

  it("a decision is at most one event, of the command's token and by the command, of the next version", () => {
    always(({ moments }) => {
      for (const { decision } of moments) {
        if (!isRefusal(decision)) expect(decision.length).toBeLessThanOrEqual(1);
      }
      for (const { command, event, was, is } of changes(moments)) {
        expect(event.tokenId).toBe(command.tokenId);
        expect(event.commandId).toBe(command.commandId);
        expect(event.tokenVersion).toBe((was?.version ?? 0) + 1);
        expect(is.version).toBe(event.tokenVersion);
        expect(event).toMatchObject({ userId: is.userId, accountId: is.accountId });
      }
    });
  });

  it("a token's times never run backwards, and no event is older than its command", () => {
    always(({ moments }) => {
      for (const { command, event, was, is } of changes(moments)) {
        expect(event.at >= (was?.changedAt ?? '')).toBe(true);
        expect(event.at >= command.at).toBe(true);
        expect(is.changedAt).toBe(event.at);
      }
    });
  });

  it('a revoked token stays revoked and has no further event', () => {
    always(({ moments }) => {
      for (const { was } of changes(moments)) expect(was?.revoked ?? false).toBe(false);
      for (const { before, after } of moments) {
        for (const token of before.values()) {
          if (token.revoked) expect(after.get(token.id)).toBe(token);
        }
      }
    });
  });

  it('what a higher authority disabled is neither enabled, nor lowered, nor ended sooner by a lower one', () => {
    always(({ moments }) => {
      for (const { event, was, is } of changes(moments)) {
        if (!was?.disabled) continue;
        if (event.type === 'TokenEnabled') {
          expect(rank(event.authority)).toBeGreaterThanOrEqual(rank(was.disabled.authority));
        } else {
          expect(rank(is.disabled!.authority)).toBeGreaterThanOrEqual(rank(was.disabled.authority));
          expect((is.disabled!.until ?? END) >= (was.disabled.until ?? END)).toBe(true);
        }
      }
    });
  });

  it('every disable raises the authority or moves the end, and says what then holds', () => {
    always(({ moments }) => {
      for (const { event, was, is } of changes(moments)) {
        if (event.type !== 'TokenDisabled') continue;
        expect(is.disabled).toMatchObject({
          authority: event.disabledWith,
          until: event.until,
          version: event.tokenVersion,
        });
        expect(event.until === null || event.until > event.at).toBe(true);
        const held = was?.disabled;
        if (!held) continue;
        const more =
          rank(event.disabledWith) > rank(held.authority) ||
          (event.until ?? END) > (held.until ?? END);
        expect(more).toBe(true);
      }
    });
  });

  it('only a disabled token is enabled, never one that has expired, and by the scheduler only when due', () => {
    always(({ moments }) => {
      for (const { command, event, was, is } of changes(moments)) {
        if (event.type !== 'TokenEnabled') continue;
        expect(statusOf(was!, event.at)).toBe('disabled');
        expect(statusOf(is, event.at)).toBe('active');
        expect(event.cause).toBe(command.type === 'EnableToken' ? 'command' : 'until');
        if (event.cause === 'until') {
          expect(was!.disabled!.until! <= event.at).toBe(true);
          expect(event.authority).toBe(was!.disabled!.authority);
        }
      }
    });
  });

  it('whose a token is, its secret, its user name and its end never change', () => {
    always(({ moments }) => {
      for (const { was, is } of changes(moments)) {
        if (!was) continue;
        const { id, userId, accountId, hint, secretDigest, userNameDigest, createdAt, expiresAt } =
          was;
        expect(is).toMatchObject({
          ...{ id, userId, accountId, hint, secretDigest, userNameDigest, createdAt, expiresAt },
        });
      }
    });
  });

  it('repeating an accepted command at once, as who asked it and without a version, changes nothing', () => {
    always(({ moments }) => {
      for (const { command, decision, after } of moments) {
        if (command.type === 'AddToken' || isRefusal(decision)) continue;
        const again =
          command.type === 'EnableTokenWhenDue'
            ? command
            : { ...command, expectedVersion: undefined };
        expect(decide(known(after, again), again)).toStrictEqual([]);
      }
    });
  });

  it('the same events and command give the same decision, whatever else is known', () => {
    always(({ moments }) => {
      for (const { command, before, decision } of moments) {
        expect(decide(known(before, command), command)).toStrictEqual(decision);
        expect(decide(before, command)).toStrictEqual(decision);
      }
    });
  });

  it('a decision leaves what it was given as it was', () => {
    always(({ moments }) => {
      for (const { command, before, decision } of moments) {
        const frozen: Tokens = new Map(
          [...before].map(([id, token]) => [id, Object.freeze({ ...token })]),
        );
        expect(decide(frozen, Object.freeze({ ...command }))).toStrictEqual(decision);
        expect(frozen).toStrictEqual(before);
      }
    });
  });
});

describe('folding any history', () => {
  const fold = (events: readonly TokenEvent[]): Tokens => events.reduce(evolve, noTokens);

  it('gives the same each time, also from events that were written as JSON and read again', () => {
    always(({ moments, events }) => {
      const lived = moments.at(-1)?.after ?? noTokens;
      expect(fold(events)).toStrictEqual(lived);
      expect(fold(JSON.parse(JSON.stringify(events)) as TokenEvent[])).toStrictEqual(lived);
    });
  });

  it("gives the same token from the token's own events alone", () => {
    always(({ events }) => {
      for (const [id, token] of fold(events)) {
        const own = events.filter((event) => event.tokenId === id);
        expect(own.map((event) => event.tokenVersion)).toStrictEqual(own.map((_, i) => i + 1));
        expect(fold(own).get(id)).toStrictEqual(token);
      }
    });
  });

  it('gives the same in whatever order the events of different tokens come', () => {
    fc.assert(
      fc.property(history, fc.infiniteStream(fc.nat()), (steps, choices) => {
        const { events } = live(steps);
        const queues = byToken(events);
        const shuffled: TokenEvent[] = [];
        while (shuffled.length < events.length) {
          const waiting = queues.filter((queue) => queue.length > 0);
          shuffled.push(waiting[choices.next().value % waiting.length]!.shift()!);
        }
        const sorted = (tokens: Tokens): unknown =>
          [...tokens].sort(([a], [b]) => (a < b ? -1 : 1));
        expect(sorted(fold(shuffled))).toStrictEqual(sorted(fold(events)));
      }),
      { numRuns: 100 },
    );
  });

  it('throws OutOfOrder for a version that is not the next one', () => {
    fc.assert(
      fc.property(history, fc.nat(), fc.integer({ min: -3, max: 3 }), (steps, pick, off) => {
        const { events } = live(steps);
        fc.pre(events.length > 0 && off !== 0);
        const at = pick % events.length;
        const event = events[at]!;
        const before = fold(events.slice(0, at)).get(event.tokenId);
        const moved = { ...event, tokenVersion: event.tokenVersion + off };
        expect(() => evolveToken(before, moved)).toThrow(OutOfOrder);
        const after = evolveToken(before, event);
        expect(() => evolveToken(after, event)).toThrow(OutOfOrder);
      }),
      { numRuns: 100 },
    );
  });
});

describe('a decision', () => {
  it('never throws, whatever the command says', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.constantFrom('', '__proto__', 'constructor', at(0), tokenId(1)),
    );
    const anything = fc.oneof(texts, fc.constant(null));
    fc.assert(
      fc.property(
        history,
        ask,
        fc.record({ tokenId: texts, at: texts, name: texts, until: anything, expiresAt: anything }),
        (steps, next, odd) => {
          const { moments } = live(steps);
          const tokens = moments.at(-1)?.after ?? noTokens;
          const plain = next({ n: 99, seconds: 0, tokens });
          for (const key of Object.keys(odd) as (keyof typeof odd)[]) {
            if (!(key in plain)) continue;
            const decision = decide(tokens, { ...plain, [key]: odd[key] });
            expect(isRefusal(decision) || Array.isArray(decision)).toBe(true);
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});

function byToken(events: readonly TokenEvent[]): TokenEvent[][] {
  const queues = new Map<string, TokenEvent[]>();
  for (const event of events) {
    queues.set(event.tokenId, [...(queues.get(event.tokenId) ?? []), event]);
  }
  return [...queues.values()];
}
