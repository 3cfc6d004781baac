import { Injectable } from '@nestjs/common';
import { upcast, UnreadableEvent } from '@token-status/contracts';
import type { RecordedEvent, WireEvent } from '@token-status/contracts';
import type { Authority, Instant, Principal, Reason } from '@token-status/domain';
import { TokenPresenter } from '../http/token-json.js';

/** What an event says besides the facts that all have. */
type Said =
  | {
      readonly type: 'TokenAdded';
      readonly name: string | null;
      readonly hint: string;
      readonly expiresAt: Instant | null;
    }
  | { readonly type: 'TokenRenamed'; readonly name: string | null }
  | {
      readonly type: 'TokenDisabled';
      /** What holds from then on, which may be more than was asked (rule 5). */
      readonly disabledWith: Authority;
      readonly reason: Reason | null;
      readonly note: string | null;
      readonly until: Instant | null;
    }
  | {
      readonly type: 'TokenEnabled';
      readonly cause: 'command' | 'until';
      readonly reason: Reason | null;
      readonly note: string | null;
    }
  | { readonly type: 'TokenRevoked'; readonly reason: Reason | null; readonly note: string | null };

/** An event of a token's history as people read it: texts in plain (null once forgotten), never a digest. */
export type EventJson = Said & {
  readonly position: number;
  readonly id: string;
  readonly tokenId: string;
  readonly version: number;
  readonly userId: string;
  readonly accountId: string;
  readonly at: Instant;
  readonly by: Principal;
  readonly authority: Authority;
  readonly commandId: string;
  /** From which address it was asked; only for who manages the tokens of others. */
  readonly origin?: string | null;
};

/** An event that this release can't read: what the log itself knows of it. */
export interface UnreadableEventJson {
  readonly position: number;
  readonly id: string;
  readonly type: string;
  readonly unreadable: true;
}

/** Shows events of the log. Field by field, so that what is added to an event is shown by intention only. */
@Injectable()
export class TokenEventPresenter {
  constructor(private readonly texts: TokenPresenter) {}

  async present(
    recorded: RecordedEvent,
    { withOrigin }: { readonly withOrigin: boolean },
  ): Promise<EventJson | UnreadableEventJson> {
    const { position, id, type, schemaVersion, data } = recorded;
    let event: WireEvent;
    try {
      event = upcast(type, schemaVersion, data);
    } catch (fault) {
      // It is part of the history all the same: a gap would be a lie.
      if (!(fault instanceof UnreadableEvent)) throw fault;
      return { position, id, type, unreadable: true };
    }
    const { tokenId, userId, accountId, tokenVersion, at, by, authority, commandId } = event;
    return {
      position,
      id,
      tokenId,
      version: tokenVersion,
      userId,
      accountId,
      at,
      by: { kind: by.kind, id: by.id },
      authority,
      commandId,
      ...(withOrigin ? { origin: await this.open(event.origin, event) } : {}),
      ...(await this.saidBy(event)),
    };
  }

  private async saidBy(event: WireEvent): Promise<Said> {
    const open = (sealed: string | null) => this.open(sealed, event);
    switch (event.type) {
      case 'TokenAdded': {
        const { type, name, hint, expiresAt } = event;
        return { type, name: await open(name), hint, expiresAt };
      }
      case 'TokenRenamed':
        return { type: event.type, name: await open(event.name) };
      case 'TokenDisabled': {
        const { type, disabledWith, reason, note, until } = event;
        return { type, disabledWith, reason, note: await open(note), until };
      }
      case 'TokenEnabled': {
        const { type, cause, reason, note } = event;
        return { type, cause, reason, note: await open(note) };
      }
      case 'TokenRevoked': {
        const { type, reason, note } = event;
        return { type, reason, note: await open(note) };
      }
    }
  }

  private async open(
    sealed: string | null,
    { userId, tokenId }: WireEvent,
  ): Promise<string | null> {
    return sealed === null ? null : this.texts.open(sealed, userId, tokenId);
  }
}
