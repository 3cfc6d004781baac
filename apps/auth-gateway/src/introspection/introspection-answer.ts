import type { Decision } from '@token-status/token-guard';

/** What is answered to a caller that has authenticated itself: JSON, never kept by a cache. */
export interface IntrospectionAnswer {
  readonly status: number;
  /** Names in lower case; what all answers have is not among them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ActiveToken | { readonly active: false } | OAuthError;
}

/**
 * RFC 7662 §2.2, under the names that are registered for its members where there are such. What it says
 * no word of, we can't know: scopes, a client, an audience, when it was issued.
 */
export interface ActiveToken {
  readonly active: true;
  /** However it is presented, by whoever holds it (RFC 6749 §5.1). */
  readonly token_type: 'Bearer';
  /** The user's id. */
  readonly sub: string;
  /** The token's id, which is no secret. */
  readonly jti: string;
  /** Seconds since the Unix epoch, rounded down; left out where it never expires. */
  readonly exp?: number;
  readonly account_id: string;
  readonly token_version: number;
}

/** RFC 6749 §5.2. */
export interface OAuthError {
  readonly error: OAuthErrorCode;
}

export type OAuthErrorCode =
  | 'invalid_request'
  | 'invalid_client'
  /** RFC 6750 §3.1. */
  | 'insufficient_scope'
  /** RFC 6749 §4.1.2.1 has it for a redirection; there is no other word for it. */
  | 'temporarily_unavailable';

export const oauthError = (
  status: number,
  error: OAuthErrorCode,
  headers: Readonly<Record<string, string>> = {},
): IntrospectionAnswer => ({ status, headers, body: { error } });

/** To whatever is not valid, for whatever reason: nobody learns here that a token is disabled, or was. */
const INACTIVE = { active: false } as const;

/**
 * The table from decision to introspection. What a gateway does not know it does not answer: neither
 * `true` by a view that is too old, whatever a route may allow, nor `false`, which would be believed.
 */
export function introspectionAnswer(decision: Decision): IntrospectionAnswer {
  const answer = answerTo(decision);
  return { ...answer, headers: { ...answer.headers, ...ageHeader(decision.ageMs) } };
}

function answerTo(decision: Decision): IntrospectionAnswer {
  switch (decision.outcome) {
    case 'unavailable':
      return oauthError(503, 'temporarily_unavailable', { 'retry-after': '1' });
    case 'limited':
      return oauthError(429, 'temporarily_unavailable', {
        'retry-after': String(decision.retryAfterSecs),
      });
    case 'disabled':
    case 'stranger':
    case 'challenge':
      return { status: 200, headers: {}, body: INACTIVE };
    case 'pass': {
      if (decision.finding === 'active-stale') {
        return oauthError(503, 'temporarily_unavailable', { 'retry-after': '1' });
      }
      const { tokenId, userId, accountId, version, expiresAt } = decision.token;
      return {
        status: 200,
        headers: {},
        body: {
          active: true,
          token_type: 'Bearer',
          sub: userId,
          jti: tokenId,
          ...(expiresAt === null ? {} : { exp: Math.floor(expiresAt / 1000) }),
          account_id: accountId,
          token_version: version,
        },
      };
    }
  }
}

/** Rounded up: an age must not look smaller than it is. */
const ageHeader = (ageMs: number | undefined): Record<string, string> =>
  ageMs === undefined ? {} : { 'x-token-age': String(Math.ceil(ageMs)) };
