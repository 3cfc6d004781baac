import { describe, expect, it } from '@jest/globals';
import { deciderSpecification } from '../../../../test/specification/given-when-then.js';
import {
  addToken,
  admin,
  alice,
  at,
  bob,
  byAdmin,
  byScanner,
  carol,
  commandId,
  digest,
  disableToken,
  enableToken,
  enableTokenWhenDue,
  mallory,
  provisioning,
  reader,
  renameToken,
  revokeToken,
  scanner,
  tokenAdded,
  tokenDisabled,
  tokenEnabled,
  tokenId,
  tokenRenamed,
  tokenRevoked,
} from '../../../../test/specification/api-token.samples.js';
import { OutOfOrder, decide, evolve, evolveToken, noTokens, statusOf } from './api-token.js';
import type { ApiToken, Status, Tokens } from './api-token.js';
import type { DisableToken, TokenCommand } from './commands.js';
import { REASONS } from './events.js';
import type { TokenEvent } from './events.js';
import { AUTHORITIES } from './policy.js';
import type { Authority, Caller } from './policy.js';
import { refuse } from './refusals.js';

const { given } = deciderSpecification({ initial: noTokens, evolve, decide });

const after = (...history: readonly TokenEvent[]): ApiToken =>
  history.reduce<Tokens>(evolve, noTokens).get(tokenId(1))!;

const by: Readonly<Record<Authority, Caller>> = {
  owner: alice,
  administrator: admin,
  security: scanner,
};
const signed = {
  owner: {},
  administrator: byAdmin,
  security: byScanner,
} as const satisfies Record<Authority, object>;

const onAToken: readonly ((caller: Caller, id?: string) => TokenCommand)[] = [
  (caller, id = tokenId(1)) => renameToken({ caller, tokenId: id }),
  (caller, id = tokenId(1)) => disableToken({ caller, tokenId: id }),
  (caller, id = tokenId(1)) => enableToken({ caller, tokenId: id }),
  (caller, id = tokenId(1)) => revokeToken({ caller, tokenId: id }),
];

describe('rule 1: disabling puts a token in an inactive state and deletes nothing', () => {
  it('an active token is disabled by one event that says who, on whose authority, when and by which command', () => {
    given(tokenAdded())
      .when(
        disableToken({
          at: at(7),
          commandId: commandId(9),
          origin: 'sealed-address',
          reason: 'unused',
          note: 'sealed-note',
        }),
      )
      .then([
        {
          type: 'TokenDisabled',
          tokenId: tokenId(1),
          tokenVersion: 2,
          userId: 'u-alice',
          accountId: 'acme',
          at: at(7),
          by: { kind: 'user', id: 'u-alice' },
          authority: 'owner',
          commandId: commandId(9),
          origin: 'sealed-address',
          disabledWith: 'owner',
          reason: 'unused',
          note: 'sealed-note',
          until: null,
        },
      ]);
  });

  it('all that the token was is still there, and its status is disabled (gateways refuse it: libs/token-guard)', () => {
    const before = after(tokenAdded());
    const disabled = after(tokenAdded(), tokenDisabled(2));
    const { disabled: disablement, version, changedAt, ...kept } = disabled;
    expect(before).toMatchObject(kept);
    expect({ version, changedAt }).toStrictEqual({ version: 2, changedAt: at(60) });
    expect(disablement).toStrictEqual({
      at: at(60),
      by: { kind: 'user', id: 'u-alice' },
      authority: 'owner',
      reason: null,
      note: null,
      until: null,
      version: 2,
    });
    expect(statusOf(disabled, at(60))).toBe('disabled');
  });
});

