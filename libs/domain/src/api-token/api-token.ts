import type {
  AddToken,
  DisableToken,
  EnableToken,
  EnableTokenWhenDue,
  RenameToken,
  RevokeToken,
  TokenCommand,
} from './commands.js';
import type { EventFacts, Instant, Reason, Sealed, TokenEvent } from './events.js';
import { authorityFor, mayAddFor, outranks } from './policy.js';
import type { Authority, Caller, Owner, Principal } from './policy.js';
import { isRefusal, refuse } from './refusals.js';
import type { Refusal } from './refusals.js';

/* ------------------------------------------------------------------ state */

export type Status = 'active' | 'disabled' | 'revoked' | 'expired';

export interface Disablement {
  readonly at: Instant;
  readonly by: Principal;
  readonly authority: Authority;
  readonly reason: Reason | null;
  readonly note: Sealed | null;
  readonly until: Instant | null;
  /** The version that the newest disable gave the token: what the scheduler's enabling rests on. */
  readonly version: number;
}

export interface ApiToken {
  readonly id: string;
  readonly userId: string;
  readonly accountId: string;
  readonly name: Sealed;
  readonly hint: string;
  readonly secretDigest: string;
  readonly userNameDigest: string;
  readonly createdAt: Instant;
  readonly expiresAt: Instant | null;
  readonly disabled: Disablement | null;
  readonly revoked: boolean;
  readonly version: number;
  readonly changedAt: Instant;
}

/** The tokens that a decision needs to know, by id: one, or all of a user's. */
export type Tokens = ReadonlyMap<string, ApiToken>;

export const noTokens: Tokens = new Map();

/** Revoked > Expired > Disabled > Active; expired from `expiresAt` on, and no event says so (rule 9). */
export function statusOf(
  token: Pick<ApiToken, 'revoked' | 'expiresAt'> & { readonly disabled: object | null },
  now: Instant,
): Status {
  if (token.revoked) return 'revoked';
  if (token.expiresAt !== null && now >= token.expiresAt) return 'expired';
  return token.disabled ? 'disabled' : 'active';
}

/* ----------------------------------------------------------------- evolve */

/**
 * What is so after an event. The caller folds in order: an event whose version is not the token's
 * next is a fault of the caller's, not of the history, and throws.
 */
export function evolve(tokens: Tokens, event: TokenEvent): Tokens {
  return new Map(tokens).set(event.tokenId, evolveToken(tokens.get(event.tokenId), event));
}

export function evolveToken(token: ApiToken | undefined, event: TokenEvent): ApiToken {
  const expected = (token?.version ?? 0) + 1;
  if (event.tokenVersion !== expected) {
    throw new OutOfOrder(event.tokenId, expected, event.tokenVersion);
  }
  if (event.type === 'TokenAdded') {
    // Nothing else begins a token, and nothing begins it again: that would undo a revoke.
    if (token) throw new OutOfOrder(event.tokenId, expected, 1);
    return {
      id: event.tokenId,
      userId: event.userId,
      accountId: event.accountId,
      name: event.name,
      hint: event.hint,
      secretDigest: event.secretDigest,
      userNameDigest: event.userNameDigest,
      createdAt: event.at,
      expiresAt: event.expiresAt,
      disabled: null,
      revoked: false,
      version: 1,
      changedAt: event.at,
    };
  }
  if (!token) throw new OutOfOrder(event.tokenId, expected, event.tokenVersion);
  const changed = { ...token, version: event.tokenVersion, changedAt: event.at };
  switch (event.type) {
    case 'TokenRenamed':
      return { ...changed, name: event.name };
    case 'TokenDisabled':
      return { ...changed, disabled: disablementAfter(token.disabled, event) };
    case 'TokenEnabled':
      return { ...changed, disabled: null };
    case 'TokenRevoked':
      return { ...changed, revoked: true };
  }
}

/** Who only moved the end of a higher authority's disable does not take its place. */
function disablementAfter(
  before: Disablement | null,
  event: TokenEvent & { type: 'TokenDisabled' },
): Disablement {
  if (before && outranks(before.authority, event.authority)) {
    return { ...before, until: event.until, version: event.tokenVersion };
  }
  return {
    at: event.at,
    by: event.by,
    authority: event.disabledWith,
    reason: event.reason,
    note: event.note,
    until: event.until,
    version: event.tokenVersion,
  };
}

