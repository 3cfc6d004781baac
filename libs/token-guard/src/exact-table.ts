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
  /** Of version 1, 2, 3 …: only so can a repeat be told from another event with a known version. */
  readonly eventIds: string[];
}

type TokenAdded = Extract<WireEvent, { type: 'TokenAdded' }>;

const CHANGE: Readonly<Record<WireEvent['type'], TokenChange>> = {
  TokenAdded: 'added',
  TokenRenamed: 'renamed',
  TokenDisabled: 'disabled',
  TokenEnabled: 'enabled',
  TokenRevoked: 'revoked',
};

/** The plain table: two maps and one object a token. Exact, and the measure of any compact one. */
export class ExactTable implements TokenTable {
  readonly #byId = new Map<string, Row>();
  /** Keyed by the digest's bytes as a Latin-1 string: half the size of hex. */
  readonly #byDigest = new Map<string, Row>();
  /** With the reason; holds tokens too of which nothing else could be read. */
  readonly #parked = new Map<string, string>();
  readonly #counts = { active: 0, disabled: 0, revoked: 0 };

  apply({ id, event }: PublishedEvent): Applied {
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
    if (event.type === 'TokenAdded') return this.#add(event, id);
    // The gap check lets only version 1 through without a row.
    return row ? this.#change(row, event, id) : this.#fault(event, 'nothing is known of it');
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

  lookup(secretDigest: Uint8Array): TokenEntry | null {
    return this.#byDigest.get(key(secretDigest)) ?? null;
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

  #add(event: TokenAdded, id: string): Applied {
    const secretDigest = Buffer.from(event.secretDigest, 'hex');
    const holder = this.#byDigest.get(key(secretDigest));
    if (holder) {
      // One secret can't be two tokens', and which came first depends on the partitions: neither passes.
      this.park(holder.tokenId, `token ${event.tokenId} has the same secret`);
      return this.#fault(event, `token ${holder.tokenId} has the same secret`);
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
      userNameDigest: Buffer.from(event.userNameDigest, 'hex'),
      parked: false,
      eventIds: [id],
    };
    this.#byId.set(row.tokenId, row);
    this.#byDigest.set(key(secretDigest), row);
    this.#count(row, 1);
    return { kind: 'applied', change: 'added' };
  }

  #change(row: Row, event: Exclude<WireEvent, TokenAdded>, id: string): Applied {
    if (event.userId !== row.userId || event.accountId !== row.accountId) {
      return this.#fault(event, `version ${event.tokenVersion} names another owner`);
    }
    this.#count(row, -1);
    row.version = event.tokenVersion;
    row.eventIds.push(id);
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

  #fault(event: WireEvent, why: string): Applied {
    this.park(event.tokenId, why);
    return { kind: 'parked', why };
  }

  #count(row: Row, by: 1 | -1): void {
    this.#counts[row.revoked ? 'revoked' : row.disabled ? 'disabled' : 'active'] += by;
  }
}

function key(digest: Uint8Array): string {
  return Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength).toString('latin1');
}
