import { Inject, Injectable } from '@nestjs/common';
import type { Sight } from '@token-status/domain';
import type { CommandKey, Plan } from '@token-status/event-log';
import { MOST_FOUND } from '@token-status/read-model';
import type { TokenSearch } from '@token-status/read-model';
import type { Clock } from '../clock.js';
import { problem, reach } from '../http/problems.js';
import type { TokenServiceOptions } from '../options.js';
import type { CommandLog } from '../ports.js';
import { ReadModel } from '../queries/read-model.js';
import { CLOCK, EVENT_LOG, OPTIONS } from '../tokens.js';
import type { TokenFilter } from '../search-tokens/search-tokens.dto.js';
import { MOST_TOKENS } from './bulk-tokens.dto.js';

/** Which tokens a filter means. */
@Injectable()
export class BulkTargets {
  constructor(
    @Inject(EVENT_LOG) private readonly log: CommandLog,
    private readonly readModel: ReadModel,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(OPTIONS) private readonly options: TokenServiceOptions,
  ) {}

  /**
   * As the read model has them; by a key, as they were when the command was first asked for
   * (`precise.md` 7).
   *
   * @throws Problem `invalid-request` where it matches more than {@link MOST_TOKENS}
   */
  async of(
    filter: TokenFilter,
    sight: Sight,
    minPosition: number,
    key: CommandKey | undefined,
  ): Promise<readonly string[]> {
    if (!key) return this.find(filter, sight, minPosition);
    const plan = (known: Promise<Plan | null>): Promise<Plan | null> =>
      reach(known, this.options.commandTimeoutMs);
    const settled = await plan(this.log.plans.find(key));
    if (settled) return settled.items;
    const items = await this.find(filter, sight, minPosition);
    const { caller, key: name } = key;
    return (await plan(this.log.plans.settle({ caller, key: name, items })))?.items ?? items;
  }

  private async find(
    { account, user, status, name, hint, createdAfter, createdBefore }: TokenFilter,
    sight: Sight,
    minPosition: number,
  ): Promise<readonly string[]> {
    const accountId = sight.accountId ?? account ?? null;
    // Another's account has no more tokens in it, for whoever asks, than one that is not there.
    if ((account ?? accountId) !== accountId) return [];
    const query: Omit<TokenSearch, 'cursor'> = {
      accountId,
      // A body may say null for what it leaves out.
      userId: user ?? undefined,
      status: status ?? undefined,
      name: name ?? undefined,
      hint: hint ?? undefined,
      createdAfter: createdAfter ?? undefined,
      createdBefore: createdBefore ?? undefined,
      now: this.clock().toISOString(),
      limit: MOST_FOUND,
    };
    const ids = new Set<string>();
    let cursor: string | undefined;
    do {
      const page = await this.readModel.search({ ...query, cursor }, minPosition);
      for (const { id } of page.tokens) ids.add(id);
      if (ids.size > MOST_TOKENS) throw tooMany();
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
    return [...ids];
  }
}

const tooMany = (): Error => {
  const detail = `the filter must not match more than ${MOST_TOKENS} tokens`;
  return problem('invalid-request', { detail, errors: [{ pointer: '/filter', detail }] });
};