export class OutOfOrder extends Error {
  override readonly name = 'OutOfOrder';
  constructor(
    readonly tokenId: string,
    readonly expected: number,
    readonly got: number,
  ) {
    super(`token ${tokenId}: version ${expected} comes next, got ${got}`);
  }
}

/* ----------------------------------------------------------------- decide */

/** The events that a command leads to — none when it asks for what already holds — or why not. */
export type Decision = readonly TokenEvent[] | Refusal;

const nothing: Decision = [];

/** The rules of the domain, one command after another. Pure: the same state and command, the same decision. */
export function decide(tokens: Tokens, command: TokenCommand): Decision {
  const inactive = askedWith(tokens, command);
  if (inactive) return inactive;
  switch (command.type) {
    case 'AddToken':
      return add(tokens, command);
    case 'RenameToken':
      return onToken(tokens, command, (token, facts) => rename(tokens, token, command, facts));
    case 'DisableToken':
      return onToken(tokens, command, (token, facts) => disable(token, command, facts));
    case 'EnableToken':
      return onToken(tokens, command, (token, facts) => enable(token, command, facts));
    case 'RevokeToken':
      return onToken(tokens, command, (token, facts) => revoke(token, command, facts));
    case 'EnableTokenWhenDue':
      return enableWhenDue(tokens, command);
  }
}

/**
 * Rule 10: who asks with an API token can do nothing once that is not active, and so can't enable it
 * either. It must be among the tokens that the decision knows, or it counts as one that is not there.
 */
function askedWith(tokens: Tokens, command: TokenCommand): Refusal | null {
  if (!('caller' in command) || command.caller.tokenId === undefined) return null;
  const token = tokens.get(command.caller.tokenId);
  const status = token ? statusOf(token, command.at) : 'revoked';
  if (status === 'active') return null;
  return refuse(status === 'disabled' ? 'token-disabled' : 'unauthenticated');
}

/** Rule 7: at most so many tokens that are not revoked, each name once among them. */
function add(tokens: Tokens, command: AddToken): Decision {
  const authority = mayAddFor(command.caller, command);
  if (isRefusal(authority)) return authority;
  const all = tokensOf(tokens, command.userId);
  // A user's account is fixed by the first token.
  if (all.some((token) => token.accountId !== command.accountId)) return refuse('account-mismatch');
  if (command.expiresAt !== null && command.expiresAt <= command.at) {
    return refuse('time-not-ahead');
  }
  const held = all.filter((token) => !token.revoked);
  if (held.some((token) => token.name === command.name)) return refuse('name-taken');
  if (held.length >= command.limit) return refuse('token-limit');
  return [
    {
      type: 'TokenAdded',
      tokenId: command.tokenId,
      tokenVersion: 1,
      userId: command.userId,
      accountId: command.accountId,
      at: command.at,
      by: principal(command),
      authority,
      commandId: command.commandId,
      origin: command.origin,
      name: command.name,
      hint: command.hint,
      secretDigest: command.secretDigest,
      userNameDigest: command.userNameDigest,
      expiresAt: command.expiresAt,
    },
  ];
}

function rename(
  tokens: Tokens,
  token: ApiToken,
  command: RenameToken,
  facts: EventFacts,
): Decision {
  if (token.revoked) return refuse('token-revoked'); // rule 6
  if (token.name === command.name) return nothing; // rule 5
  const all = tokensOf(tokens, token.userId);
  if (all.some((other) => !other.revoked && other.name === command.name)) {
    return refuse('name-taken'); // rule 7
  }
  return [{ type: 'TokenRenamed', ...facts, name: command.name }];
}

