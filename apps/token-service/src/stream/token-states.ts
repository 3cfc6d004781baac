import { LRUCache } from 'lru-cache';
import { tag, UnreadableEvent, upcast } from '@token-status/contracts';
import type { RecordedEvent, WireEvent } from '@token-status/contracts';
import { evolveToken, OutOfOrder } from '@token-status/domain';
import type { ApiToken, Owner } from '@token-status/domain';
import type { CommandLog } from '../ports.js';

/** An event of the log with what its token is after it. */
export interface EventWithState {
  readonly position: number;
  readonly type: string;
  readonly tokenId: string;
  readonly owner: Owner;
  /** Null where the event, or one of its token's before it, can't be read by this release. */
  readonly read: { readonly event: WireEvent; readonly token: ApiToken } | null;
}

/** Tags in one query. */
const MOST_TAGS = 500;

/**
 * Folds a run of events, in the log's order, into the state of each one's token after it. What it has
 * folded is kept, so that a token that goes on changing is not read again.
 */
export class TokenStates {
  readonly #log: Pick<CommandLog, 'read'>;
  readonly #kept: LRUCache<string, ApiToken>;

  constructor(log: Pick<CommandLog, 'read'>, { keep }: { readonly keep: number }) {
    this.#log = log;
    this.#kept = new LRUCache({ max: keep });
  }

  async after(events: readonly RecordedEvent[]): Promise<readonly EventWithState[]> {
    const states = await this.#before(events);
    return events.map((recorded) => {
      const { position, type } = recorded;
      const { tokenId, owner } = namesOf(recorded);
      const read = evolved(states, tokenId, recorded);
      if (read) this.#kept.set(tokenId, read.token);
      return { position, type, tokenId, owner, read };
    });
  }

  /** Of every token that these events are about: its state just before the first of them. */
  async #before(events: readonly RecordedEvent[]): Promise<Map<string, ApiToken>> {
    const states = new Map<string, ApiToken>();
    const missing: string[] = [];
    const seen = new Set<string>();
    for (const recorded of events) {
      const { tokenId } = namesOf(recorded);
      if (seen.has(tokenId)) continue;
      seen.add(tokenId);
      const version = Number(recorded.data.tokenVersion);
      const kept = this.#kept.get(tokenId);
      if (kept?.version === version - 1) states.set(tokenId, kept);
      else if (version !== 1) missing.push(tokenId);
    }
    const upTo = (events[0]?.position ?? 1) - 1;
    for (let from = 0; from < missing.length; from += MOST_TAGS) {
      const tags = missing.slice(from, from + MOST_TAGS).map((id) => tag.token(id));
      for await (const recorded of this.#log.read(0, { tags, upTo })) {
        evolved(states, namesOf(recorded).tokenId, recorded);
      }
    }
    return states;
  }
}

/** Null from the first event on that can't be read: the versions after it don't follow then. */
function evolved(
  states: Map<string, ApiToken>,
  tokenId: string,
  { type, schemaVersion, data }: RecordedEvent,
): { readonly event: WireEvent; readonly token: ApiToken } | null {
  try {
    const event = upcast(type, schemaVersion, data);
    const token = evolveToken(states.get(tokenId), event);
    states.set(tokenId, token);
    return { event, token };
  } catch (fault) {
    if (fault instanceof UnreadableEvent || fault instanceof OutOfOrder) return null;
    throw fault;
  }
}

/** By the tags, which every event has, readable or not. */
function namesOf({ tags }: RecordedEvent): { readonly tokenId: string; readonly owner: Owner } {
  const of = (prefix: string): string =>
    tags.find((each) => each.startsWith(prefix))?.slice(prefix.length) ?? '';
  return {
    tokenId: of(tag.token('')),
    owner: { userId: of(tag.user('')), accountId: of(tag.account('')) },
  };
}
