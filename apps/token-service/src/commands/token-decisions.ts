import { Inject, Injectable } from '@nestjs/common';
import { tag } from '@token-status/contracts';
import type { RecordedEvent } from '@token-status/contracts';
import { authorityOver, isRefusal, mayAddFor } from '@token-status/domain';
import type {
  AddToken,
  ApiToken,
  Caller,
  DisableToken,
  EnableToken,
  Owner,
  Refusal,
  RefusalCode,
  RenameToken,
  RevokeToken,
  Sealed,
} from '@token-status/domain';
import type { Decided, Submission } from '@token-status/event-log';
import { annotateRequest, currentRequest, LOGGER } from '@token-status/platform';
import type { Logger } from '@token-status/platform';
import { laterProblem, problemOfLogFault, reach } from '../http/problems.js';
import type { CommandLog, SealedTexts } from '../ports.js';
import { EVENT_LOG, PERSONAL_DATA } from '../tokens.js';
import { CommandMetrics } from './command-metrics.js';
import type { CommandRequest } from './command-request.js';
import { NOBODY } from '../queries/nobody.js';
import { decideDrafts, loggedTokens } from './token-decider.js';
import type { LoggedTokens } from './token-decider.js';
import { TokenOwners } from './token-owners.js';

export type CommandOnToken = RenameToken | DisableToken | EnableToken | RevokeToken;
/** A command on each of a user's tokens, but for which. */
type ForEachToken = Omit<DisableToken, 'tokenId'>;
type DecidedTokens = Extract<Decided<LoggedTokens, never>, { readonly state: LoggedTokens }>;

/** The token as the command left it, from the log and never from a projection; or why not. */
export type CommandResult =
  | {
      readonly token: ApiToken;
      readonly position: number;
      /** Whether it left an event. */
      readonly changed: boolean;
    }
  | { readonly refused: RefusalCode | 'key-reused' };