/** Rules 1, 4, 5, 8 and, for what changes nothing, the exact words of `precise.md` 17. */
function disable(token: ApiToken, command: DisableToken, facts: EventFacts): Decision {
  if (token.revoked) return refuse('token-revoked'); // rule 6
  if (command.until !== null && command.until <= facts.at) return refuse('time-not-ahead'); // rule 8
  const held = token.disabled;
  const raises = !held || outranks(facts.authority, held.authority);
  const extends_ = !held || isLater(command.until, held.until);
  if (!raises && !extends_) return nothing;
  return [
    {
      type: 'TokenDisabled',
      ...facts,
      disabledWith: raises ? facts.authority : held.authority,
      reason: command.reason,
      note: command.note,
      until: extends_ ? command.until : held.until,
    },
  ];
}

/** Rules 2, 4, 5 and 6; an expired token can't be enabled. */
function enable(token: ApiToken, command: EnableToken, facts: EventFacts): Decision {
  switch (statusOf(token, facts.at)) {
    case 'revoked':
      return refuse('token-revoked');
    case 'expired':
      return refuse('token-expired');
    case 'active':
      return nothing;
    case 'disabled':
      if (token.disabled && outranks(token.disabled.authority, facts.authority)) {
        return refuse('authority-too-low');
      }
      return [
        {
          type: 'TokenEnabled',
          ...facts,
          cause: 'command',
          reason: command.reason,
          note: command.note,
        },
      ];
  }
}

/** Rule 6: for ever. */
function revoke(token: ApiToken, command: RevokeToken, facts: EventFacts): Decision {
  if (token.revoked) return nothing;
  return [{ type: 'TokenRevoked', ...facts, reason: command.reason, note: command.note }];
}

/**
 * Rule 8: at its end a disable is lifted, with the disable's authority, unless a disable, an enable
 * or a revoke came since (a rename is not such a change).
 */
function enableWhenDue(tokens: Tokens, command: EnableTokenWhenDue): Decision {
  const token = tokens.get(command.tokenId);
  if (token?.disabled?.version !== command.disabledAtVersion) return nothing;
  const held = token.disabled;
  const facts = nextFacts(token, command.at);
  if (statusOf(token, facts.at) !== 'disabled') return nothing;
  if (held.until === null || facts.at < held.until) return nothing;
  return [
    {
      type: 'TokenEnabled',
      ...facts,
      by: { kind: 'scheduler', id: 'scheduler' },
      authority: held.authority,
      commandId: command.commandId,
      origin: null,
      cause: 'until',
      reason: null,
      note: null,
    },
  ];
}

/** What every command on a token asks first: is it there for this caller, and is it the one they saw? */
function onToken(
  tokens: Tokens,
  command: RenameToken | DisableToken | EnableToken | RevokeToken,
  then: (token: ApiToken, facts: EventFacts) => Decision,
): Decision {
  const token = tokens.get(command.tokenId);
  const named = 'authority' in command ? command.authority : undefined;
  const authority = authorityFor(command.caller, token ?? nobody, named);
  if (isRefusal(authority)) return authority;
  if (!token) return refuse('token-unknown');
  if (command.expectedVersion !== undefined && command.expectedVersion !== token.version) {
    return refuse('version-mismatch');
  }
  return then(token, {
    ...nextFacts(token, command.at),
    by: principal(command),
    authority,
    commandId: command.commandId,
    origin: command.origin,
  });
}

/** The owner of a token that is not there, so that who lacks a scope can't tell it from one that is. */
const nobody: Owner = { userId: '', accountId: '' };

const tokensOf = (tokens: Tokens, userId: string): ApiToken[] =>
  [...tokens.values()].filter((token) => token.userId === userId);

/**
 * A token's times never run backwards, whichever replica's clock decided. What a rule compares with
 * the clock is compared with this `at`: the event must be true of the time that it bears.
 */
const nextFacts = (
  token: ApiToken,
  at: Instant,
): Pick<EventFacts, 'tokenId' | 'tokenVersion' | 'userId' | 'accountId' | 'at'> => ({
  tokenId: token.id,
  tokenVersion: token.version + 1,
  userId: token.userId,
  accountId: token.accountId,
  at: at < token.changedAt ? token.changedAt : at,
});

const principal = ({ caller }: { readonly caller: Caller }): Principal => ({
  kind: caller.kind,
  id: caller.id,
});

/** No end is later than every end. */
const isLater = (a: Instant | null, b: Instant | null): boolean =>
  b !== null && (a === null || a > b);
