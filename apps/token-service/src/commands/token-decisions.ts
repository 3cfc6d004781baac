import { Inject, Injectable } from '@nestjs/common';
import { tag } from '@token-status/contracts';
import type { RecordedEvent } from '@token-status/contracts';
import { authorityOver, isRefusal, mayAddFor } from '@token-status/domain';
import type {
  AddToken,
  ApiToken,
  DisableToken,
  EnableToken,
  Owner,
  Refusal,
  RefusalCode,
  RenameToken,
  RevokeToken,
  Sealed,
} from '@token-status/domain';
import type { Decided } from '@token-status/event-log';
import { annotateRequest, currentRequest, LOGGER } from '@token-status/platform';
import type { Logger } from '@token-status/platform';
import { laterProblem, problemOfLogFault, reach } from '../http/problems.js';
import type { CommandLog, SealedTexts } from '../ports.js';
import { EVENT_LOG, PERSONAL_DATA } from '../tokens.js';
import { CommandMetrics } from './command-metrics.js';
import type { CommandRequest } from './command-request.js';
import { decideDrafts, loggedTokens } from './token-decider.js';
import type { LoggedTokens } from './token-decider.js';
import { TokenOwners } from './token-owners.js';

type CommandOnToken = RenameToken | DisableToken | EnableToken | RevokeToken;

/** The token as the command left it, from the log and never from a projection; or why not. */
export type CommandResult =
  | { readonly token: ApiToken; readonly position: number }
  | { readonly refused: RefusalCode | 'key-reused' };

/** What a command on a token has from its request. */
export type RequestFacts = Pick<
  CommandOnToken,
  'tokenId' | 'at' | 'commandId' | 'caller' | 'origin' | 'expectedVersion'
>;

/** Seals a text with the key of the user whose token it is about; nothing stays nothing. */
export interface Seal {
  (text: string): Promise<Sealed>;
  (text: string | null | undefined): Promise<Sealed | null>;
}

/** Where every command meets the log: seals what is personal, decides and appends, counts and logs. */
@Injectable()
export class TokenDecisions {
  constructor(
    @Inject(EVENT_LOG) private readonly log: CommandLog,
    @Inject(PERSONAL_DATA) private readonly personalData: SealedTexts,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly owners: TokenOwners,
    private readonly metrics: CommandMetrics,
  ) {}

  /** Adds a token: the decision needs all tokens of the user (decision 2). */
  async add(
    request: CommandRequest,
    owner: Owner,
    commandOf: (origin: Sealed | null, seal: Seal) => Promise<AddToken>,
  ): Promise<CommandResult> {
    const seal = this.sealFor(request, mayAddFor(request.caller, owner), owner);
    const command = await commandOf(await seal(request.remoteAddress), seal);
    return this.decide(request, command, [tag.user(owner.userId)]);
  }

  /** Changes a token. */
  async change(
    request: CommandRequest,
    tokenId: string,
    commandOf: (facts: RequestFacts, seal: Seal) => Promise<CommandOnToken>,
  ): Promise<CommandResult> {
    for (let tries = 1; ; tries++) {
      const owner = await reach(this.owners.of(tokenId), timeLeft(request));
      const allowed = owner && authorityOver(request.caller, owner, 'change');
      const seal = this.sealFor(request, allowed, owner);
      const { caller, at, commandId, expectedVersion } = request;
      const origin = await seal(request.remoteAddress);
      const command = await commandOf(
        { tokenId, caller, at, commandId, expectedVersion, origin },
        seal,
      );
      try {
        return await this.decide(request, command, tagsFor(command, owner), owner);
      } catch (fault) {
        // The decision came after a majority write, so what it saw can be read now.
        if (!(fault instanceof OwnerNotRead)) throw fault;
        // Still not found: what answers reads is behind.
        if (tries === 3) throw laterProblem('unavailable', fault);
      }
    }
  }

  /**
   * Who isn't permitted seals nothing: their command is decided, and refused before a text is looked
   * at; but no key is made for a user whose tokens they may not touch.
   */
  private sealFor(
    request: CommandRequest,
    allowed: string | Refusal | null,
    owner: Owner | null,
  ): Seal {
    const permitted = owner !== null && allowed !== null && !isRefusal(allowed);
    const seal = async (text: string | null | undefined): Promise<Sealed | null> => {
      if (text === null || text === undefined) return null;
      if (!permitted) return NOT_SEALED;
      return reach(this.personalData.seal(owner.userId, text), timeLeft(request));
    };
    return seal as Seal;
  }

  private async decide(
    request: CommandRequest,
    command: AddToken | CommandOnToken,
    tags: readonly string[],
    owner?: Owner | null,
  ): Promise<CommandResult> {
    const { commandId, key } = request;
    const started = performance.now();
    annotateRequest({ commandId });
    let decided: Decided<LoggedTokens, RefusalCode>;
    try {
      decided = await this.log.decideAndAppend({
        commandId,
        tags,
        fold: loggedTokens,
        decide: (state) => {
          if (owner === null && state.tokens.has(command.tokenId)) throw new OwnerNotRead();
          return decideDrafts(state, command);
        },
        key,
        traceparent: currentRequest()?.traceparent ?? null,
      });
    } catch (fault) {
      if (fault instanceof OwnerNotRead) throw fault;
      this.note(command.type, commandId, 'fault', null, [], started);
      throw problemOfLogFault(fault);
    }
    if (decided.kind === 'key-reused') {
      this.note(command.type, commandId, 'key-reused', 'key-reused', [], started);
      return { refused: 'key-reused' };
    }
    if (decided.kind === 'refused') {
      const outcome = decided.repeated ? 'repeated' : 'refused';
      this.note(command.type, commandId, outcome, decided.refusal, [], started);
      return { refused: decided.refusal };
    }
    const outcome = decided.repeated ? 'repeated' : decided.kind;
    this.note(command.type, commandId, outcome, null, decided.events, started);
    return answerFrom(decided.state, command, decided.events);
  }

  /** One line a command; names, notes and secrets aren't in any of it. */
  private note(
    type: string,
    commandId: string,
    result: Parameters<CommandMetrics['answered']>[1],
    code: string | null,
    events: readonly RecordedEvent[],
    started: number,
  ): void {
    this.metrics.answered(type, result, code, performance.now() - started);
    const eventIds = events.map(({ id }) => id);
    this.logger.info({ command: type, commandId, eventIds, result, code }, 'decided');
  }
}

const NOT_SEALED: Sealed = '-';

const timeLeft = ({ deadline }: CommandRequest): number =>
  Math.max(0, deadline - performance.now());

/** A token that the first read didn't find was there when it was decided: read again, seal, decide. */
class OwnerNotRead extends Error {
  override readonly name = 'OwnerNotRead';
}

/** A name is unique among its user's, so renaming needs them all (`precise.md` 7). */
function tagsFor(command: CommandOnToken, owner: Owner | null): string[] {
  const tags = [tag.token(command.tokenId)];
  if (command.type === 'RenameToken' && owner) tags.push(tag.user(owner.userId));
  return tags;
}

/** A repeated add has a new id for nothing: its token is the first one's. */
function answerFrom(
  { tokens, positions }: LoggedTokens,
  command: AddToken | CommandOnToken,
  events: readonly RecordedEvent[],
): CommandResult {
  const added = command.type === 'AddToken' ? events[0]?.data.tokenId : undefined;
  const tokenId = typeof added === 'string' ? added : command.tokenId;
  const token = tokens.get(tokenId);
  const position = positions.get(tokenId);
  if (!token || position === undefined) throw new Error('the decided state lacks its own token');
  return { token, position };
}
