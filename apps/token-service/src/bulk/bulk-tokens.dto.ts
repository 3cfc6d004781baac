import { Type } from 'class-transformer';
import { ArrayMaxSize, ArrayMinSize, IsArray, IsBoolean, IsIn, IsOptional } from 'class-validator';
import { ValidateNested } from 'class-validator';
import type { ProblemDetail } from '@token-status/platform';
import { DisableTokenBody } from '../disable-token/disable-token.dto.js';
import { TOKEN_ID } from '../http/ids.js';
import { TokenFilter } from '../search-tokens/search-tokens.dto.js';

export const BULK_ACTIONS = ['disable', 'enable', 'revoke'] as const;
export type BulkAction = (typeof BULK_ACTIONS)[number];

/** In one command: by ids, and that a filter may match. */
export const MOST_TOKENS = 10_000;

/** Many tokens at once, by their ids or by a filter. */
export class BulkTokensBody extends DisableTokenBody {
  @IsIn(BULK_ACTIONS)
  readonly action!: BulkAction;

  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MOST_TOKENS)
  readonly ids?: readonly string[] | null;

  /** The read model's tokens that match it now; those of a first try, where that is repeated. */
  @IsOptional()
  @ValidateNested()
  @Type(() => TokenFilter)
  readonly filter?: TokenFilter | null;

  /** Says what would happen, and does nothing. */
  @IsOptional()
  @IsBoolean()
  readonly dryRun?: boolean | null;
}

/** Enough to repair a request by. */
const MOST_FAULTS = 50;

/** What the members' own rules can't say: what goes with what. */
export function faultsOf(body: BulkTokensBody): readonly ProblemDetail[] {
  const { action, ids, filter, until, authority } = body;
  const faults: ProblemDetail[] = [];
  const given = (value: unknown): boolean => value !== undefined && value !== null;
  if (given(ids) === given(filter)) {
    faults.push({ pointer: given(ids) ? '/filter' : '/ids', detail: 'give either ids or filter' });
  }
  if (filter && (Array.isArray(filter) || !Object.values(filter).some(given))) {
    faults.push({ pointer: '/filter', detail: 'filter must name something to look for' });
  }
  if (given(until) && action !== 'disable') {
    faults.push({ pointer: '/until', detail: 'until is an end of a disable' });
  }
  if (given(authority) && action === 'revoke') {
    faults.push({ pointer: '/authority', detail: 'a revoke has no authority' });
  }
  const texts: readonly unknown[] = ids ?? [];
  for (const [n, id] of texts.entries()) {
    if (typeof id === 'string' && TOKEN_ID.test(id)) continue;
    faults.push({ pointer: `/ids/${n}`, detail: 'must be the id of a token' });
    if (faults.length >= MOST_FAULTS) break;
  }
  return faults;
}
