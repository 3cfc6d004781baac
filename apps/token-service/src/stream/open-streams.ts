import { Inject, Injectable } from '@nestjs/common';
import type { Caller } from '@token-status/domain';
import { laterProblem, problem } from '../http/problems.js';
import type { TokenServiceOptions } from '../options.js';
import { OPTIONS } from '../tokens.js';

/** How many streams are open, and whose. */
@Injectable()
export class OpenStreams {
  private all = 0;
  private readonly byCaller = new Map<string, number>();

  constructor(@Inject(OPTIONS) private readonly options: TokenServiceOptions) {}

  /**
   * @returns gives the place up
   * @throws Problem `too-many-requests` where the caller has too many, `overloaded` where all have
   */
  enter({ kind, id }: Caller): () => void {
    const { most, mostPerCaller } = this.options.streams;
    const caller = `${kind} ${id}`;
    const own = this.byCaller.get(caller) ?? 0;
    if (own >= mostPerCaller) {
      throw problem('too-many-requests', { headers: { 'retry-after': '30' } });
    }
    if (this.all >= most) throw laterProblem('overloaded');
    this.all++;
    this.byCaller.set(caller, own + 1);
    let open = true;
    return () => {
      if (!open) return;
      open = false;
      this.all--;
      const left = (this.byCaller.get(caller) ?? 1) - 1;
      if (left === 0) this.byCaller.delete(caller);
      else this.byCaller.set(caller, left);
    };
  }
}
