import { describe, expect, it } from '@jest/globals';
import { httpAnswer } from '@token-status/token-guard';
import type { Decision } from '@token-status/token-guard';
import { checkResponse, MALFORMED_RESPONSE } from './check-response.js';

const PASS: Decision = {
  outcome: 'pass',
  finding: 'active',
  token: { tokenId: 'tok_1', userId: 'ü', accountId: 'acme', version: 7, expiresAt: null },
  ageMs: 41.5,
};

const set = (key: string, value: string): object => ({ header: { key, value }, append_action: 2 });

describe('a pass', () => {
  it('sets who it is on the request, and takes the credential away', () => {
    expect(checkResponse(PASS, [])).toEqual({
      status: { code: 0 },
      ok_response: {
        headers: [
          set('x-token-id', 'tok_1'),
          set('x-token-user', '%C3%BC'),
          set('x-token-account', 'acme'),
          set('x-token-version', '7'),
          set('x-token-age', '42'),
        ],
        headers_to_remove: ['authorization'],
      },
    });
  });

  it('takes away what the caller claims and the gateway does not say, and nothing that it says', () => {
    const claims = ['x-token-id', 'x_token_id', 'X-Token-User', 'x-token-scope', 'x-token_age'];
    expect(checkResponse(PASS, claims)).toMatchObject({
      ok_response: {
        headers_to_remove: ['authorization', 'x_token_id', 'x-token-scope', 'x-token_age'],
      },
    });
  });
});

describe('a refusal', () => {
  it.each<[Exclude<Decision, { outcome: 'pass' }>, grpc: number, http: number]>([
    [{ outcome: 'challenge', finding: 'none' }, 16, 401],
    [{ outcome: 'stranger', finding: 'malformed' }, 16, 401],
    [{ outcome: 'stranger', finding: 'unknown' }, 16, 401],
    [{ outcome: 'stranger', finding: 'revoked' }, 16, 401],
    [{ outcome: 'disabled', finding: 'disabled' }, 16, 401],
    [{ outcome: 'unavailable', finding: 'stale' }, 14, 503],
    [{ outcome: 'unavailable', finding: 'behind' }, 14, 503],
    [{ outcome: 'limited', finding: 'unknown', retryAfterSecs: 9 }, 8, 429],
  ])('%j is %d and, for the caller, %d with the headers of HTTP', (decision, grpc, http) => {
    const { headers } = httpAnswer(decision);
    expect(checkResponse(decision, ['x-token-id'])).toEqual({
      status: { code: grpc },
      denied_response: {
        status: { code: http },
        headers: Object.entries(headers).map(([key, value]) => set(key, value)),
      },
    });
  });

  it('of one outcome is the same answer, whatever was found', () => {
    const findings = ['unknown', 'malformed', 'expired', 'revoked', 'parked'] as const;
    const answers = findings.map((finding) => checkResponse({ outcome: 'stranger', finding }, []));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  });

  it('of what can’t be understood is INVALID_ARGUMENT, and 400 for the caller', () => {
    expect(MALFORMED_RESPONSE).toEqual({
      status: { code: 3 },
      denied_response: { status: { code: 400 }, headers: [set('cache-control', 'no-store')] },
    });
  });
});