describe('rule 2: enabling makes a disabled token valid again, with the same secret', () => {
  it('a disabled token is enabled by one event', () => {
    given(tokenAdded(), tokenDisabled(2))
      .when(enableToken({ at: at(90), reason: 'other', note: 'sealed-note' }))
      .then([tokenEnabled(3, { at: at(90), reason: 'other', note: 'sealed-note' })]);
  });

  it('an enabled token is as it was before it was disabled, secret and all', () => {
    const enabled = after(tokenAdded(), tokenDisabled(2), tokenEnabled(3, { at: at(90) }));
    expect(enabled).toStrictEqual({
      ...after(tokenAdded()),
      version: 3,
      changedAt: at(90),
    });
    expect(statusOf(enabled, at(90))).toBe('active');
  });

  it('an active token is not enabled', () => {
    given(tokenAdded()).when(enableToken()).then([]);
  });
});

describe('rule 3: who sees and manages tokens (the whole table: policy.unit.spec.ts)', () => {
  const disabled = [tokenAdded(), tokenDisabled(2)];

  it('a user manages the own tokens with API Access', () => {
    given(...disabled)
      .when(enableToken({ caller: alice }))
      .then([tokenEnabled(3)]);
  });

  it('a user without API Access is told that it is missing, for the own tokens', () => {
    for (const command of onAToken) {
      given(tokenAdded({ userId: 'u-bob' }))
        .when(command(bob))
        .then(refuse('privilege-missing'));
    }
    given()
      .when(addToken({ caller: bob, userId: 'u-bob' }))
      .then(refuse('privilege-missing'));
  });

  it("an administrator manages the tokens of all of the account's users", () => {
    given(...disabled)
      .when(enableToken({ caller: admin }))
      .then([tokenEnabled(3, byAdmin)]);
  });

  it('an internal service does what its scopes say', () => {
    given(tokenAdded())
      .when(disableToken({ caller: scanner }))
      .then([tokenDisabled(2, byScanner)]);
    given(tokenAdded())
      .when(disableToken({ caller: reader }))
      .then(refuse('scope-missing'));
    given()
      .when(addToken({ caller: provisioning }))
      .then([
        tokenAdded({ by: { kind: 'service', id: 'provisioning' }, authority: 'administrator' }),
      ]);
  });

  it('nobody but the user and an internal service adds a token, since whoever adds it sees the secret', () => {
    for (const caller of [carol, admin, mallory]) {
      given().when(addToken({ caller })).then(refuse('not-own-user'));
    }
  });
});

describe('rule 4: what a higher authority disabled can not be undone by a lower one', () => {
  it('an owner cannot enable what an administrator disabled', () => {
    given(tokenAdded(), tokenDisabled(2, byAdmin))
      .when(enableToken({ caller: alice }))
      .then(refuse('authority-too-low'));
  });

  it.each(
    AUTHORITIES.flatMap((held, h) =>
      AUTHORITIES.map((own, o) => ({ held, own, may: o >= h ? 'enables' : 'cannot enable' })),
    ),
  )('$own $may what was disabled on the authority of $held', ({ held, own, may }) => {
    given(tokenAdded(), tokenDisabled(2, signed[held]))
      .when(enableToken({ caller: by[own] }))
      .then(may === 'enables' ? [tokenEnabled(3, signed[own])] : refuse('authority-too-low'));
  });

  it('an administrator who names the authority of an owner enables no more than an owner', () => {
    given(tokenAdded(), tokenDisabled(2, byAdmin))
      .when(enableToken({ caller: admin, authority: 'owner' }))
      .then(refuse('authority-too-low'));
  });

  it('nobody disables on a higher authority than the own', () => {
    given(tokenAdded())
      .when(disableToken({ caller: alice, authority: 'administrator' }))
      .then(refuse('authority-too-low'));
  });

  it('an administrator who disables what the owner had disabled raises the authority, by a new event', () => {
    given(tokenAdded(), tokenDisabled(2))
      .when(disableToken({ caller: admin, reason: 'policy' }))
      .then([tokenDisabled(3, { ...byAdmin, reason: 'policy' })]);
    given(tokenAdded(), tokenDisabled(2), tokenDisabled(3, byAdmin))
      .when(enableToken({ caller: alice }))
      .then(refuse('authority-too-low'));
  });

  it('an owner may still rename and revoke what an administrator disabled', () => {
    given(tokenAdded(), tokenDisabled(2, byAdmin))
      .when(renameToken())
      .then([tokenRenamed(3)]);
    given(tokenAdded(), tokenDisabled(2, byAdmin))
      .when(revokeToken())
      .then([tokenRevoked(3)]);
  });
});

