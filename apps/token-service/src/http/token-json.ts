import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { statusOf } from '@token-status/domain';
import type { ApiToken, Status } from '@token-status/domain';
import { UnreadableSeal } from '@token-status/personal-data';
import { LOGGER } from '@token-status/platform';
import type { Logger } from '@token-status/platform';
import type { TokenView } from '@token-status/read-model';
import type { Clock } from '../clock.js';
import { refusalProblem } from '../api-token-callers/refused-credential.js';
import type { CommandResult } from '../commands/token-decisions.js';
import type { TokenServiceOptions } from '../options.js';
import type { SealedTexts } from '../ports.js';
import { CLOCK, OPTIONS, PERSONAL_DATA } from '../tokens.js';
import { etagOf } from './etag.js';
import { reach } from './problems.js';

/** A token as `api.md` has it. */
export type TokenJson = Omit<TokenView, 'revoked'> & {
  readonly status: Status;
  readonly lastUsedAt: string | null;
};

/** Shows tokens, from the log's state and from the read model's in the same form. No digest leaves. */
@Injectable()
export class TokenPresenter {
  constructor(
    @Inject(PERSONAL_DATA) private readonly personalData: SealedTexts,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(OPTIONS) private readonly options: TokenServiceOptions,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Answers a command with the token and its version as `ETag`.
   *
   * @throws Problem for a refusal; `outcome-unknown` where the token can't be shown: it may be recorded,
   *   and the same Idempotency-Key will tell
   */
  async answer(reply: FastifyReply, result: CommandResult): Promise<TokenJson> {
    if ('refused' in result) throw refusalProblem(result.refused);
    const view = reach(this.viewOf(result), this.options.commandTimeoutMs, 'outcome-unknown');
    return this.show(reply, await view);
  }

  /** Answers with one token. */
  show(reply: FastifyReply, view: TokenView): TokenJson {
    reply.header('etag', etagOf(view.version)).header('cache-control', 'no-store');
    return this.present(view);
  }

  present(view: TokenView): TokenJson {
    const { id, name, hint, userId, accountId, createdAt, expiresAt, version, position } = view;
    return {
      id,
      name,
      hint,
      userId,
      accountId,
      status: statusOf(view, this.clock().toISOString()),
      createdAt,
      expiresAt,
      disabled: view.disabled && disabledOf(view.disabled),
      lastUsedAt: null,
      version,
      position,
      ...(view.parked ? { parked: true } : {}),
    };
  }

  /** The state that the log's events lead to, with its texts in plain. */
  async viewOf({
    token,
    position,
  }: {
    readonly token: ApiToken;
    readonly position: number;
  }): Promise<TokenView> {
    const { id, userId, disabled } = token;
    const open = (sealed: string): Promise<string | null> => this.open(sealed, userId, id);
    return {
      ...token,
      name: await open(token.name),
      disabled: disabled && { ...disabled, note: disabled.note && (await open(disabled.note)) },
      position,
    };
  }

  /**
   * A sealed text in plain; null where its user was forgotten, and where no key opens it: that is the
   * projector's alarm, and a token must be manageable all the same.
   */
  async open(sealed: string, userId: string, tokenId: string): Promise<string | null> {
    try {
      return await this.personalData.open(userId, sealed);
    } catch (fault) {
      if (!(fault instanceof UnreadableSeal)) throw fault;
      this.logger.error({ err: fault, tokenId }, 'a text of this token is unreadable');
      return null;
    }
  }
}

/** Field by field, so that what is added to a view is shown by intention only. */
const disabledOf = ({
  at,
  by,
  authority,
  reason,
  note,
  until,
}: NonNullable<TokenView['disabled']>): TokenView['disabled'] => ({
  at,
  by: { kind: by.kind, id: by.id },
  authority,
  reason,
  note,
  until,
});
