import type {
  AddToken,
  Caller,
  DisableToken,
  EnableToken,
  EnableTokenWhenDue,
  EventFacts,
  Privilege,
  RenameToken,
  RevokeToken,
  Scope,
  TokenAdded,
  TokenDisabled,
  TokenEnabled,
  TokenRenamed,
  TokenRevoked,
} from '@token-status/domain';

/** The people of `api.md`'s demo, a token, and commands and events on it: say only what matters. */

/** An instant: seconds after noon of the day on which all specifications play. */
export const at = (seconds: number): string =>
  new Date(Date.UTC(2026, 0, 15, 12) + seconds * 1000).toISOString();

const person = (id: string, accountId: string, ...privileges: Privilege[]): Caller => ({
  kind: 'user',
  id,
  accountId,
  privileges: new Set(privileges),
  scopes: new Set(),
});

const program = (id: string, ...scopes: Scope[]): Caller => ({
  kind: 'service',
  id,
  accountId: null,
  privileges: new Set(),
  scopes: new Set(scopes),
});

export const alice = person('u-alice', 'acme', 'API Access');
export const carol = person('u-carol', 'acme', 'API Access');
export const bob = person('u-bob', 'acme');
export const admin = person('u-admin', 'acme', 'Account Administration', 'API Access');
export const mallory = person('u-mallory', 'globex', 'Account Administration', 'API Access');
export const reader = program('reporting', 'tokens:read');
export const provisioning = program('provisioning', 'tokens:write');
export const scanner = program('leak-scanner', 'tokens:security');

export const tokenId = (n: number): string => `tok_${n.toString(16).padStart(32, '0')}`;
export const commandId = (n: number): string => n.toString(16).padStart(32, 'c');
export const digest = (n: number): string => n.toString(16).padStart(64, '0');

const TOKEN = tokenId(1);
const COMMAND = commandId(1);

/* --------------------------------------------------------------- commands */

export const addToken = (said: Partial<AddToken> = {}): AddToken => ({
  type: 'AddToken',
  tokenId: TOKEN,
  userId: 'u-alice',
  accountId: 'acme',
  at: at(0),
  commandId: COMMAND,
  caller: alice,
  origin: null,
  name: 'sealed-build',
  hint: 'a1B2c3',
  secretDigest: digest(1),
  userNameDigest: digest(2),
  expiresAt: null,
  limit: 5,
  ...said,
});

const onToken = { tokenId: TOKEN, at: at(60), commandId: COMMAND, caller: alice, origin: null };

export const renameToken = (said: Partial<RenameToken> = {}): RenameToken => ({
  type: 'RenameToken',
  ...onToken,
  name: 'sealed-release',
  ...said,
});

export const disableToken = (said: Partial<DisableToken> = {}): DisableToken => ({
  type: 'DisableToken',
  ...onToken,
  reason: null,
  note: null,
  until: null,
  ...said,
});

export const enableToken = (said: Partial<EnableToken> = {}): EnableToken => ({
  type: 'EnableToken',
  ...onToken,
  reason: null,
  note: null,
  ...said,
});

export const revokeToken = (said: Partial<RevokeToken> = {}): RevokeToken => ({
  type: 'RevokeToken',
  ...onToken,
  reason: null,
  note: null,
  ...said,
});

export const enableTokenWhenDue = (said: Partial<EnableTokenWhenDue> = {}): EnableTokenWhenDue => ({
  type: 'EnableTokenWhenDue',
  tokenId: TOKEN,
  at: at(60),
  commandId: COMMAND,
  disabledAtVersion: 2,
  ...said,
});

/* ----------------------------------------------------------------- events */

const facts = (tokenVersion: number): EventFacts => ({
  tokenId: TOKEN,
  tokenVersion,
  userId: 'u-alice',
  accountId: 'acme',
  at: at(60),
  by: { kind: 'user', id: 'u-alice' },
  authority: 'owner',
  commandId: COMMAND,
  origin: null,
});

export const tokenAdded = (said: Partial<TokenAdded> = {}): TokenAdded => ({
  type: 'TokenAdded',
  ...facts(1),
  at: at(0),
  name: 'sealed-build',
  hint: 'a1B2c3',
  secretDigest: digest(1),
  userNameDigest: digest(2),
  expiresAt: null,
  ...said,
});

export const tokenRenamed = (
  tokenVersion: number,
  said: Partial<TokenRenamed> = {},
): TokenRenamed => ({
  type: 'TokenRenamed',
  ...facts(tokenVersion),
  name: 'sealed-release',
  ...said,
});

export const tokenDisabled = (
  tokenVersion: number,
  said: Partial<TokenDisabled> = {},
): TokenDisabled => ({
  type: 'TokenDisabled',
  ...facts(tokenVersion),
  disabledWith: said.authority ?? 'owner',
  reason: null,
  note: null,
  until: null,
  ...said,
});

export const tokenEnabled = (
  tokenVersion: number,
  said: Partial<TokenEnabled> = {},
): TokenEnabled => ({
  type: 'TokenEnabled',
  ...facts(tokenVersion),
  cause: 'command',
  reason: null,
  note: null,
  ...said,
});

export const tokenRevoked = (
  tokenVersion: number,
  said: Partial<TokenRevoked> = {},
): TokenRevoked => ({
  type: 'TokenRevoked',
  ...facts(tokenVersion),
  reason: null,
  note: null,
  ...said,
});

/** Who an event names for each of the callers that act on others' tokens, and on whose authority. */
export const byAdmin = { by: { kind: 'user', id: 'u-admin' }, authority: 'administrator' } as const;
export const byScanner = {
  by: { kind: 'service', id: 'leak-scanner' },
  authority: 'security',
} as const;
