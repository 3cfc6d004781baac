import { secretDigest } from '@token-status/contracts';
import type { PublishedEvent, WireEvent } from '@token-status/contracts';
import type {
  Applied,
  ParkedToken,
  TokenChange,
  TokenCounts,
  TokenEntry,
  TokenTable,
} from './token-table.js';

interface Row extends TokenEntry {
  version: number;
  disabled: boolean;
  revoked: boolean;
  parked: boolean;
  readonly secretDigest: string;
  /** Of version 1, 2, 3 …: only so can a repeat be told from another event with a known version. */
  readonly eventIds: string[];
  /** Of the newest version. */
  position: number;
}

type TokenAdded = Extract<WireEvent, { type: 'TokenAdded' }>;

const CHANGE: Readonly<Record<WireEvent['type'], TokenChange>> = {
  TokenAdded: 'added',
  TokenRenamed: 'renamed',
  TokenDisabled: 'disabled',
  TokenEnabled: 'enabled',
  TokenRevoked: 'revoked',
};

/**
 * The plain table: two maps and one object a token, with the ids of all its events. What the compact
 * one is held to; it serves no gateway.
 */
export class ExactTable implements TokenTable {
  readonly #byId = new Map<string, Row>();
  readonly #byDigest = new Map<string, Row>();
  /** With the reason; holds tokens too of which nothing else could be read. */
  readonly #parked = new Map<string, string>();
  readonly #counts = { active: 0, disabled: 0, revoked: 0 };

  apply({ id, position, event }: PublishedEvent): Applied {
    if (this.#parked.has(event.tokenId)) return { kind: 'behind-parked' };
    const row = this.#byId.get(event.tokenId);
    const version = row?.version ?? 0;
    if (event.tokenVersion <= version) {
      if (row?.eventIds[event.tokenVersion - 1] === id) return { kind: 'repeated' };
      return this.#fault(event, `version ${event.tokenVersion} came twice, as two events`);
    }
    if (event.tokenVersion > version + 1) {
      return this.#fault(event, `version ${event.tokenVersion} came after ${version}`);
    }
    if ((event.type === 'TokenAdded') !== (event.tokenVersion === 1)) {
      return this.#fault(event, `${event.type} came as version ${event.tokenVersion}`);
    }
    if (event.type === 'TokenAdded') return this.#add(event, position, id);
    // The gap check lets only version 1 through without a row.
    return row
      ? this.#change(row, event, position, id)
      : this.#fault(event, 'nothing is known of it');
  }

  park(tokenId: string, why: string): boolean {
    if (this.#parked.has(tokenId)) return false;
    this.#parked.set(tokenId, why);
    const row = this.#byId.get(tokenId);
    if (row) {
      this.#count(row, -1);
      row.parked = true;
    }
    return true;
  }

  lookup(secret: string): TokenEntry | null {
    return this.#byDigest.get(secretDigest(secret)) ?? null;
  }

  byId(tokenId: string): TokenEntry | null {
    return this.#byId.get(tokenId) ?? null;
  }

  counts(): TokenCounts {
    return { ...this.#counts, parked: this.#parked.size };
  }

  parked(limit: number): readonly ParkedToken[] {
    const first: ParkedToken[] = [];
    for (const [tokenId, why] of this.#parked) {
      if (first.length >= limit) break;
      first.push({ tokenId, why });
    }
    return first;
  }

  #add(event: TokenAdded, position: number, id: string): Applied {
    const { secretDigest, userNameDigest } = event;
    const holder = this.#byDigest.get(secretDigest);
    if (holder) {
      // One secret can't be two tokens', and which came first depends on the partitions: neither passes.
      const other = this.park(holder.tokenId, `token ${event.tokenId} has the same secret`);
      const fault = this.#fault(event, `token ${holder.tokenId} has the same secret`);
      return other ? { ...fault, other: holder.tokenId } : fault;
    }
    const row: Row = {
      tokenId: event.tokenId,
      userId: event.userId,
      accountId: event.accountId,
      version: 1,
      disabled: false,
      revoked: false,
      expiresAt: event.expiresAt === null ? null : Date.parse(event.expiresAt),
      secretDigest,
      isOfUserName: (digest) => digest === userNameDigest,
      parked: false,
      eventIds: [id],
      position,
    };
    this.#byId.set(row.tokenId, row);
    this.#byDigest.set(secretDigest, row);
    this.#count(row, 1);
    return { kind: 'applied', change: 'added' };
  }

  #change(row: Row, event: Exclude<WireEvent, TokenAdded>, position: number, id: string): Applied {
    if (position <= row.position) {
      return this.#fault(event, `version ${event.tokenVersion} is before the last in the log`);
    }
    if (event.userId !== row.userId || event.accountId !== row.accountId) {
      return this.#fault(event, `version ${event.tokenVersion} names another owner`);
    }
    this.#count(row, -1);
    row.version = event.tokenVersion;
    row.eventIds.push(id);
    row.position = position;
    switch (event.type) {
      case 'TokenRenamed':
        break;
      case 'TokenDisabled':
        row.disabled = true;
        break;
      case 'TokenEnabled':
        row.disabled = false;
        break;
      case 'TokenRevoked':
        // Nothing takes this back (rule 6).
        row.revoked = true;
        break;
    }
    this.#count(row, 1);
    return { kind: 'applied', change: CHANGE[event.type] };
  }

  #fault(event: WireEvent, why: string): Extract<Applied, { kind: 'parked' }> {
    this.park(event.tokenId, why);
    return { kind: 'parked', why };
  }

  #count(row: Row, by: 1 | -1): void {
    this.#counts[row.revoked ? 'revoked' : row.disabled ? 'disabled' : 'active'] += by;
  }
}
