import { describe, expect, it } from '@jest/globals';
import { OUTCOMES } from './decision.js';
import type { Decision, Outcome } from './decision.js';
import { grpcCode } from './grpc-answer.js';
import { httpAnswer } from './http-answer.js';

const token = { tokenId: 't', userId: 'u', accountId: 'a', version: 1, expiresAt: null };

/** Outcome → what is said over HTTP, and over gRPC. */
const ANSWERS: Readonly<Record<Outcome, readonly [Decision, http: number, grpc: number]>> = {
  pass: [{ outcome: 'pass', finding: 'active', token, ageMs: 1 }, 200, 0],
  challenge: [{ outcome: 'challenge', finding: 'none' }, 401, 16],
  stranger: [{ outcome: 'stranger', finding: 'unknown' }, 401, 16],
  disabled: [{ outcome: 'disabled', finding: 'disabled' }, 401, 16],
  unavailable: [{ outcome: 'unavailable', finding: 'stale' }, 503, 14],
  limited: [{ outcome: 'limited', finding: 'unknown', retryAfterSecs: 3 }, 429, 8],
};

describe('an outcome has one answer on each surface', () => {
  it.each(Object.entries(ANSWERS))('%s', (outcome, [decision, http, grpc]) => {
    expect(decision.outcome).toBe(outcome);
    expect({ http: httpAnswer(decision).status, grpc: grpcCode(decision) }).toEqual({ http, grpc });
  });

  it('and every finding leads to one of them', () => {
    const known = new Set(Object.keys(ANSWERS));
    for (const outcome of Object.values(OUTCOMES)) expect(known).toContain(outcome);
  });

  it('only a pass is OK', () => {
    for (const [decision] of Object.values(ANSWERS)) {
      expect(grpcCode(decision) === 0).toBe(decision.outcome === 'pass');
    }
  });
});
