import { Inject, Injectable } from '@nestjs/common';
import { backoffDelays, delay } from '@token-status/platform';
import { ForeignCursor } from '@token-status/read-model';
import type { TokenPage, TokenSearch, TokenStatusReads, TokenView } from '@token-status/read-model';
import { laterProblem, malformedParameter, reach } from '../http/problems.js';
import type { TokenServiceOptions } from '../options.js';
import { OPTIONS, TOKEN_READS } from '../tokens.js';

/** The projection as queries ask it: bounded in time, and no older than the caller has seen already. */
@Injectable()
export class ReadModel {
  constructor(
    @Inject(TOKEN_READS) private readonly reads: TokenStatusReads,
    @Inject(OPTIONS) private readonly options: TokenServiceOptions,
  ) {}

  /** A token that shows a later event itself shows all before it: no need to wait for the others'. */
  async token(tokenId: string, minPosition: number): Promise<TokenView | null> {
    const view = await this.reach(this.reads.get(tokenId));
    if (minPosition <= (view?.position ?? 0)) return view;
    await this.comeTo(minPosition);
    return this.reach(this.reads.get(tokenId));
  }

  async tokensOf(userId: string, minPosition: number): Promise<readonly TokenView[]> {
    if (minPosition > 0) await this.comeTo(minPosition);
    return this.reach(this.reads.listByUser(userId));
  }

  /** @throws Problem `invalid-request` for a cursor that is none, or another query's */
  async search(query: TokenSearch, minPosition: number): Promise<TokenPage> {
    if (minPosition > 0) await this.comeTo(minPosition);
    const found = await this.reach(
      this.reads.search(query).catch((fault: unknown) => {
        if (fault instanceof ForeignCursor) return fault;
        throw fault;
      }),
    );
    if (found instanceof ForeignCursor) throw malformedParameter('cursor', found.message);
    return found;
  }

  /** @throws Problem `not-there-yet` */
  private async comeTo(position: number): Promise<void> {
    const deadline = performance.now() + this.options.minPositionTimeoutMs;
    for (const ms of backoffDelays({ firstMs: 5, maxMs: 100 })) {
      if ((await this.reach(this.reads.position())) >= position) return;
      const left = deadline - performance.now();
      if (left <= 0) throw laterProblem('not-there-yet');
      await delay(Math.min(ms, left));
    }
  }

  private reach<T>(work: Promise<T>): Promise<T> {
    return reach(work, this.options.commandTimeoutMs);
  }
}
