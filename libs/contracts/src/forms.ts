/** Forms that more than one thing on the wire has; not part of the front door. */

/**
 * RFC 3339 in UTC with milliseconds and nothing else, as `Date.toISOString` writes it, so that order
 * is text order; no leap second, which `Date` can't read.
 */
export const instant = {
  type: 'string',
  pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:[0-5]\\d\\.\\d{3}Z$',
  format: 'date-time',
} as const;

/** The epoch of a log (`precise.md` 5). */
export const epoch = { type: 'string', pattern: '^[0-9a-f]{32}$' } as const;
