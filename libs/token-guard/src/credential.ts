import { isWellFormedSecret } from '@token-status/contracts';

/** What an `Authorization` header says, before anything is looked up (rule 12): of a secret, its form is right. */
export type Credential =
  | { readonly kind: 'none' }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'bearer'; readonly secret: string }
  | { readonly kind: 'basic'; readonly userName: string; readonly secret: string };

/** Of the whole header; a user name of 1,000 characters fits. Longer is malformed, without a look. */
export const MAX_AUTHORIZATION_LENGTH = 8192;

const NONE: Credential = { kind: 'none' };
const MALFORMED: Credential = { kind: 'malformed' };

/** As it is usually written. */
const BEARER = 'Bearer ';
/** RFC 9110 §11.4: scheme, spaces, and for both of our schemes one token68. */
const FORM = /^([A-Za-z]+) +([A-Za-z0-9\-._~+/]+=*)$/;
// eslint-disable-next-line no-control-regex -- RFC 7617 §2 forbids control characters in both parts.
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads Bearer (RFC 6750) and Basic (RFC 7617, UTF-8). The scheme's case does not matter. Whatever is
 * no credential of ours is `malformed`, without a reason: nobody is told which part was wrong.
 *
 * @param authorization every value of the header that came; more than one is malformed.
 * @param basicPrefix what stands before the user name in Basic, `BOOMI_TOKEN.` say.
 */
export function parseCredential(
  authorization: string | readonly string[] | undefined,
  basicPrefix: string,
): Credential {
  let header: string | undefined;
  if (authorization === undefined || typeof authorization === 'string') header = authorization;
  else if (authorization.length > 1) return MALFORMED;
  else header = authorization[0];
  if (header === undefined) return NONE;
  // Most requests by far; what follows would read it the same.
  if (header.startsWith(BEARER) && isWellFormedSecret(header, BEARER.length)) {
    return { kind: 'bearer', secret: header.slice(BEARER.length) };
  }
  if (header.length > MAX_AUTHORIZATION_LENGTH) return MALFORMED;
  const [, scheme, value] = FORM.exec(header) ?? [];
  if (scheme === undefined || value === undefined) return MALFORMED;
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return bearerCredential(value);
    case 'basic':
      return parseBasic(value, basicPrefix);
    default:
      return MALFORMED;
  }
}

/** A secret by itself. */
export const bearerCredential = (secret: string): Credential =>
  isWellFormedSecret(secret) ? { kind: 'bearer', secret } : MALFORMED;

function parseBasic(value: string, basicPrefix: string): Credential {
  const bytes = Buffer.from(value, 'base64');
  // Node reads any approximation of base64; one text must not have several spellings.
  if (bytes.toString('base64') !== value) return MALFORMED;
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return MALFORMED;
  }
  const colon = text.indexOf(':');
  if (colon < 0 || CONTROL.test(text) || !text.startsWith(basicPrefix)) return MALFORMED;
  const userName = text.slice(basicPrefix.length, colon);
  if (colon <= basicPrefix.length) return MALFORMED;
  const secret = text.slice(colon + 1);
  return isWellFormedSecret(secret) ? { kind: 'basic', userName, secret } : MALFORMED;
}