/** A user's tokens as one command on all of them left them, but those that were revoked before. */
export type UserResult =
  | {
      readonly tokens: readonly (ApiToken & {
        readonly position: number;
        readonly changed: boolean;
      })[];
    }
  | { readonly refused: RefusalCode | 'user-unknown' | 'key-reused' };

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
   * Makes ready what changing these tokens needs: whose they are, in one query, and each owner's key once,
   * where the tokens of one owner would else all ask for it.
   */
  async prepare(request: CommandRequest, tokenIds: readonly string[]): Promise<void> {
    await reach(this.owners.readAhead(tokenIds), timeLeft(request));
    const owners = new Map<string, Owner>();
    for (const tokenId of tokenIds) {
      const owner = this.owners.known(tokenId);
      if (owner) owners.set(owner.userId, owner);
    }
    await Promise.all(
      [...owners.values()].map((owner) =>
        this.sealFor(
          request,
          authorityOver(request.caller, owner, 'change'),
          owner,
        )(request.remoteAddress),
      ),
    );
  }

  /**
   * Makes a key this request's own, for a command of many parts, which have keys of theirs: the key can't
   * be another command's as well.
   */
  async claim(request: CommandRequest): Promise<'claimed' | 'key-reused'> {
    const decided = await this.decided<never>(request, 'BulkTokens', [], () => []);
    return 'refused' in decided ? decided.refused : 'claimed';
  }

  /**
   * Changes all tokens that a user has in the log, in one decision and one commit: none that was added
   * before is missed, and none is changed alone. It asks no projection.
   */
  async changeAllOf(
    request: CommandRequest,
    userId: string,
    commandOf: (facts: Omit<RequestFacts, 'tokenId'>, seal: Seal) => Promise<ForEachToken>,
  ): Promise<UserResult> {
    for (let tries = 1; ; tries++) {
      const owner = await reach(this.owners.ofUser(userId), timeLeft(request));
      const allowed = authorityOver(request.caller, owner ?? NOBODY, 'change');
      const seal = this.sealFor(request, allowed, owner);
      const { caller, at, commandId } = request;
      const origin = await seal(request.remoteAddress);
      const each = await commandOf(
        { caller, at, commandId, expectedVersion: undefined, origin },
        seal,
      );
      try {
        return await this.decideOnAll(request, userId, owner, each);
      } catch (fault) {
        if (!(fault instanceof OwnerNotRead)) throw fault;
        if (tries === 3) throw laterProblem('unavailable', fault);
      }
    }
  }

  private async decideOnAll(
    request: CommandRequest,
    userId: string,
    owner: Owner | null,
    each: ForEachToken,
  ): Promise<UserResult> {
    const held = ({ tokens }: LoggedTokens): ApiToken[] =>
      [...tokens.values()].filter((token) => token.userId === userId && !token.revoked);
    const decided = await this.decided<RefusalCode | 'user-unknown'>(
      request,
      each.type,
      [tag.user(userId)],
      (state) => {
        // The caller's own token may be there as well.
        const known = [...state.tokens.values()].some((token) => token.userId === userId);
        if (owner === null && known) throw new OwnerNotRead();
        const allowed = authorityOver(request.caller, owner ?? NOBODY, 'change');
        if (isRefusal(allowed)) return strangersAnswer(allowed);
        if (owner === null) return { refused: 'user-unknown' };
        const drafts = [];
        for (const { id } of held(state)) {
          const one = decideDrafts(state, { ...each, tokenId: id });
          // What refuses one of them refuses all: who asks, on what authority, until when.
          if ('refused' in one) return one;
          drafts.push(...one);
        }
        return drafts;
      },
    );
    if ('refused' in decided) return decided;
    const changed = new Set(decided.events.map(({ data }) => data.tokenId));
    const { state } = decided;
    return {
      tokens: held(state).map((token) => ({
        ...token,
        position: state.positions.get(token.id) ?? 0,
        changed: changed.has(token.id),
      })),
    };
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
    const decided = await this.decided(request, command.type, tags, (state) => {
      if (owner === null && state.tokens.has(command.tokenId)) throw new OwnerNotRead();
      return decideDrafts(state, command);
    });
    return 'refused' in decided ? decided : answerFrom(decided, command);
  }

  private async decided<Code extends string>(
    request: CommandRequest,
    type: string,
    tags: readonly string[],
    decide: Submission<LoggedTokens, Code>['decide'],
  ): Promise<DecidedTokens | { readonly refused: Code | 'key-reused' }> {
    const { commandId, key } = request;
    const started = performance.now();
    annotateRequest({ commandId });
    let decided: Decided<LoggedTokens, Code>;
    try {
      decided = await this.log.decideAndAppend({
        commandId,
        tags: withCallersToken(tags, request.caller),
        fold: loggedTokens,
        decide,
        key,
        traceparent: currentRequest()?.traceparent ?? null,
      });
    } catch (fault) {
      if (fault instanceof OwnerNotRead) throw fault;
      this.note(type, commandId, 'fault', null, [], started);
      throw problemOfLogFault(fault);
    }
    if (decided.kind === 'key-reused') {
      this.note(type, commandId, 'key-reused', 'key-reused', [], started);
      return { refused: 'key-reused' };
    }
    if (decided.kind === 'refused') {
      const outcome = decided.repeated ? 'repeated' : 'refused';
      this.note(type, commandId, outcome, decided.refusal, [], started);
      return { refused: decided.refusal };
    }
    const outcome = decided.repeated ? 'repeated' : decided.kind;
    this.note(type, commandId, outcome, null, decided.events, started);
    return decided;
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

/** In a command that is refused before it is looked at, or that is never recorded. */
export const NOT_SEALED: Sealed = '-';

/** Who may not see a user can't tell it from one that we don't know. */
const strangersAnswer = ({
  refused,
}: Refusal): { readonly refused: RefusalCode | 'user-unknown' } =>
  refused === 'token-unknown' ? { refused: 'user-unknown' } : { refused };

const timeLeft = ({ deadline }: CommandRequest): number =>
  Math.max(0, deadline - performance.now());

/** A token that the first read didn't find was there when it was decided: read again, seal, decide. */
class OwnerNotRead extends Error {
  override readonly name = 'OwnerNotRead';
}

/** The decision rests on the API token that it was asked with, too: it must not be disabled meanwhile (rule 10). */
const withCallersToken = (tags: readonly string[], { tokenId }: Caller): readonly string[] =>
  tokenId === undefined ? tags : [...new Set([...tags, tag.token(tokenId)])];

/** A name is unique among its user's, so renaming needs them all (`precise.md` 7). */
function tagsFor(command: CommandOnToken, owner: Owner | null): string[] {
  const tags = [tag.token(command.tokenId)];
  if (command.type === 'RenameToken' && owner) tags.push(tag.user(owner.userId));
  return tags;
}

/** A repeated add has a new id for nothing: its token is the first one's. */
function answerFrom(
  { kind, events, state: { tokens, positions } }: DecidedTokens,
  command: AddToken | CommandOnToken,
): CommandResult {
  const added = command.type === 'AddToken' ? events[0]?.data.tokenId : undefined;
  const tokenId = typeof added === 'string' ? added : command.tokenId;
  const token = tokens.get(tokenId);
  const position = positions.get(tokenId);
  if (!token || position === undefined) throw new Error('the decided state lacks its own token');
  return { token, position, changed: kind === 'recorded' };
}
