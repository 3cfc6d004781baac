import type { Instant, Status } from '@token-status/domain';
import type { Place, TokenSearch } from '../token-search.js';

export const NEWEST_FIRST = 'ORDER BY created_at DESC, id DESC';

/** After every text that a prefix begins. */
const LAST = '\u{10ffff}';

const HINT = "json_extract(row, '$.token.hint')";
const REVOKED = "json_extract(row, '$.token.revoked')";
const EXPIRES_AT = "json_extract(row, '$.token.expiresAt')";
const DISABLED_AT = "json_extract(row, '$.token.disabled.at')";
const UNTIL = "json_extract(row, '$.token.disabled.until')";

/**
 * As MongoDB's: one for each way to search, in the order of the answer. Expressions over the row need no
 * new column, so an older file gets what it lacks when it is opened.
 */
export const TOKEN_INDEXES = `
  DROP INDEX IF EXISTS tokens_by_account;
  CREATE INDEX IF NOT EXISTS tokens_by_account_newest ON tokens (account_id, created_at DESC, id DESC);
  CREATE INDEX IF NOT EXISTS tokens_newest ON tokens (created_at DESC, id DESC);
  CREATE INDEX IF NOT EXISTS tokens_by_hint ON tokens (${HINT}, created_at DESC, id DESC);
  CREATE INDEX IF NOT EXISTS tokens_disabled ON tokens (account_id, created_at DESC, id DESC)
    WHERE ${DISABLED_AT} IS NOT NULL;
  CREATE INDEX IF NOT EXISTS tokens_revoked ON tokens (account_id, created_at DESC, id DESC)
    WHERE ${REVOKED} = 1;
  CREATE INDEX IF NOT EXISTS tokens_expiring ON tokens (account_id, created_at DESC, id DESC)
    WHERE ${EXPIRES_AT} IS NOT NULL;
  CREATE INDEX IF NOT EXISTS tokens_due ON tokens (${UNTIL}, id) WHERE ${UNTIL} IS NOT NULL;
`;

interface Condition {
  readonly sql: string;
  readonly parameters: readonly string[];
}

const condition = (sql: string, ...parameters: readonly string[]): Condition => ({
  sql,
  parameters,
});

const NOT_EXPIRED = `(${EXPIRES_AT} IS NULL OR ${EXPIRES_AT} > ?)`;

/** Rule 9's order. */
const withStatus: Readonly<Record<Status, (now: Instant) => Condition>> = {
  revoked: () => condition(`${REVOKED} = 1`),
  expired: (now) =>
    condition(`${REVOKED} = 0 AND ${EXPIRES_AT} IS NOT NULL AND ${EXPIRES_AT} <= ?`, now),
  disabled: (now) =>
    condition(`${REVOKED} = 0 AND ${DISABLED_AT} IS NOT NULL AND ${NOT_EXPIRED}`, now),
  active: (now) => condition(`${REVOKED} = 0 AND ${DISABLED_AT} IS NULL AND ${NOT_EXPIRED}`, now),
};

/** All but the name. Rows without a token (parked from the first event on) have no time of creation. */
export function searchWhere(
  query: TokenSearch,
  after: Place | null,
): { readonly where: string; readonly parameters: readonly string[] } {
  const { accountId, userId, status, hint, createdAfter, createdBefore, now } = query;
  const all = [condition('created_at > ?', createdAfter ?? '')];
  if (createdBefore !== undefined) all.push(condition('created_at < ?', createdBefore));
  if (accountId !== null) all.push(condition('account_id = ?', accountId));
  if (userId !== undefined) all.push(condition('user_id = ?', userId));
  if (hint !== undefined) all.push(condition(`${HINT} >= ? AND ${HINT} < ?`, hint, hint + LAST));
  if (status !== undefined) all.push(withStatus[status](now));
  if (after) all.push(condition('(created_at, id) < (?, ?)', after.createdAt, after.id));
  return {
    where: `WHERE ${all.map(({ sql }) => sql).join(' AND ')}`,
    parameters: all.flatMap(({ parameters }) => parameters),
  };
}

/** Of two parameters, both the time that it is. */
export const dueWhere = `
  WHERE ${UNTIL} IS NOT NULL AND ${UNTIL} <= ? AND ${REVOKED} = 0 AND ${NOT_EXPIRED}
  ORDER BY ${UNTIL}, id`;