describe('rule 5: repeating what already holds succeeds, changes nothing and records no event', () => {
  it('disabling a disabled token with no more authority', () => {
    given(tokenAdded(), tokenDisabled(2, byAdmin))
      .when(disableToken({ caller: alice, reason: 'unused', note: 'sealed-note' }))
      .then([]);
  });

  it('enabling an active token', () => {
    given(tokenAdded())
      .when(enableToken({ caller: admin }))
      .then([]);
  });

  it('revoking a revoked token, and giving a token the name that it has', () => {
    given(tokenAdded(), tokenRevoked(2)).when(revokeToken()).then([]);
    given(tokenAdded())
      .when(renameToken({ name: 'sealed-build' }))
      .then([]);
  });

  it('yet a repeat that names another version is refused', () => {
    given(tokenAdded(), tokenDisabled(2))
      .when(disableToken({ expectedVersion: 1 }))
      .then(refuse('version-mismatch'));
  });

  // The exact words of `precise.md` 17: nothing changes only if the authority is no higher *and* the
  // end no later; else the result has the higher authority and the later end. Every case there is.
  const NEVER = Infinity;
  const ends = [50, 100, 150, NEVER];
  const end = (seconds: number): string | null => (seconds === NEVER ? null : at(seconds));
  const said = (seconds: number): string => (seconds === NEVER ? 'for good' : `until ${seconds}`);
  const rows = AUTHORITIES.flatMap((held, h) =>
    [100, NEVER].flatMap((heldEnd) =>
      AUTHORITIES.flatMap((own, o) =>
        ends.map((ownEnd) => {
          const nothing = o <= h && ownEnd <= heldEnd;
          const authority = AUTHORITIES[Math.max(h, o)]!;
          const until = Math.max(heldEnd, ownEnd);
          const outcome = nothing ? 'nothing' : `${authority}, ${said(until)}`;
          return { held, heldEnd, own, ownEnd, nothing, authority, until, outcome };
        }),
      ),
    ),
  ).map((row) => ({
    ...row,
    was: `${row.held}, ${said(row.heldEnd)}`,
    asked: `${row.own}, ${said(row.ownEnd)}`,
  }));
  it.each(rows)('disabled by $was; disabled again by $asked: $outcome', (row) => {
    const history = [
      tokenAdded(),
      tokenDisabled(2, { ...signed[row.held], at: at(10), until: end(row.heldEnd) }),
    ];
    const command: DisableToken = disableToken({
      at: at(20),
      caller: by[row.own],
      until: end(row.ownEnd),
      reason: 'policy',
    });
    const event = tokenDisabled(3, {
      ...signed[row.own],
      at: at(20),
      disabledWith: row.authority,
      until: end(row.until),
      reason: 'policy',
    });
    given(...history)
      .when(command)
      .then(row.nothing ? [] : [event]);

    // What holds afterwards, and who is named for it: nobody takes the place of a higher authority.
    const held = after(...history, ...(row.nothing ? [] : [event])).disabled;
    expect(held).toMatchObject({
      authority: row.authority,
      until: end(row.until),
      version: row.nothing ? 2 : 3,
    });
    const outranked = AUTHORITIES.indexOf(row.own) < AUTHORITIES.indexOf(row.held);
    const namesTheFirst = row.nothing || outranked;
    expect(held?.by.id).toBe(by[namesTheFirst ? row.held : row.own].id);
    expect(held?.reason).toBe(namesTheFirst ? null : 'policy');
  });
});

