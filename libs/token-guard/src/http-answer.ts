import type { Decision, Outcome } from './decision.js';

/** An HTTP answer without a body. Header names are in lower case. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Both schemes in one field (RFC 9110 §11.6.1): some proxies, nginx before 1.23 among them, hand on
 * only the first of several. RFC 6750 §3 wants at least one parameter with Bearer; RFC 7617 §2.1 names
 * the character set.
 */
const challenges = (bearer: string): string =>
  `Bearer realm="api"${bearer}, Basic realm="api", charset="UTF-8"`;

const refusal = (status: number, headers: Record<string, string>): HttpAnswer =>
  Object.freeze({ status, headers: Object.freeze({ 'cache-control': 'no-store', ...headers }) });

/** The one table from outcome to HTTP: for `/verify`, and for any middleware. */
const REFUSALS: Readonly<Record<Exclude<Outcome, 'pass' | 'limited'>, HttpAnswer>> = {
  challenge: refusal(401, { 'www-authenticate': challenges('') }),
  stranger: refusal(401, { 'www-authenticate': challenges(', error="invalid_token"') }),
  disabled: refusal(401, {
    'www-authenticate': challenges(
      ', error="invalid_token", error_description="The token is disabled"',
    ),
  }),
  unavailable: refusal(503, { 'retry-after': '1' }),
};

const refusalOf = (decision: Exclude<Decision, { outcome: 'pass' }>): HttpAnswer =>
  decision.outcome === 'limited'
    ? // RFC 6585 §4.
      refusal(429, { 'retry-after': String(decision.retryAfterSecs) })
    : REFUSALS[decision.outcome];

const withAge = ({ status, headers }: HttpAnswer, ageMs: number | undefined): HttpAnswer =>
  ageMs === undefined
    ? { status, headers }
    : { status, headers: { ...headers, 'x-token-age': ageOf(ageMs) } };

/** Rounded up: an age must not look smaller than it is. */
const ageOf = (ageMs: number): string => String(Math.ceil(ageMs));

/** 200 with who it is, never 204 (Envoy would deny it); or one of a few constant refusals. */
export function httpAnswer(decision: Decision): HttpAnswer {
  if (decision.outcome !== 'pass') return withAge(refusalOf(decision), decision.ageMs);
  const { token, ageMs } = decision;
  return {
    status: 200,
    headers: {
      'cache-control': 'no-store',
      'x-token-id': headerValue(token.tokenId),
      'x-token-user': headerValue(token.userId),
      'x-token-account': headerValue(token.accountId),
      'x-token-version': String(token.version),
      'x-token-age': ageOf(ageMs),
    },
  };
}

const UNSAFE = /[^\x21-\x24\x26-\x7e]/u;
const EACH_UNSAFE = /[^\x21-\x24\x26-\x7e]/gu;

/** Percent-encodes (RFC 3986, UTF-8) what is not visible ASCII, and `%` itself, so that it can be undone. */
export function headerValue(text: string): string {
  if (!UNSAFE.test(text)) return text;
  // A lone surrogate has no UTF-8; U+FFFD stands for it.
  return text.replace(EACH_UNSAFE, (character) => encodeURIComponent(character.toWellFormed()));
}
