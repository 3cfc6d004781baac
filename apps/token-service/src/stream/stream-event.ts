import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { Authority, Instant, Principal } from '@token-status/domain';
import { reach } from '../http/problems.js';
import { TokenPresenter } from '../http/token-json.js';
import type { TokenJson } from '../http/token-json.js';
import type { TokenServiceOptions } from '../options.js';
import { OPTIONS } from '../tokens.js';
import type { EventWithState } from './token-states.js';

/** What one event says on the stream: what happened, and the token after it as the API shows it. */
export interface StreamEventJson {
  readonly type: string;
  readonly at: Instant;
  readonly by: Principal;
  readonly authority: Authority;
  readonly commandId: string;
  readonly token: TokenJson;
}

/** An event that this release can't read, or one after such: whoever shows the token reads it again. */
export interface UnreadableStreamEventJson {
  readonly type: string;
  readonly tokenId: string;
  readonly unreadable: true;
}

const SHARED = { max: 2000, ttl: 5000 };

/** Writes events for the stream. Whoever may see an event sees the same, so it is written once for all. */
@Injectable()
export class StreamEvents {
  /** Not for long: it holds names in plain, which may be forgotten at any time. */
  private readonly written = new LRUCache<number, Promise<string>>(SHARED);

  constructor(
    private readonly tokens: TokenPresenter,
    @Inject(OPTIONS) private readonly options: TokenServiceOptions,
  ) {}

  /** @throws Problem `unavailable` where the keys of its texts are out of reach */
  async write(event: EventWithState): Promise<string> {
    let writing = this.written.get(event.position);
    if (!writing) {
      writing = reach(this.dataOf(event), this.options.commandTimeoutMs).then(
        (data) => `id: ${event.position}\ndata: ${JSON.stringify(data)}\n\n`,
      );
      this.written.set(event.position, writing);
      writing.catch(() => this.written.delete(event.position));
    }
    return writing;
  }

  private async dataOf({
    type,
    tokenId,
    position,
    read,
  }: EventWithState): Promise<StreamEventJson | UnreadableStreamEventJson> {
    if (!read) return { type, tokenId, unreadable: true };
    const { at, by, authority, commandId } = read.event;
    const view = await this.tokens.viewOf({ token: read.token, position });
    return {
      type,
      at,
      by: { kind: by.kind, id: by.id },
      authority,
      commandId,
      token: this.tokens.present(view),
    };
  }
}