describe('rule 6: revoking is for ever', () => {
  const revoked = [tokenAdded(), tokenDisabled(2), tokenRevoked(3)];

  it('an active and a disabled token are revoked by one event', () => {
    given(tokenAdded())
      .when(revokeToken({ reason: 'exposed', note: 'sealed-note' }))
      .then([tokenRevoked(2, { reason: 'exposed', note: 'sealed-note' })]);
    given(tokenAdded(), tokenDisabled(2))
      .when(revokeToken())
      .then([tokenRevoked(3)]);
  });

  it.each([alice, admin, scanner])(
    'a revoked token is enabled, renamed and disabled by nobody ($id)',
    (caller) => {
      given(...revoked)
        .when(enableToken({ caller }))
        .then(refuse('token-revoked'));
      given(...revoked)
        .when(disableToken({ caller }))
        .then(refuse('token-revoked'));
      given(...revoked)
        .when(renameToken({ caller }))
        .then(refuse('token-revoked'));
      given(...revoked)
        .when(renameToken({ caller, name: 'sealed-build' }))
        .then(refuse('token-revoked'));
    },
  );

  it('the scheduler does not enable it either', () => {
    given(tokenAdded(), tokenDisabled(2, { until: at(70) }), tokenRevoked(3))
      .when(enableTokenWhenDue({ at: at(80) }))
      .then([]);
  });

  it('no event that follows makes it valid again', () => {
    expect(statusOf(after(...revoked, tokenEnabled(4)), at(60))).toBe('revoked');
  });
});

describe('rule 7: at most so many tokens that are not revoked, each name once among them', () => {
  const added = (n: number, said: Parameters<typeof tokenAdded>[0] = {}): TokenEvent =>
    tokenAdded({ tokenId: tokenId(n), name: `sealed-${n}`, ...said });
  const five = [1, 2, 3, 4, 5].map((n) => added(n));
  const sixth = addToken({ tokenId: tokenId(6), name: 'sealed-6' });

  it('a user adds the fifth token and is refused the sixth', () => {
    given(...five.slice(0, 4))
      .when(sixth)
      .then([added(6)]);
    given(...five)
      .when(sixth)
      .then(refuse('token-limit'));
  });

  it('the limit is a setting', () => {
    given(...five)
      .when({ ...sixth, limit: 6 })
      .then([added(6)]);
    given()
      .when(addToken({ limit: 0 }))
      .then(refuse('token-limit'));
  });

  it('a revoked token counts no more; a disabled and an expired one do', () => {
    given(...five, tokenRevoked(2))
      .when(sixth)
      .then([added(6)]);
    given(...five, tokenDisabled(2))
      .when(sixth)
      .then(refuse('token-limit'));
    given(...five.slice(1), added(1, { expiresAt: at(1) }))
      .when({ ...sixth, at: at(2) })
      .then(refuse('token-limit'));
  });

  it('a name is unique among the tokens that are not revoked, for adding and for renaming', () => {
    given(added(2))
      .when(addToken({ name: 'sealed-2' }))
      .then(refuse('name-taken'));
    given(tokenAdded(), added(2))
      .when(renameToken({ name: 'sealed-2' }))
      .then(refuse('name-taken'));
    given(added(2, { expiresAt: at(1) }))
      .when(addToken({ name: 'sealed-2', at: at(2) }))
      .then(refuse('name-taken'));
  });

  it('the name of a revoked token is free again', () => {
    const revoked = tokenRevoked(2, { tokenId: tokenId(2) });
    given(added(2), revoked)
      .when(addToken({ name: 'sealed-2' }))
      .then([tokenAdded({ name: 'sealed-2' })]);
    given(tokenAdded(), added(2), revoked)
      .when(renameToken({ name: 'sealed-2' }))
      .then([tokenRenamed(2, { name: 'sealed-2' })]);
  });

  it('the name that a token had before is free again', () => {
    given(tokenAdded(), tokenRenamed(2))
      .when(addToken({ tokenId: tokenId(2), name: 'sealed-build' }))
      .then([tokenAdded({ tokenId: tokenId(2), name: 'sealed-build' })]);
  });

  it('other users have their own names and their own number', () => {
    const carols = [1, 2, 3, 4, 5].map((n) => added(n, { userId: 'u-carol' }));
    given(...carols, added(6))
      .when(renameToken({ tokenId: tokenId(6), name: 'sealed-1' }))
      .then([tokenRenamed(2, { tokenId: tokenId(6), name: 'sealed-1' })]);
    given(...carols)
      .when({ ...sixth, name: 'sealed-1' })
      .then([added(6, { name: 'sealed-1' })]);
  });

  it("a user's account is fixed by the first token, even a revoked one", () => {
    const service = { caller: provisioning, accountId: 'globex', tokenId: tokenId(2) };
    given(tokenAdded()).when(addToken(service)).then(refuse('account-mismatch'));
    given(tokenAdded(), tokenRevoked(2)).when(addToken(service)).then(refuse('account-mismatch'));
  });

  it('the secret can not be changed: no event but the first carries one', () => {
    const one = after(tokenAdded(), tokenRenamed(2), tokenDisabled(3), tokenEnabled(4));
    expect(one.secretDigest).toBe(digest(1));
    expect(one.hint).toBe('a1B2c3');
  });

  it('renaming changes the name alone (its 1 to 100 characters are checked before it is sealed)', () => {
    given(tokenAdded())
      .when(renameToken())
      .then([tokenRenamed(2)]);
    expect(after(tokenAdded(), tokenRenamed(2))).toStrictEqual({
      ...after(tokenAdded()),
      name: 'sealed-release',
      version: 2,
      changedAt: at(60),
    });
  });
});

