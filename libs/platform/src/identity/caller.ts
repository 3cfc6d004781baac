export const PRIVILEGES = ['API Access', 'Account Administration'] as const;
export type Privilege = (typeof PRIVILEGES)[number];

/** Who asks, as the issuer of access tokens says. */
export interface Caller {
  /** `sub`: a user's or a service's id. */
  readonly id: string;
  /** A user has an account and privileges; an internal service has scopes. */
  readonly kind: 'user' | 'service';
  readonly accountId: string | null;
  /** `preferred_username`. */
  readonly userName: string | null;
  readonly privileges: ReadonlySet<Privilege>;
  readonly scopes: ReadonlySet<string>;
  /** The API token that it presented, in an app that takes such beside access tokens. */
  readonly tokenId?: string;
}

/** The claims are signed, but aren't what a caller's must be. */
export class MalformedClaims extends Error {
  override readonly name = 'MalformedClaims';
}

const LONGEST = 256;

/**
 * A token is a service's if it was given for client credentials (RFC 9068: `sub` is the client then) or
 * names no account. A service gets no privileges, whatever the token says: it does what its scopes say.
 *
 * @throws MalformedClaims
 */
export function callerOf(claims: Readonly<Record<string, unknown>>): Caller {
  const id = text(claims.sub, 'sub');
  if (id === null) throw new MalformedClaims('sub');
  const clientId = text(claims.client_id, 'client_id');
  const accountId = text(claims.account_id, 'account_id');
  const privileges = privilegesOf(claims.privileges);
  const scopes = scopesOf(claims.scope);
  const userName = text(claims.preferred_username, 'preferred_username');
  if (clientId !== id && accountId === null && privileges.size > 0) {
    // Privileges are a user's, who must not pass for a service because an account was left out.
    throw new MalformedClaims('account_id');
  }
  if (clientId === id || accountId === null) {
    return { id, kind: 'service', accountId: null, userName: null, privileges: new Set(), scopes };
  }
  return { id, kind: 'user', accountId, userName, privileges, scopes };
}

/** Absent is null; blank, overlong, or with control characters is malformed: it goes into events and headers. */
function text(value: unknown, claim: string): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== 'string' || value.trim() === '' || value.length > LONGEST) {
    throw new MalformedClaims(claim);
  }
  if (/\p{Cc}|\p{Cs}/u.test(value)) throw new MalformedClaims(claim);
  return value;
}

/** Privileges that we don't know are others' and ignored. */
function privilegesOf(value: unknown): ReadonlySet<Privilege> {
  if (value === undefined || value === null) return new Set();
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) {
    throw new MalformedClaims('privileges');
  }
  return new Set(PRIVILEGES.filter((privilege) => value.includes(privilege)));
}

/** RFC 8693 section 4.2: one text, separated by spaces. */
function scopesOf(value: unknown): ReadonlySet<string> {
  if (value === undefined || value === null) return new Set();
  if (typeof value !== 'string') throw new MalformedClaims('scope');
  return new Set(value.split(' ').filter((scope) => scope !== ''));
}
