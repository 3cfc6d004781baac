import { createHash } from 'node:crypto';
import { statusOf } from '@token-status/domain';
import type { Instant, Status } from '@token-status/domain';
import { viewOf } from './token-row.js';
import type { TokenRow } from './token-row.js';
import type { TokenView } from './token-view.js';

/** Which tokens are looked for: all that are given must hold. */
export interface TokenSearch {
  /** null is every account: for internal services only. */
  readonly accountId: string | null;
  readonly userId?: string | undefined;
  /** As of `now`. */
  readonly status?: Status | undefined;
  /** A part of the name, in whatever case ({@link foldName}); a name that was forgotten has no parts. */
  readonly name?: string | undefined;
  /** How the hint begins, to the letter. */
  readonly hint?: string | undefined;
  /** Later than this, not at it. */
  readonly createdAfter?: Instant | undefined;
  /** Earlier than this, not at it. */
  readonly createdBefore?: Instant | undefined;
  /** What expiry is judged by. Not bound to a cursor: the clock goes on from page to page. */
  readonly now: Instant;
  /** 1 to {@link MOST_FOUND}. */
  readonly limit: number;
  /** `next` of the page before, of the same query; another limit and another `now` may be asked for. */
  readonly cursor?: string | undefined;
}

export interface TokenPage {
  /** Newest first, at most `limit`. Fewer, or none, do not mean the end: `next` does. */
  readonly tokens: readonly TokenView[];
  /**
   * Where to go on; null at the end. It stands for a place in the order of creation, which no later event
   * changes: whatever is added, renamed or disabled between two pages, no token comes twice, and none is
   * left out that was there and matched all the while.
   */
  readonly next: string | null;
}

/** A token whose disable has come to its end. */
export interface DueToken {
  readonly tokenId: string;
  /** The version that the disable gave it: what enabling it is conditional on. */
  readonly disabledAtVersion: number;
  readonly until: Instant;
}

export const MOST_FOUND = 1000;
/** How many names one call reads at most; a page may end early for it. */
export const MOST_NAMES_READ = 10_000;
const NAMES_IN_ONE_READ = 1000;

/** The cursor is none, or is another query's. */
export class ForeignCursor extends Error {
  override readonly name = 'ForeignCursor';
}

/**
 * A name as it is compared: Unicode NFC, without case. By way of lower case to upper case, since that
 * joins ß and SS, ς and σ; upper case has no rule that depends on a letter's neighbours.
 */
export const foldName = (name: string): string =>
  name.normalize('NFC').toLowerCase().toUpperCase().normalize('NFC');

/** A place in the order of all tokens: newest first, then by id. */
export interface Place {
  readonly createdAt: Instant;
  readonly id: string;
}

/** What an adapter gives {@link searchIn}: everything but the name is its own index's business. */
export interface SearchSource {
  /** In order, after a place. */
  rows(query: TokenSearch, after: Place | null, limit: number): Promise<readonly TokenRow[]>;
  /** The same rows, but no more of each than this. */
  names(
    query: TokenSearch,
    after: Place | null,
    limit: number,
  ): Promise<readonly (Place & { readonly name: string | null })[]>;
  load(ids: readonly string[]): Promise<ReadonlyMap<string, TokenRow>>;
}

/**
 * One page. Names are compared here and not in the database, so that both adapters agree on what a letter
 * is and nothing more is stored (or has to be forgotten); the cost is bounded by reading at most
 * {@link MOST_NAMES_READ} of them, and going on there with the next page.
 *
 * @throws RangeError for a limit out of range
 * @throws ForeignCursor
 */
export async function searchIn(source: SearchSource, query: TokenSearch): Promise<TokenPage> {
  const { limit, name, cursor } = query;
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST_FOUND) {
    throw new RangeError(`a page has 1 to ${MOST_FOUND} tokens`);
  }
  const after = cursor === undefined ? null : placeOf(cursor, query);
  if (name === undefined) {
    const rows = await source.rows(query, after, limit + 1);
    const tokens = rows.slice(0, limit).map((row) => viewOf(row) ?? noToken(row));
    return { tokens, next: rows.length > limit ? cursorAt(tokens.at(-1), query) : null };
  }
  return searchByName(source, query, foldName(name), after);
}

async function searchByName(
  source: SearchSource,
  query: TokenSearch,
  part: string,
  after: Place | null,
): Promise<TokenPage> {
  const ids: string[] = [];
  let place = after;
  let ended = false;
  for (let read = 0; !ended && ids.length < query.limit && read < MOST_NAMES_READ;) {
    const found = await source.names(query, place, NAMES_IN_ONE_READ);
    ended = found.length < NAMES_IN_ONE_READ;
    read += found.length;
    for (const each of found) {
      if (ids.length === query.limit) {
        ended = false;
        break;
      }
      place = each;
      if (each.name !== null && foldName(each.name).includes(part)) ids.push(each.id);
    }
  }
  const rows = await source.load(ids);
  const tokens = ids.flatMap((id) => {
    const row = rows.get(id);
    const view = row ? viewOf(row) : null;
    // It may have been changed between the two reads.
    return view && stillMatches(view, query, part) ? [view] : [];
  });
  return { tokens, next: ended ? null : cursorAt(place, query) };
}

const stillMatches = (view: TokenView, { status, now }: TokenSearch, part: string): boolean =>
  view.name !== null &&
  foldName(view.name).includes(part) &&
  (status === undefined || statusOf(view, now) === status);

/* ----------------------------------------------------------------- cursors */

function cursorAt(place: Place | null | undefined, query: TokenSearch): string | null {
  if (!place) return null;
  const text = JSON.stringify([place.createdAt, place.id, digestOf(query)]);
  return Buffer.from(text).toString('base64url');
}

/** @throws ForeignCursor */
function placeOf(cursor: string, query: TokenSearch): Place {
  let read: unknown;
  try {
    read = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    throw new ForeignCursor('this is no cursor');
  }
  if (!Array.isArray(read) || read.length !== 3) throw new ForeignCursor('this is no cursor');
  const [createdAt, id, digest] = read as unknown[];
  if (typeof createdAt !== 'string' || typeof id !== 'string') {
    throw new ForeignCursor('this is no cursor');
  }
  if (digest !== digestOf(query)) throw new ForeignCursor("this is another query's cursor");
  return { createdAt, id };
}

const digestOf = (query: TokenSearch): string => {
  const { accountId, userId, status, name, hint, createdAfter, createdBefore } = query;
  const parts = [accountId, userId, status, name && foldName(name), hint];
  return createHash('sha256')
    .update(JSON.stringify([...parts, createdAfter, createdBefore]))
    .digest('base64url')
    .slice(0, 22);
};

const noToken = ({ id }: TokenRow): never => {
  throw new Error(`row ${id} was found by its token and has none`);
};