describe('rule 8: a disable may carry a reason and an end, at which the scheduler enables the token', () => {
  const due = [tokenAdded(), tokenDisabled(2, { until: at(100) })];
  const byScheduler = {
    by: { kind: 'scheduler', id: 'scheduler' },
    cause: 'until',
    authority: 'owner',
  } as const;

  it.each(REASONS)('the reason %s is kept', (reason) => {
    given(tokenAdded())
      .when(disableToken({ reason }))
      .then([tokenDisabled(2, { reason })]);
    expect(after(tokenAdded(), tokenDisabled(2, { reason })).disabled?.reason).toBe(reason);
  });

  it('the end must lie ahead', () => {
    given(tokenAdded())
      .when(disableToken({ until: at(61) }))
      .then([tokenDisabled(2, { until: at(61) })]);
    for (const until of [at(60), at(59)]) {
      given(tokenAdded()).when(disableToken({ until })).then(refuse('time-not-ahead'));
    }
  });

  it("the end must lie ahead of the token's newest event too, where another replica's clock is ahead", () => {
    given(tokenAdded(), tokenRenamed(2, { at: at(70) }))
      .when(disableToken({ at: at(60), until: at(65) }))
      .then(refuse('time-not-ahead'));
  });

  it('at that time, and not before, the token is enabled by the scheduler', () => {
    given(...due)
      .when(enableTokenWhenDue({ at: at(99) }))
      .then([]);
    given(...due)
      .when(enableTokenWhenDue({ at: at(100) }))
      .then([tokenEnabled(3, { at: at(100), ...byScheduler })]);
  });

  it.each(AUTHORITIES)('the scheduler acts with the authority of the disable: %s', (held) => {
    given(tokenAdded(), tokenDisabled(2, { ...signed[held], until: at(100) }))
      .when(enableTokenWhenDue({ at: at(100) }))
      .then([tokenEnabled(3, { at: at(100), ...byScheduler, authority: held })]);
  });

  it('a disable without an end is not lifted', () => {
    given(tokenAdded(), tokenDisabled(2))
      .when(enableTokenWhenDue({ at: at(1000) }))
      .then([]);
  });

  it('a rename since then is not a change that keeps the scheduler away', () => {
    given(...due, tokenRenamed(3, { at: at(80) }))
      .when(enableTokenWhenDue({ at: at(100) }))
      .then([tokenEnabled(4, { at: at(100), ...byScheduler })]);
  });

  it.each<[string, readonly TokenEvent[]]>([
    ['a later disable', [tokenDisabled(3, { ...byAdmin, at: at(80), until: at(100) })]],
    ['an enable', [tokenEnabled(3, { at: at(80) })]],
    [
      'an enable and a disable',
      [tokenEnabled(3, { at: at(80) }), tokenDisabled(4, { at: at(90), until: at(100) })],
    ],
    ['a revoke', [tokenRevoked(3, { at: at(80) })]],
  ])('%s since then keeps the scheduler away', (_, since) => {
    given(...due, ...since)
      .when(enableTokenWhenDue({ at: at(100) }))
      .then([]);
  });

  it('a later disable is lifted at its own end', () => {
    given(...due, tokenDisabled(3, { at: at(80), until: at(200) }))
      .when(enableTokenWhenDue({ at: at(200), disabledAtVersion: 3 }))
      .then([tokenEnabled(4, { at: at(200), ...byScheduler })]);
  });

  it('a disable that changed nothing does not keep the scheduler away', () => {
    given(...due)
      .when(disableToken({ until: at(90) }))
      .then([]);
  });

  it('the scheduler does not enable a token that has expired, or one that is not there', () => {
    given(tokenAdded({ expiresAt: at(100) }), tokenDisabled(2, { until: at(100) }))
      .when(enableTokenWhenDue({ at: at(100) }))
      .then([]);
    given().when(enableTokenWhenDue()).then([]);
  });
});

