import { errors, jwtVerify } from 'jose';
import { platformProblem } from '../problem/problem.js';
import type { Problem } from '../problem/problem.js';
import { callerOf, MalformedClaims } from './caller.js';
import type { Caller } from './caller.js';
import { IssuerKeys, IssuerUnavailable } from './issuer-keys.js';
import type { IssuerKeysOptions } from './issuer-keys.js';

/** Says who a request comes from, by its Authorization header. The guard asks it for every route that isn't public. */
export interface CallerAuthentication {
  /** @throws Problem `unauthenticated` (401) or `issuer-unavailable` (503) */
  authenticate(authorization: string | undefined): Promise<Caller>;
}

export interface TokenVerifier extends CallerAuthentication {
  /**
   * Verifies an access token (a signed JWT; RFC 9068, RFC 8725).
   *
   * @throws Problem `unauthenticated` (401) or `issuer-unavailable` (503)
   */
  verify(token: string): Promise<Caller>;
  /** Fetches the issuer's keys; rejects with the 503 problem while it is out of reach. */
  load(): Promise<void>;
  /** Whether keys are there: for the readiness check. */
  readonly ready: boolean;
}

export interface TokenVerifierOptions extends Partial<Omit<IssuerKeysOptions, 'issuer'>> {
  /** As in the `iss` claim, to the letter. */
  readonly issuer: string;
  /** This API's own name in the `aud` claim. */
  readonly audience: string;
  /** How far the issuer's clock may be off. */
  readonly clockToleranceSeconds?: number;
}

/** Asymmetric only: with HS256 allowed, the public key would serve as the secret. */
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA'];
/** `at+jwt` is RFC 9068's; many issuers still write `JWT`. Anything else is a JWT made for something else. */
const TYPES = new Set(['at+jwt', 'application/at+jwt', 'jwt']);
const LONGEST_TOKEN = 8192;

export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const keys = new IssuerKeys({
    issuer: options.issuer,
    ...(options.jwksUri === undefined ? {} : { jwksUri: options.jwksUri }),
    timeoutMs: options.timeoutMs ?? 3000,
    refreshAfterMs: options.refreshAfterMs ?? 10 * 60_000,
    usableForMs: options.usableForMs ?? 60 * 60_000,
    coolDownMs: options.coolDownMs ?? 30_000,
    retryAfterMs: options.retryAfterMs ?? 2000,
  });
  const { issuer, audience, clockToleranceSeconds: clockTolerance = 5 } = options;

  const verify = async (token: string): Promise<Caller> => {
    if (token.length > LONGEST_TOKEN) throw invalidToken();
    try {
      const { payload, protectedHeader } = await jwtVerify(
        token,
        (header, jws) => keys.keyFor(header, jws),
        {
          issuer,
          audience,
          clockTolerance,
          algorithms: ALGORITHMS,
          requiredClaims: ['sub', 'exp'],
        },
      );
      if (!TYPES.has(protectedHeader.typ?.toLowerCase() ?? '')) throw new MalformedClaims('typ');
      return callerOf(payload);
    } catch (error) {
      throw toProblem(error);
    }
  };

  return {
    verify,
    authenticate: async (authorization) => {
      if (authorization === undefined || authorization === '') throw noToken();
      const token = /^bearer +([\w.~+/-]+=*) *$/i.exec(authorization)?.[1];
      if (token === undefined) throw invalidToken();
      return verify(token);
    },
    load: async () => {
      try {
        await keys.load();
      } catch (error) {
        throw toProblem(error);
      }
    },
    get ready() {
      return keys.loaded;
    },
  };
}

function toProblem(error: unknown): unknown {
  if (error instanceof IssuerUnavailable) {
    return platformProblem('issuer-unavailable', { headers: { 'retry-after': '2' }, cause: error });
  }
  if (error instanceof errors.JOSEError || error instanceof MalformedClaims) return invalidToken();
  // A key of the issuer that can't be used with the algorithm that the token names.
  if (error instanceof TypeError) return invalidToken();
  return error;
}

/** RFC 6750 section 3.1: without any credential, no error code. */
const noToken = (): Problem =>
  platformProblem('unauthenticated', { headers: { 'www-authenticate': 'Bearer' } });

/** One answer for whatever is wrong with a token. */
const invalidToken = (): Problem =>
  platformProblem('unauthenticated', {
    headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
  });
