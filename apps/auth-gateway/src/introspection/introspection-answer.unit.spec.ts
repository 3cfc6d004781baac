import { describe, expect, it } from '@jest/globals';
import { OUTCOMES } from '@token-status/token-guard';
import type { Decision, Finding, TokenIdentity } from '@token-status/token-guard';
import { introspectionAnswer } from './introspection-answer.js';

const token: TokenIdentity = {
  tokenId: 'tok_1',
  userId: 'u-alice',
  accountId: 'acme',
  version: 7,
  expiresAt: 1_900_000_000_999,
};

const decisionOf = (finding: Finding): Decision =>
  finding === 'active' || finding === 'active-stale'
    ? { outcome: 'pass', finding, token, ageMs: 41.2 }
    : ({ outcome: OUTCOMES[finding], finding, ageMs: 42.1 } as Decision);

const ACTIVE = {
  status: 200,
  headers: { 'x-token-age': '42' },
  body: {
    active: true,
    token_type: 'Bearer',
    sub: 'u-alice',
    jti: 'tok_1',
    exp: 1_900_000_000,
    account_id: 'acme',
    token_version: 7,
  },
};
const INACTIVE = { status: 200, headers: { 'x-token-age': '43' }, body: { active: false } };
const UNAVAILABLE = {
  status: 503,
  headers: { 'retry-after': '1', 'x-token-age': '43' },
  body: { error: 'temporarily_unavailable' },
};

/** Complete: a finding that is new has to be given its answer here. */
const TABLE: Readonly<Record<Finding, object>> = {
  active: ACTIVE,
  'active-stale': { ...UNAVAILABLE, headers: { 'retry-after': '1', 'x-token-age': '42' } },
  disabled: INACTIVE,
  expired: INACTIVE,
  revoked: INACTIVE,
  parked: INACTIVE,
  unknown: INACTIVE,
  'wrong-user-name': INACTIVE,
  malformed: INACTIVE,
  none: INACTIVE,
  stale: UNAVAILABLE,
  behind: UNAVAILABLE,
};

describe('an introspection', () => {
  it.each(Object.keys(OUTCOMES) as Finding[])('of a token that is found %s', (finding) => {
    expect(introspectionAnswer(decisionOf(finding))).toEqual(TABLE[finding]);
  });

  it('says exactly one thing of a token that is not valid, whatever the reason', () => {
    const bodies = (Object.keys(OUTCOMES) as Finding[])
      .map((finding) => JSON.stringify(introspectionAnswer(decisionOf(finding)).body))
      .filter((body) => body.includes('"active":false'));
    expect(new Set(bodies)).toEqual(new Set(['{"active":false}']));
  });

  it('has no end for a token that never expires', () => {
    const decision: Decision = {
      outcome: 'pass',
      finding: 'active',
      token: { ...token, expiresAt: null },
      ageMs: 0,
    };
    expect(introspectionAnswer(decision).body).not.toHaveProperty('exp');
  });

  it('that a limit forbids says when to ask again, and nothing of the token', () => {
    const decision: Decision = { outcome: 'limited', finding: 'unknown', retryAfterSecs: 7 };
    expect(introspectionAnswer(decision)).toEqual({
      status: 429,
      headers: { 'retry-after': '7' },
      body: { error: 'temporarily_unavailable' },
    });
  });
});