describe('rule 9: a token may expire at a fixed time, and no event says so', () => {
  const NOW = at(60);
  const past = { expiresAt: at(60) };
  const ahead = { expiresAt: at(61) };
  it.each<[Status, string, TokenEvent[]]>([
    ['active', 'nothing else', [tokenAdded()]],
    ['active', 'an end ahead', [tokenAdded(ahead)]],
    ['disabled', 'disabled', [tokenAdded(), tokenDisabled(2)]],
    ['disabled', 'disabled, an end ahead', [tokenAdded(ahead), tokenDisabled(2)]],
    ['expired', 'an end that has come', [tokenAdded(past)]],
    ['expired', 'disabled, an end that has come', [tokenAdded(past), tokenDisabled(2)]],
    ['revoked', 'revoked', [tokenAdded(), tokenRevoked(2)]],
    ['revoked', 'revoked, an end that has come', [tokenAdded(past), tokenRevoked(2)]],
    ['revoked', 'disabled and revoked', [tokenAdded(), tokenDisabled(2), tokenRevoked(3)]],
    [
      'revoked',
      'disabled and revoked, an end that has come',
      [tokenAdded(past), tokenDisabled(2), tokenRevoked(3)],
    ],
  ])('the status is %s with %s', (expected, _, history) => {
    expect(statusOf(after(...history), NOW)).toBe(expected);
  });

  it('the end must lie ahead when the token is added', () => {
    given()
      .when(addToken({ expiresAt: at(1) }))
      .then([tokenAdded({ expiresAt: at(1) })]);
    for (const expiresAt of [at(0), at(-1)]) {
      given().when(addToken({ expiresAt })).then(refuse('time-not-ahead'));
    }
  });

  it('an expired token is enabled by nobody, disabled or not', () => {
    for (const caller of [alice, admin, scanner]) {
      given(tokenAdded(past)).when(enableToken({ caller })).then(refuse('token-expired'));
      given(tokenAdded(past), tokenDisabled(2, { at: at(30) }))
        .when(enableToken({ caller }))
        .then(refuse('token-expired'));
    }
  });

  it("nor by a replica whose clock is behind the token's newest event", () => {
    given(tokenAdded(past), tokenDisabled(2, { at: at(60) }))
      .when(enableToken({ at: at(59) }))
      .then(refuse('token-expired'));
    given(tokenAdded(past), tokenDisabled(2, { at: at(10), until: at(50) }), tokenRenamed(3))
      .when(enableTokenWhenDue({ at: at(55) }))
      .then([]);
  });

  it('an expired token can still be disabled, renamed and revoked', () => {
    given(tokenAdded(past))
      .when(disableToken())
      .then([tokenDisabled(2)]);
    given(tokenAdded(past))
      .when(renameToken())
      .then([tokenRenamed(2)]);
    given(tokenAdded(past))
      .when(revokeToken())
      .then([tokenRevoked(2)]);
  });
});

