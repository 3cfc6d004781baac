import { isRefusal, refuse } from './refusals.js';
import type { Refusal } from './refusals.js';

/** On whose behalf a token is disabled, lowest first (rule 4). */
export const AUTHORITIES = ['owner', 'administrator', 'security'] as const;
export type Authority = (typeof AUTHORITIES)[number];

export const outranks = (a: Authority, b: Authority): boolean =>
  AUTHORITIES.indexOf(a) > AUTHORITIES.indexOf(b);

export type Privilege = 'API Access' | 'Account Administration';
export type Scope = 'tokens:read' | 'tokens:write' | 'tokens:security' | 'audit:read';

/** Who is named in an event. */
export interface Principal {
  readonly kind: 'user' | 'service' | 'scheduler';
  readonly id: string;
}

/** Who asks, with what the issuer says that they may. */
export interface Caller {
  readonly kind: 'user' | 'service';
  readonly id: string;
  readonly accountId: string | null;
  readonly privileges: ReadonlySet<Privilege>;
  readonly scopes: ReadonlySet<Scope>;
  /** The API token that it asks with (rule 10), which must be active when that is decided. */
  readonly tokenId?: string | undefined;
}

/** Whose a token is. */
export interface Owner {
  readonly userId: string;
  readonly accountId: string;
}

/** `audit` is reading the history: what `read` permits, and for a service with `audit:read` nothing else. */
export type Action = 'read' | 'audit' | 'change';

/**
 * The highest authority that a caller has over an owner's tokens (rules 3 and 22), or why none.
 *
 * A stranger's token and one that does not exist are told apart by nobody (404); `privilege-missing`
 * and `scope-missing` (403) are said only to those who lack it for what is theirs anyway.
 */
export function authorityOver(caller: Caller, owner: Owner, action: Action): Authority | Refusal {
  if (caller.kind === 'service') {
    if (caller.scopes.has('tokens:security')) return 'security';
    if (caller.scopes.has('tokens:write')) return 'administrator';
    if (action !== 'change' && caller.scopes.has('tokens:read')) return 'administrator';
    if (action === 'audit' && caller.scopes.has('audit:read')) return 'administrator';
    return refuse('scope-missing');
  }
  if (caller.accountId !== owner.accountId) return refuse('token-unknown');
  if (!caller.privileges.has('API Access')) {
    return caller.id === owner.userId ? refuse('privilege-missing') : refuse('token-unknown');
  }
  if (caller.privileges.has('Account Administration')) return 'administrator';
  return caller.id === owner.userId ? 'owner' : refuse('token-unknown');
}

/** Whose tokens a caller reaches: one user's of an account, all of an account, or (null) everybody's. */
export interface Sight {
  readonly accountId: string | null;
  readonly userId: string | null;
}

/**
 * How far a caller's eyes reach where no single token is named: in a search, a bulk command, the
 * stream. It holds exactly the owners for whom {@link authorityOver} gives an authority.
 */
export function sightOf(caller: Caller, action: Action): Sight | Refusal {
  if (caller.kind === 'service') {
    const anybody = authorityOver(caller, { userId: '', accountId: '' }, action);
    return isRefusal(anybody) ? anybody : { accountId: null, userId: null };
  }
  // Without an account there is nobody whom it could see: as with a token of another's, nothing is there.
  if (caller.accountId === null || !caller.privileges.has('API Access')) {
    return refuse('privilege-missing');
  }
  const administers = caller.privileges.has('Account Administration');
  return { accountId: caller.accountId, userId: administers ? null : caller.id };
}

export const sees = (sight: Sight, owner: Owner): boolean =>
  (sight.accountId === null || sight.accountId === owner.accountId) &&
  (sight.userId === null || sight.userId === owner.userId);

/**
 * The authority that a change is made on: the highest that the caller has, or a lower one that it
 * names (rule 22).
 */
export function authorityFor(
  caller: Caller,
  owner: Owner,
  named: Authority | undefined,
): Authority | Refusal {
  const highest = authorityOver(caller, owner, 'change');
  if (typeof highest !== 'string' || named === undefined) return highest;
  return outranks(named, highest) ? refuse('authority-too-low') : named;
}

/**
 * Whether a caller may add a token for a user: the user, with *API Access*, or an internal service.
 * Not an administrator: whoever adds a token sees its secret, and could act as that user.
 */
export function mayAddFor(caller: Caller, owner: Owner): Authority | Refusal {
  const own = caller.id === owner.userId && caller.accountId === owner.accountId;
  if (caller.kind === 'user' && !own) return refuse('not-own-user');
  return authorityOver(caller, owner, 'change');
}
