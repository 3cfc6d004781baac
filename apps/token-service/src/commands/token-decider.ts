import { currentVersion, tagsOf, upcast } from '@token-status/contracts';
import type { RecordedEvent, WireEvent } from '@token-status/contracts';
import { decide, evolve, isRefusal, noTokens } from '@token-status/domain';
import type { RefusalCode, TokenCommand, TokenEvent, Tokens } from '@token-status/domain';
import type { EventDraft, Fold } from '@token-status/event-log';

/** The tokens of a decision as the log has them, each with the position of its newest event. */
export interface LoggedTokens {
  readonly tokens: Tokens;
  readonly positions: ReadonlyMap<string, number>;
}

/** The log's events of any version → the domain's state. */
export const loggedTokens: Fold<LoggedTokens> = {
  name: 'tokens',
  initial: { tokens: noTokens, positions: new Map() },
  evolve: ({ tokens, positions }, { type, schemaVersion, data, position }: RecordedEvent) => {
    const event: TokenEvent = upcast(type, schemaVersion, data);
    return {
      tokens: evolve(tokens, event),
      positions: new Map(positions).set(event.tokenId, position),
    };
  },
};

/** The domain's decision → what the log appends, or the code of a refusal. */
export function decideDrafts(
  { tokens }: LoggedTokens,
  command: TokenCommand,
): readonly EventDraft[] | { readonly refused: RefusalCode } {
  const decision = decide(tokens, command);
  return isRefusal(decision) ? decision : decision.map(draftOf);
}

/**
 * @throws UnreadableEvent where no reader could take it: better nothing is recorded than that
 */
function draftOf(event: TokenEvent): EventDraft {
  const { type, ...data } = event;
  const schemaVersion = currentVersion[type];
  upcast(type, schemaVersion, data);
  return { type, schemaVersion, tags: tagsOf(event), data };
}

/**
 * The domain's events and the newest wire events are two types, since the latter never change. While
 * they have the same shape nothing maps between them; the day they differ, this line fails to compile.
 */
type SameShape<A, B> = [A, B] extends [B, A] ? true : never;
export const domainEventsAreTheNewestWireEvents: SameShape<TokenEvent, WireEvent> = true;
