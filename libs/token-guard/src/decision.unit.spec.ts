import { describe, expect, it } from '@jest/globals';
import { newSecret } from '@token-status/contracts';
import type { WireEvent } from '@token-status/contracts';
import { parseCredential } from './credential.js';
import { OUTCOMES, decide } from './decision.js';
import type { Finding } from './decision.js';
import { CompactTable } from './compact-table.js';
import type { Freshness } from './freshness.js';
import { basic, bearer, published, token, wireEvent } from './given.spec.js';
import { headerValue, httpAnswer } from './http-answer.js';

const NOW = Date.UTC(2026, 5, 1);
const FRESH: Freshness = { state: 'fresh', ageMs: 12.3 };

const table = new CompactTable();
const holding = (
  name: string,
  types: readonly WireEvent['type'][],
  expiresAt: string | null = null,
) => {
  const it = token(name, { expiresAt });
  types.forEach((type, i) => table.apply(published(wireEvent(it, type, i + 1))));
  return it;
};
const active = holding('active', ['TokenAdded']);
const disabled = holding('disabled', ['TokenAdded', 'TokenDisabled']);
const enabled = holding('enabled', ['TokenAdded', 'TokenDisabled', 'TokenEnabled']);
const revoked = holding('revoked', ['TokenAdded', 'TokenDisabled', 'TokenRevoked']);
const expired = holding('expired', ['TokenAdded', 'TokenDisabled'], '2026-06-01T00:00:00.000Z');
const mortal = holding('mortal', ['TokenAdded'], '2026-06-01T00:00:00.001Z');
const parked = holding('parked', ['TokenAdded']);
table.park(parked.tokenId, 'unreadable');
const unknown = token('unknown');
const broken = {
  ...active,
  secret: active.secret.slice(0, -1) + (active.secret.endsWith('0') ? '1' : '0'),
};

const judge = (
  authorization: string | undefined,
  more: Partial<Parameters<typeof decide>[0]> = {},
) =>
  decide({
    credential: parseCredential(authorization, 'BOOMI_TOKEN.'),
    freshness: FRESH,
    table,
    watermark: 100,
    minPosition: 0,
    onStale: 'deny',
    now: NOW,
    ...more,
  });

describe('the decision', () => {
  const rows: [string, typeof active, Finding][] = [
    ['an active token', active, 'active'],
    ['a token enabled again', enabled, 'active'],
    ['a token a millisecond before its end', mortal, 'active'],
    ['a disabled token', disabled, 'disabled'],
    ['a token at its end, though disabled', expired, 'expired'],
    ['a revoked token, though disabled', revoked, 'revoked'],
    ['a parked token', parked, 'parked'],
    ['a secret that nobody has', unknown, 'unknown'],
    ['a secret with a wrong checksum', broken, 'malformed'],
  ];

  it.each(rows)('finds %s by Bearer', (_, { secret }, finding) => {
    expect(judge(bearer(secret))).toMatchObject({ finding, outcome: OUTCOMES[finding] });
  });

  it.each(rows)('finds %s by Basic with the owner’s name', (_, { userName, secret }, finding) => {
    expect(judge(basic(userName, secret))).toMatchObject({ finding, outcome: OUTCOMES[finding] });
  });

  it.each(rows)('gives a wrong user name the strangers’ answer for %s', (_, { secret }) => {
    expect(judge(basic('mallory@example.com', secret)).outcome).toBe('stranger');
  });

  it('tells of a disabled token nobody but who holds its secret and names its owner', () => {
    expect(judge(basic(disabled.userName, disabled.secret)).outcome).toBe('disabled');
    expect(judge(basic(active.userName, disabled.secret)).outcome).toBe('stranger');
    expect(judge(basic(disabled.userName, newSecret())).outcome).toBe('stranger');
  });

  it('compares user names as Unicode NFC', () => {
    const jürgen = token('j', { userName: 'j\u00fcrgen' });
    table.apply(published(wireEvent(jürgen, 'TokenAdded', 1)));
    expect(judge(basic('ju\u0308rgen', jürgen.secret)).outcome).toBe('pass');
  });

  it('judges expiry by the wall clock: at the very time it is expired', () => {
    const { secret } = mortal;
    expect(judge(bearer(secret), { now: NOW }).finding).toBe('active');
    expect(judge(bearer(secret), { now: NOW + 1 }).finding).toBe('expired');
  });

  it('says who it is, and how old the answer may be, only to who passes', () => {
    const { tokenId, userId, accountId, secret } = active;
    const decision = judge(bearer(secret));
    const said = {
      outcome: 'pass',
      finding: 'active',
      token: { tokenId, userId, accountId, version: 1, expiresAt: null },
      ageMs: 12.3,
    };
    expect(decision).toMatchObject(said);
    expect(JSON.parse(JSON.stringify(decision))).toEqual(said);
    for (const each of [disabled, revoked, expired, parked]) {
      expect(Object.keys(judge(bearer(each.secret)))).toEqual(['finding', 'outcome', 'ageMs']);
    }
  });

  it.each([
    ['starting', { state: 'starting', why: 'the history is being read', ageMs: null }],
    ['stale', { state: 'stale', why: 'too old', ageMs: 6000, onlyOld: true }],
  ] as const)('tells nobody anything while %s', (_, freshness) => {
    const everybody = [...rows.map(([, each]) => bearer(each.secret)), undefined, 'nonsense'];
    for (const authorization of everybody) {
      expect(judge(authorization, { freshness })).toEqual({
        outcome: 'unavailable',
        finding: 'stale',
        ...(freshness.ageMs === null ? {} : { ageMs: freshness.ageMs }),
      });
    }
  });

  describe('where a route allows known tokens while stale', () => {
    const onStale = 'allow-known';
    const old: Freshness = { state: 'stale', why: 'too old', ageMs: 6000, onlyOld: true };

    it('passes who was active when the view was last proven, and says how old that is', () => {
      for (const by of [bearer(active.secret), basic(active.userName, active.secret)]) {
        expect(judge(by, { freshness: old, onStale })).toMatchObject({
          outcome: 'pass',
          finding: 'active-stale',
          token: { tokenId: active.tokenId },
          ageMs: 6000,
        });
      }
    });

    it('tells everybody else nothing: what is not known may have come since', () => {
      const others = rows.filter(([, , finding]) => finding !== 'active');
      const everybody = [...others.map(([, each]) => bearer(each.secret)), undefined, 'nonsense'];
      everybody.push(basic('mallory', active.secret));
      for (const authorization of everybody) {
        expect(judge(authorization, { freshness: old, onStale })).toEqual({
          outcome: 'unavailable',
          finding: 'stale',
          ageMs: 6000,
        });
      }
    });

    it('passes nobody whose token has expired meanwhile', () => {
      expect(judge(bearer(mortal.secret), { freshness: old, onStale, now: NOW + 1 }).outcome).toBe(
        'unavailable',
      );
    });

    it.each<[string, Freshness]>([
      ['was never complete', { state: 'starting', why: '', ageMs: null }],
      ['can’t be trusted for more than its age', { ...old, onlyOld: false }],
    ])('passes nobody by a view that %s', (_, freshness) => {
      expect(judge(bearer(active.secret), { freshness, onStale }).outcome).toBe('unavailable');
    });

    it('asks no less of a position', () => {
      expect(
        judge(bearer(active.secret), { freshness: old, onStale, minPosition: 101 }).outcome,
      ).toBe('unavailable');
    });

    it('changes nothing while fresh', () => {
      for (const [, each] of rows) {
        expect(judge(bearer(each.secret), { onStale })).toEqual(judge(bearer(each.secret)));
      }
    });
  });

  it('waits for a position that the watermark has not reached', () => {
    expect(judge(bearer(active.secret), { minPosition: 100 }).outcome).toBe('pass');
    expect(judge(bearer(active.secret), { minPosition: 101 })).toEqual({
      outcome: 'unavailable',
      finding: 'behind',
      ageMs: 12.3,
    });
  });

  it('challenges who brings no credential', () => {
    expect(judge(undefined)).toEqual({ outcome: 'challenge', finding: 'none', ageMs: 12.3 });
  });
});

