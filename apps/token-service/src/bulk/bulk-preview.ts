import { Inject, Injectable } from '@nestjs/common';
import { tag } from '@token-status/contracts';
import type { CommandRequest } from '../commands/command-request.js';
import { decideDrafts, loggedTokens } from '../commands/token-decider.js';
import type { LoggedTokens } from '../commands/token-decider.js';
import { NOT_SEALED } from '../commands/token-decisions.js';
import type { Seal } from '../commands/token-decisions.js';
import { reach } from '../http/problems.js';
import type { TokenServiceOptions } from '../options.js';
import type { CommandLog } from '../ports.js';
import { EVENT_LOG, OPTIONS } from '../tokens.js';
import type { BulkWork } from './bulk-runs.js';
import type { BulkTokensBody } from './bulk-tokens.dto.js';
import { commandFor } from './command-for.js';

/**
 * What a bulk command would do to each of its tokens as they are in the log now. Nothing is appended,
 * and nothing is promised: a token may be another by the time of the command.
 */
@Injectable()
export class BulkPreview {
  constructor(
    @Inject(EVENT_LOG) private readonly log: CommandLog,
    @Inject(OPTIONS) private readonly options: TokenServiceOptions,
  ) {}

  of(request: CommandRequest, ids: readonly string[], body: BulkTokensBody): BulkWork {
    const read = new Map<string, LoggedTokens>();
    return {
      ids,
      prepare: async (some) => {
        for (const [id, state] of await reach(this.read(some), this.options.commandTimeoutMs)) {
          read.set(id, state);
        }
      },
      one: async (id) => {
        const state = read.get(id) ?? loggedTokens.initial;
        read.delete(id);
        const { caller, at, commandId } = request;
        const facts = { tokenId: id, caller, at, commandId, expectedVersion: undefined };
        const command = await commandFor(body, { ...facts, origin: NOT_SEALED }, notSealed);
        const decided = decideDrafts(state, command);
        if ('refused' in decided) return { id, result: 'refused', code: decided.refused };
        const version = state.tokens.get(id)?.version ?? 0;
        const position = state.positions.get(id) ?? 0;
        return { id, result: decided.length > 0 ? 'changed' : 'unchanged', version, position };
      },
    };
  }

  /** Token by token: one fold of all would be copied with each event. */
  private async read(ids: readonly string[]): Promise<ReadonlyMap<string, LoggedTokens>> {
    const states = new Map<string, LoggedTokens>();
    for await (const event of this.log.read(0, { tags: ids.map(tag.token) })) {
      const id = String(event.data.tokenId);
      states.set(id, loggedTokens.evolve(states.get(id) ?? loggedTokens.initial, event));
    }
    return states;
  }
}

const notSealed = ((text: string | null | undefined) =>
  Promise.resolve(text === null || text === undefined ? null : NOT_SEALED)) as Seal;
