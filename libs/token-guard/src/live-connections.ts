import type { Clocks } from './clocks.js';
import type { Finding, TokenIdentity } from './decision.js';
import { asError } from './retry.js';
import type { GuardEvents, TokenGuard } from './token-guard.js';

/** Why a connection is closed: what its token is now, or what the guard can't say any more. */
export type WhyClosed =
  | 'disabled'
  | 'revoked'
  | 'parked'
  | 'expired'
  /** It is in no table any more: another history was read. */
  | 'unknown'
  /** Nobody passes now; what the token is can't be known. */
  | 'stale'
  /** The guard was closed. */
  | 'closed';

/** Ends a connection. Called once at most, and then never after it was released. */
export type CloseConnection = (why: WhyClosed) => void | Promise<void>;

export interface LiveConnectionsOptions {
  /**
   * What a stale view does. `close`, the default, closes all: a live connection is a yes that goes on.
   * `keep` lets them live; on the next fresh view each one's token is checked anew.
   */
  readonly onStale?: 'close' | 'keep';
  /** What a close callback threw. */
  readonly onFault?: (fault: Error) => void;
}

export interface LiveConnections {
  /**
   * Holds a connection whose token has passed. Where it does not pass any more, `close` is called before
   * this returns.
   * @returns lets the connection go: to be called when it has ended. Idempotent.
   */
  hold(token: TokenIdentity, close: CloseConnection): () => void;
  /** Connections that are held. */
  readonly size: number;
}

/** What is needed of a guard. */
export interface WatchedGuard extends Pick<TokenGuard, 'recheck'> {
  readonly clocks: Clocks;
  on<E extends keyof GuardEvents>(event: E, listener: (...args: GuardEvents[E]) => void): unknown;
}

/**
 * Closes live connections, be they WebSockets, event streams or anything else with an end, as soon as
 * their token is disabled, revoked or parked, expires, or can't be known about (`precise.md` 19). One for
 * each guard: it listens for as long as the guard lives.
 */
export const liveConnections = (
  guard: WatchedGuard,
  options: LiveConnectionsOptions = {},
): LiveConnections => new HeldConnections(guard, options);

interface Connection {
  readonly close: CloseConnection;
  held: boolean;
}

/** The connections of one token, and the timer of its expiry. */
interface HeldToken {
  readonly token: TokenIdentity;
  readonly connections: Set<Connection>;
  timer: NodeJS.Timeout | undefined;
}

/**
 * A timer's longest wait. A machine that slept, or a wall clock that was set, is so noticed within the
 * hour even where the guard had nothing to say about it; and 2^31 ms, where `setTimeout` ends, is far.
 */
const LONGEST_WAIT_MS = 60 * 60 * 1000;

class HeldConnections implements LiveConnections {
  readonly #guard: WatchedGuard;
  readonly #onStale: 'close' | 'keep';
  readonly #onFault: (fault: Error) => void;
  readonly #tokens = new Map<string, HeldToken>();
  #size = 0;
  #guardClosed = false;

  constructor(guard: WatchedGuard, { onStale = 'close', onFault }: LiveConnectionsOptions) {
    this.#guard = guard;
    this.#onStale = onStale;
    this.#onFault = onFault ?? (() => undefined);
    for (const event of ['disabled', 'revoked', 'parked'] as const) {
      guard.on(event, (tokenId) => {
        this.#close(tokenId, event);
      });
    }
    guard.on('stale', () => {
      if (this.#onStale === 'close') this.#closeAll('stale');
    });
    // Changes are not told while the history is read again, and whoever was held then may have changed.
    guard.on('fresh', () => {
      for (const { token } of [...this.#tokens.values()]) this.#recheck(token);
    });
    guard.on('closed', () => {
      this.#guardClosed = true;
      this.#closeAll('closed');
    });
  }

  get size(): number {
    return this.#size;
  }

  hold(token: TokenIdentity, close: CloseConnection): () => void {
    const connection: Connection = { close, held: true };
    // It may have been disabled between the check and here, which nobody would tell again.
    const why = this.#guardClosed ? 'closed' : this.#whyNot(token);
    if (why !== null) {
      this.#end(connection, why);
      return () => undefined;
    }
    const { tokenId } = token;
    let held = this.#tokens.get(tokenId);
    if (!held) {
      held = { token, connections: new Set(), timer: undefined };
      this.#tokens.set(tokenId, held);
      this.#awaitExpiry(held);
    }
    held.connections.add(connection);
    this.#size++;
    return () => {
      if (!connection.held) return;
      connection.held = false;
      // Its token may be held anew since, by others: but then it is not held any more.
      this.#tokens.get(tokenId)?.connections.delete(connection);
      this.#size--;
      this.#forgetIfEmpty(tokenId);
    };
  }

  /** null where the connection may live. */
  #whyNot({ tokenId, expiresAt }: TokenIdentity): WhyClosed | null {
    const decision = this.#guard.recheck({ tokenId });
    if (decision.outcome === 'pass') return null;
    if (decision.outcome !== 'unavailable') return WHY[decision.finding] ?? 'unknown';
    if (this.#onStale === 'close') return 'stale';
    // Expiry is the clock's, and needs no event.
    return expiresAt !== null && this.#guard.clocks.wall() >= expiresAt ? 'expired' : null;
  }

  #recheck(token: TokenIdentity): void {
    const why = this.#whyNot(token);
    if (why !== null) this.#close(token.tokenId, why);
  }

  #awaitExpiry(held: HeldToken): void {
    const { token } = held;
    if (token.expiresAt === null) return;
    const wait = Math.ceil(token.expiresAt - this.#guard.clocks.wall());
    held.timer = setTimeout(
      () => {
        this.#recheck(token);
        // Too early, for whatever reason, and nothing else against it.
        if (this.#tokens.get(token.tokenId) === held) this.#awaitExpiry(held);
      },
      Math.min(Math.max(wait, 1), LONGEST_WAIT_MS),
    );
    held.timer.unref();
  }

  #forgetIfEmpty(tokenId: string): void {
    const held = this.#tokens.get(tokenId);
    if (!held || held.connections.size > 0) return;
    clearTimeout(held.timer);
    this.#tokens.delete(tokenId);
  }

  #closeAll(why: WhyClosed): void {
    for (const tokenId of [...this.#tokens.keys()]) this.#close(tokenId, why);
  }

  #close(tokenId: string, why: WhyClosed): void {
    const held = this.#tokens.get(tokenId);
    if (!held) return;
    // Taken out first: what a callback holds or releases meanwhile has nothing to do with these.
    this.#tokens.delete(tokenId);
    clearTimeout(held.timer);
    for (const connection of held.connections) {
      // A callback before it may have released this one.
      if (!connection.held) continue;
      this.#size--;
      this.#end(connection, why);
    }
  }

  /** What it throws must not keep the others open. */
  #end(connection: Connection, why: WhyClosed): void {
    connection.held = false;
    try {
      const closing = connection.close(why);
      if (closing instanceof Promise) closing.catch((fault: unknown) => this.#tell(fault));
    } catch (fault) {
      this.#tell(fault);
    }
  }

  #tell(fault: unknown): void {
    try {
      this.#onFault(asError(fault));
    } catch {
      // It has been told.
    }
  }
}

const WHY: Partial<Record<Finding, WhyClosed>> = {
  disabled: 'disabled',
  revoked: 'revoked',
  parked: 'parked',
  expired: 'expired',
};
