import type { Filter, IndexDescription } from 'mongodb';
import type { Instant, Status } from '@token-status/domain';
import type { TokenRow } from '../token-row.js';
import type { Place, TokenSearch } from '../token-search.js';

export interface TokenDocument extends Omit<TokenRow, 'id'> {
  readonly _id: string;
  readonly version: number;
}

export const NEWEST_FIRST = { 'token.createdAt': -1, _id: -1 } as const;

/** Any text at all: so that a partial index is seen to hold all that a query asks for. */
const A_TEXT = { $gt: '' };
/** After every text that a prefix begins. */
const LAST = '\u{10ffff}';

const newestOfAccount = { 'token.accountId': 1, ...NEWEST_FIRST } as const;

/**
 * One for each way to search, each in the order of the answer; the states that few tokens are in have
 * indexes that hold no others. Made when the read model is opened, so an older one gets what it lacks.
 */
export const TOKEN_INDEXES: readonly IndexDescription[] = [
  { key: { 'token.userId': 1, ...NEWEST_FIRST }, name: 'by-user' },
  { key: newestOfAccount, name: 'by-account-newest' },
  { key: NEWEST_FIRST, name: 'newest' },
  { key: { 'token.hint': 1, ...NEWEST_FIRST }, name: 'by-hint' },
  {
    key: newestOfAccount,
    name: 'disabled-by-account-newest',
    partialFilterExpression: { 'token.disabled.at': A_TEXT },
  },
  {
    key: newestOfAccount,
    name: 'revoked-by-account-newest',
    partialFilterExpression: { 'token.revoked': true },
  },
  {
    key: { ...newestOfAccount, 'token.expiresAt': 1 },
    name: 'expiring-by-account-newest',
    partialFilterExpression: { 'token.expiresAt': A_TEXT },
  },
  {
    key: { 'token.disabled.until': 1, _id: 1 },
    name: 'due',
    partialFilterExpression: { 'token.disabled.until': A_TEXT },
  },
];

/** Rule 9's order. */
const withStatus: Readonly<Record<Status, (now: Instant) => readonly Filter<TokenDocument>[]>> = {
  revoked: () => [{ 'token.revoked': true }],
  expired: (now) => [{ 'token.revoked': false, 'token.expiresAt': { ...A_TEXT, $lte: now } }],
  disabled: (now) => [
    { 'token.revoked': false, 'token.disabled.at': A_TEXT },
    { $or: notExpired(now) },
  ],
  active: (now) => [{ 'token.revoked': false, 'token.disabled': null }, { $or: notExpired(now) }],
};

const notExpired = (now: Instant): Filter<TokenDocument>[] => [
  { 'token.expiresAt': null },
  { 'token.expiresAt': { $gt: now } },
];

/** All but the name. Rows without a token (parked from the first event on) have no time of creation. */
export function searchFilter(query: TokenSearch, after: Place | null): Filter<TokenDocument> {
  const { accountId, userId, status, hint, createdAfter, createdBefore, now } = query;
  const all: Filter<TokenDocument>[] = [{ 'token.createdAt': { $gt: createdAfter ?? '' } }];
  if (createdBefore !== undefined) all.push({ 'token.createdAt': { $lt: createdBefore } });
  if (accountId !== null) all.push({ 'token.accountId': accountId });
  if (userId !== undefined) all.push({ 'token.userId': userId });
  if (hint !== undefined) all.push({ 'token.hint': { $gte: hint, $lt: `${hint}${LAST}` } });
  if (status !== undefined) all.push(...withStatus[status](now));
  if (after) {
    const { createdAt, id } = after;
    all.push({ 'token.createdAt': { $lte: createdAt } });
    all.push({ $or: [{ 'token.createdAt': { $lt: createdAt } }, { _id: { $lt: id } }] });
  }
  return { $and: all };
}

export const dueFilter = (at: Instant): Filter<TokenDocument> => ({
  'token.disabled.until': { ...A_TEXT, $lte: at },
  'token.revoked': false,
  $or: notExpired(at),
});