describe('the answer over HTTP', () => {
  it('is 200 with who it is, and never 204', () => {
    expect(httpAnswer(judge(bearer(active.secret)))).toEqual({
      status: 200,
      headers: {
        'cache-control': 'no-store',
        'x-token-id': active.tokenId,
        'x-token-user': active.userId,
        'x-token-account': 'acme',
        'x-token-version': '1',
        'x-token-age': '13',
      },
    });
  });

  it('is one and the same for every stranger', () => {
    const strangers = [
      bearer(unknown.secret),
      bearer(broken.secret),
      bearer(revoked.secret),
      bearer(expired.secret),
      bearer(parked.secret),
      basic('mallory', active.secret),
      basic('mallory', disabled.secret),
      'nonsense',
    ].map((authorization) => httpAnswer(judge(authorization)));
    expect(new Set(strangers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(strangers[0]).toEqual({
      status: 401,
      headers: {
        'cache-control': 'no-store',
        'www-authenticate':
          'Bearer realm="api", error="invalid_token", Basic realm="api", charset="UTF-8"',
        'x-token-age': '13',
      },
    });
  });

  it('says that the token is disabled to who may know', () => {
    expect(httpAnswer(judge(bearer(disabled.secret)))).toMatchObject({
      status: 401,
      headers: {
        'www-authenticate':
          'Bearer realm="api", error="invalid_token", error_description="The token is disabled", ' +
          'Basic realm="api", charset="UTF-8"',
      },
    });
  });

  it('challenges with both schemes and no error where no credential came', () => {
    expect(httpAnswer(judge(undefined))).toMatchObject({
      status: 401,
      headers: { 'www-authenticate': 'Bearer realm="api", Basic realm="api", charset="UTF-8"' },
    });
  });

  it('is 503 with a time to come back while nothing can be known', () => {
    const freshness = { state: 'stale', why: '', ageMs: null, onlyOld: false } as const;
    expect(httpAnswer(judge(bearer(active.secret), { freshness }))).toEqual({
      status: 503,
      headers: { 'cache-control': 'no-store', 'retry-after': '1' },
    });
  });

  it('percent-encodes what a header can’t hold, so that it can be undone', () => {
    expect(headerValue('u-alice@example.com')).toBe('u-alice@example.com');
    expect(headerValue('a b\r\nx: y%20')).toBe('a%20b%0D%0Ax:%20y%2520');
    expect(decodeURIComponent(headerValue('jürgen 名前 🗝'))).toBe('jürgen 名前 🗝');
    expect(headerValue('\ud800')).toBe('%EF%BF%BD');
  });
});