describe('rule 10: decided on the write side (the domain: from the events and the command alone)', () => {
  it('a command sees the event that came just before it', () => {
    given(tokenAdded(), tokenDisabled(2, { ...byAdmin, at: at(60) }))
      .when(enableToken({ at: at(60) }))
      .then(refuse('authority-too-low'));
  });

  it("an administrator's API token, which carries API Access alone, is an owner and no more", () => {
    const byOwnToken: Caller = { ...admin, privileges: new Set(['API Access']) };
    given(tokenAdded())
      .when(disableToken({ caller: byOwnToken }))
      .then(refuse('token-unknown'));
    given(tokenAdded({ userId: 'u-admin' }), tokenDisabled(2, { ...byAdmin, userId: 'u-admin' }))
      .when(enableToken({ caller: byOwnToken }))
      .then(refuse('authority-too-low'));
  });

  it('who saw another version is refused', () => {
    for (const expectedVersion of [1, 3]) {
      given(tokenAdded(), tokenDisabled(2))
        .when(enableToken({ expectedVersion }))
        .then(refuse('version-mismatch'));
    }
    given(tokenAdded(), tokenDisabled(2))
      .when(enableToken({ expectedVersion: 2 }))
      .then([tokenEnabled(3)]);
  });

  it("a token's times never run backwards, whichever replica's clock decided", () => {
    given(tokenAdded(), tokenDisabled(2, { at: at(60) }))
      .when(enableToken({ at: at(50) }))
      .then([tokenEnabled(3, { at: at(60) })]);
  });
});

describe('rule 11: trying a disabled token never locks its owner out (the domain knows no tries; they are counted by the gateway)', () => {
  it('the owner of a disabled token renames and enables it, and adds another', () => {
    given(tokenAdded(), tokenDisabled(2))
      .when(renameToken())
      .then([tokenRenamed(3)]);
    given(tokenAdded(), tokenDisabled(2))
      .when(enableToken())
      .then([tokenEnabled(3)]);
    const another = { tokenId: tokenId(2), name: 'sealed-2' };
    given(tokenAdded(), tokenDisabled(2))
      .when(addToken(another))
      .then([tokenAdded(another)]);
  });
});

describe('rule 12: a credential names its owner (the domain keeps the digests; credentials are read in libs/token-guard)', () => {
  it('a token keeps the digests of its secret and of its user name from its first event, for ever', () => {
    given().when(addToken()).then([tokenAdded()]);
    const one = after(tokenAdded(), tokenRenamed(2), tokenDisabled(3), tokenRevoked(4));
    expect(one).toMatchObject({ secretDigest: digest(1), userNameDigest: digest(2) });
  });
});

