import type { EventLog } from '@token-status/event-log';
import { LogUnavailable } from '@token-status/event-log';
import type { PersonalData } from '@token-status/personal-data';
import { keepTrying } from '@token-status/platform';
import type { Closable } from '@token-status/platform';
import type { TokenStatusReads } from '@token-status/read-model';
import type { TokenServicePorts } from './ports.js';

/**
 * A part whose database may be away when the service starts. It is opened behind the service's back,
 * again and again until that succeeds; meanwhile it is as out of reach as a database that went away later.
 */
export class LatePort<T extends Closable> implements Closable {
  readonly #stop = new AbortController();
  readonly #opening: Promise<void>;
  #part: T | null = null;

  constructor(open: () => Promise<T>, onFault: (fault: unknown) => void) {
    this.#opening = keepTrying(open, { signal: this.#stop.signal, onFault }).then(
      (part) => {
        this.#part = part;
      },
      // It gives up only when it is closed.
      () => undefined,
    );
  }

  /** @throws LogUnavailable while it is not open. */
  get part(): T {
    if (this.#part === null) throw new LogUnavailable('it could not be opened yet');
    return this.#part;
  }

  /** Waits for the try under way, so that nothing is opened after this. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#opening;
    await this.#part?.close();
  }
}

/** The service's ports on parts that may not be open yet: it can listen, and say so, from its start on. */
export const latePorts = (
  log: LatePort<EventLog>,
  reads: LatePort<TokenStatusReads & Closable>,
  personalData: LatePort<PersonalData>,
): Pick<TokenServicePorts, 'log' | 'reads' | 'personalData'> => ({
  log: {
    decideAndAppend: async (submission) => log.part.decideAndAppend(submission),
    read: (after, options) => log.part.read(after, options),
    fence: async () => log.part.fence(),
    leases: {
      acquire: async (name, holder, ttlMs) => log.part.leases.acquire(name, holder, ttlMs),
      release: async (name, holder) => log.part.leases.release(name, holder),
    },
    follow: (after, signal) => log.part.follow(after, signal),
    plans: {
      find: async (key) => log.part.plans.find(key),
      settle: async (plan) => log.part.plans.settle(plan),
    },
  },
  reads: {
    get: async (tokenId) => reads.part.get(tokenId),
    listByUser: async (userId) => reads.part.listByUser(userId),
    position: async () => reads.part.position(),
    search: async (query) => reads.part.search(query),
    due: async (at, limit) => reads.part.due(at, limit),
  },
  personalData: {
    seal: async (userId, text) => personalData.part.seal(userId, text),
    open: async (userId, sealed) => personalData.part.open(userId, sealed),
  },
});
