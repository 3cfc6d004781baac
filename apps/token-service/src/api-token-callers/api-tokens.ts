import { LRUCache } from 'lru-cache';
import { secretDigest, tag, upcast, userNameDigest } from '@token-status/contracts';
import { evolveToken, statusOf } from '@token-status/domain';
import type { ApiToken, Instant } from '@token-status/domain';
import type { Credential, Finding } from '@token-status/token-guard';
import type { CommandLog } from '../ports.js';
import { SharedFence } from './shared-fence.js';

/** What a credential is found to be; a token is there to be named only where it is the holder's. */
export type Found =
  | { readonly finding: 'active' | 'disabled'; readonly token: ApiToken }
  | { readonly finding: Extract<Finding, 'expired' | 'revoked' | 'unknown' | 'wrong-user-name'> };

type Presented = Extract<Credential, { kind: 'bearer' | 'basic' }>;

/** A digest as the log had it up to a position: nothing is a finding, too, and is kept in the same way. */
interface Kept {
  readonly token: ApiToken | undefined;
  readonly position: number;
}

const NOTHING: Kept = { token: undefined, position: 0 };
/** Small, so that whoever presents secrets of their own making can't fill the memory. */
const MOST_KEPT = 10_000;
const NO_DIGEST = '0'.repeat(64);

/**
 * API tokens by their secrets, from the log and never from a projection (rule 10): an answer holds at a
 * moment after the question. Known and unknown secrets take the same path (`precise.md` 21): a majority
 * write, what the log has of the digest since it was looked up last, both digests compared.
 */
export class ApiTokens {
  private readonly fence: SharedFence;
  private readonly kept = new LRUCache<string, Kept>({ max: MOST_KEPT });

  constructor(private readonly log: Pick<CommandLog, 'fence' | 'read'>) {
    this.fence = new SharedFence(log);
  }

  /** Who holds the full secret and, by Basic, names its owner (rule 12). */
  async find(presented: Presented, now: () => Instant): Promise<Found> {
    const token = await this.bySecret(presented.secret);
    const digest =
      presented.kind === 'bearer' ? null : userNameDigest(presented.secret, presented.userName);
    const sameName = digest === null || digest === (token?.userNameDigest ?? NO_DIGEST);
    if (!token) return { finding: 'unknown' };
    if (!sameName) return { finding: 'wrong-user-name' };
    const status = statusOf(token, now());
    return status === 'active' || status === 'disabled'
      ? { finding: status, token }
      : { finding: status };
  }

  /**
   * The ids of the tokens that have these secrets, as of a moment after the call; one read for all, and
   * none is kept. At most 1,000, which is what one query of the log takes.
   */
  async idsOf(secrets: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const byDigest = new Map(secrets.map((secret) => [secretDigest(secret), secret]));
    const ids = new Map<string, string>();
    if (byDigest.size === 0) return ids;
    const { position } = await this.fence.head();
    const tags = [...byDigest.keys()].map((digest) => tag.secret(digest));
    for await (const { type, schemaVersion, data } of this.log.read(0, { tags, upTo: position })) {
      const event = upcast(type, schemaVersion, data);
      const secret = event.type === 'TokenAdded' && byDigest.get(event.secretDigest);
      if (secret) ids.set(secret, event.tokenId);
    }
    return ids;
  }

  /** The token of a secret, as of a moment after the call; undefined where there is none. */
  private async bySecret(secret: string): Promise<ApiToken | undefined> {
    const digest = secretDigest(secret);
    const { position: head } = await this.fence.head();
    const kept = this.kept.get(digest) ?? NOTHING;
    if (kept.position >= head) return kept.token;
    const token = await this.readOn(digest, kept, head);
    this.kept.set(digest, { token, position: head });
    return token;
  }

  private async readOn(digest: string, kept: Kept, upTo: number): Promise<ApiToken | undefined> {
    const byDigest = [tag.secret(digest), tag.token(kept.token?.id ?? nobodysId(digest))];
    const found = await this.fold(kept, byDigest, upTo);
    if (kept.token || (!found.token && kept.position > 0)) return found.token;
    // Only the event that added it bears the digest. Of a secret that is nobody's as much is read.
    const rest = [tag.token(found.token?.id ?? nobodysId(digest))];
    return (await this.fold(found, rest, upTo)).token;
  }

  private async fold(from: Kept, tags: readonly string[], upTo: number): Promise<Kept> {
    let { token, position } = from;
    for await (const event of this.log.read(position, { tags, upTo })) {
      token = evolveToken(token, upcast(event.type, event.schemaVersion, event.data));
      position = event.position;
    }
    return { token, position };
  }
}

/** An id of the right form that no token has. */
const nobodysId = (digest: string): string => `tok_${digest.slice(0, 32)}`;