describe('rule 13: a stranger learns nothing (the domain: one refusal for what is not there and what is not theirs)', () => {
  it.each([mallory, carol, bob, { ...alice, accountId: 'globex' }, { ...admin, accountId: null }])(
    'to $id of $accountId, a token that is not theirs is as unknown as one that is not there',
    (caller) => {
      for (const command of onAToken) {
        given(tokenAdded()).when(command(caller)).then(refuse('token-unknown'));
        given(tokenAdded(), tokenRevoked(2)).when(command(caller)).then(refuse('token-unknown'));
        given(tokenAdded())
          .when(command(caller, tokenId(9)))
          .then(refuse('token-unknown'));
      }
    },
  );

  it('nor does the version, or an authority, that a stranger names tell one from the other', () => {
    for (const id of [tokenId(1), tokenId(9)]) {
      const said = {
        caller: mallory,
        tokenId: id,
        expectedVersion: 7,
        authority: 'security',
      } as const;
      given(tokenAdded()).when(disableToken(said)).then(refuse('token-unknown'));
    }
  });

  it('a service without the scope is told so, whether the token is there or not', () => {
    for (const command of onAToken) {
      for (const id of [tokenId(1), tokenId(9)]) {
        given(tokenAdded()).when(command(reader, id)).then(refuse('scope-missing'));
      }
    }
  });
});

describe('rule 10: who asks with an API token', () => {
  const own: Caller = { ...alice, tokenId: tokenId(1) };
  const second = tokenAdded({ tokenId: tokenId(2), name: 'sealed-second' });

  it('manages the tokens of its user, itself included, while it is active', () => {
    given(tokenAdded(), second)
      .when(renameToken({ caller: own, tokenId: tokenId(2), name: 'sealed-new' }))
      .then([
        tokenRenamed(2, {
          tokenId: tokenId(2),
          name: 'sealed-new',
          by: { kind: 'user', id: 'u-alice' },
        }),
      ]);
    for (const command of onAToken) {
      expect(decide([tokenAdded()].reduce<Tokens>(evolve, noTokens), command(own))).toBeInstanceOf(
        Array,
      );
    }
  });

  it.each<[string, TokenEvent[], 'token-disabled' | 'unauthenticated']>([
    ['disabled', [tokenAdded(), tokenDisabled(2)], 'token-disabled'],
    ['revoked', [tokenAdded(), tokenRevoked(2)], 'unauthenticated'],
    ['expired', [tokenAdded({ expiresAt: at(1) })], 'unauthenticated'],
    ['not there', [], 'unauthenticated'],
  ])('can do nothing at all once that is %s', (_, history, code) => {
    for (const command of onAToken) {
      for (const id of [tokenId(1), tokenId(2)]) {
        given(second, ...history)
          .when({ ...command(own, id), at: at(60) })
          .then(refuse(code));
      }
    }
    given(second, ...history)
      .when(addToken({ caller: own, tokenId: tokenId(3), at: at(60), name: 'sealed-third' }))
      .then(refuse(code));
  });
});

describe('folding a history', () => {
  it.each<[string, TokenEvent[]]>([
    ['an event of a token that was not added', [tokenDisabled(1)]],
    ['a gap', [tokenAdded(), tokenDisabled(3)]],
    ['a repeat', [tokenAdded(), tokenDisabled(2), tokenDisabled(2)]],
    ['the same token added twice', [tokenAdded(), tokenAdded()]],
    ['a token added again as its next version', [tokenAdded(), tokenAdded({ tokenVersion: 2 })]],
    ['a first event that is not version 1', [tokenAdded({ tokenVersion: 2 })]],
    ['version 0', [tokenAdded({ tokenVersion: 0 })]],
  ])('refuses %s', (_, history) => {
    expect(() => history.reduce(evolve, noTokens)).toThrow(OutOfOrder);
  });

  it('says which version comes next, and which came', () => {
    expect.assertions(1);
    try {
      evolveToken(after(tokenAdded()), tokenDisabled(5));
    } catch (error) {
      expect(error).toMatchObject({ tokenId: tokenId(1), expected: 2, got: 5 });
    }
  });

  it('leaves what it was given as it was', () => {
    const before = evolve(noTokens, tokenAdded());
    evolve(before, tokenDisabled(2));
    expect(noTokens.size).toBe(0);
    expect(before.get(tokenId(1))).toStrictEqual(after(tokenAdded()));
  });
});
