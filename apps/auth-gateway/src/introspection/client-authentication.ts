import { createHash, timingSafeEqual } from 'node:crypto';
import { Problem } from '@token-status/platform';
import type { TokenVerifier } from '@token-status/platform';
import { oauthError } from './introspection-answer.js';
import type { IntrospectionAnswer } from './introspection-answer.js';

/** Who asks, or the answer that it gets instead. */
export type ClientAuthentication =
  { readonly clientId: string } | { readonly refused: IntrospectionAnswer };

export interface ClientAuthenticationOptions {
  /** id → SHA-256 of the secret. */
  readonly clients: ReadonlyMap<string, Uint8Array>;
  /** For JWTs; null where no issuer is configured, and none passes. */
  readonly accessTokens: Pick<TokenVerifier, 'verify'> | null;
}

const SCOPE = 'introspect';
/** Of the whole header: a JWT of 8192 characters fits. */
const MAX_AUTHORIZATION_LENGTH = 9000;
/** RFC 9110 §11.4: scheme, spaces, token68. */
const FORM = /^(basic|bearer) +([A-Za-z0-9\-._~+/]+=*)$/i;
const NOBODYS_DIGEST = new Uint8Array(32);

/** Both schemes in one field, as `/verify` has them: some proxies hand on only the first of several. */
const challenges = (bearer = ''): string =>
  `Basic realm="introspection", charset="UTF-8", Bearer realm="introspection"${bearer}`;

const unauthenticated = (bearer?: string): ClientAuthentication => ({
  refused: oauthError(401, 'invalid_client', { 'www-authenticate': challenges(bearer) }),
});

/**
 * Who may introspect (`precise.md` 25): a client of the configuration by HTTP Basic (RFC 6749 §2.3.1),
 * or who presents a JWT of the issuer's with the scope `introspect` (RFC 6750).
 *
 * An unknown id costs the work that a known one does. There is no limit on failures: who guesses a secret
 * of 256 random bits is not slowed down by one, and whoever shares an address with them would be.
 *
 * @param authorization every value of the header that came.
 */
export async function authenticateClient(
  authorization: string | readonly string[] | undefined,
  { clients, accessTokens }: ClientAuthenticationOptions,
): Promise<ClientAuthentication> {
  const values = authorization === undefined ? [] : [authorization].flat();
  // RFC 6749 §2.3: no more than one way at a time.
  if (values.length > 1) return { refused: oauthError(400, 'invalid_request') };
  const [header] = values;
  if (header === undefined || header.length > MAX_AUTHORIZATION_LENGTH) return unauthenticated();
  const [, scheme, value] = FORM.exec(header) ?? [];
  if (scheme === undefined || value === undefined) return unauthenticated();
  return scheme.toLowerCase() === 'basic' ? byBasic(value, clients) : byJwt(value, accessTokens);
}

function byBasic(value: string, clients: ReadonlyMap<string, Uint8Array>): ClientAuthentication {
  const credential = readBasic(value);
  if (!credential) return unauthenticated();
  const known = clients.get(credential.id);
  const given = createHash('sha256').update(credential.secret).digest();
  const right = timingSafeEqual(given, known ?? NOBODYS_DIGEST);
  return known !== undefined && right ? { clientId: credential.id } : unauthenticated();
}

/** Id and secret are form-encoded before they are put together; of letters and digits that is no change. */
function readBasic(value: string): { id: string; secret: string } | null {
  const text = Buffer.from(value, 'base64').toString('utf8');
  const [, id, secret] = /^([^:]*):(.*)$/s.exec(text) ?? [];
  if (id === undefined || secret === undefined) return null;
  try {
    return { id: formDecoded(id), secret: formDecoded(secret) };
  } catch {
    // No percent-encoding of UTF-8.
    return null;
  }
}

const formDecoded = (text: string): string => decodeURIComponent(text.replaceAll('+', ' '));

async function byJwt(
  token: string,
  accessTokens: ClientAuthenticationOptions['accessTokens'],
): Promise<ClientAuthentication> {
  const invalid = unauthenticated(', error="invalid_token"');
  if (!accessTokens) return invalid;
  try {
    const { id, scopes } = await accessTokens.verify(token);
    if (scopes.has(SCOPE)) return { clientId: id };
  } catch (fault) {
    if (!(fault instanceof Problem)) throw fault;
    if (fault.status !== 503) return invalid;
    const { 'retry-after': retryAfter = '1' } = fault.headers;
    return {
      refused: oauthError(503, 'temporarily_unavailable', { 'retry-after': retryAfter }),
    };
  }
  const header = `Bearer realm="introspection", error="insufficient_scope", scope="${SCOPE}"`;
  return { refused: oauthError(403, 'insufficient_scope', { 'www-authenticate': header }) };
}
