import { userNameDigest } from '@token-status/contracts';
import { wordOfHex } from './compact-words.js';
import type { Credential } from './credential.js';
import type { Freshness } from './freshness.js';
import type { TokenEntry, TokenTable } from './token-table.js';

/** What a gateway finds out about a credential, of which most is told to nobody. */
export type Finding =
  | 'active'
  /** Active when the view was last proven, which is too long ago: passes where the route allows it. */
  | 'active-stale'
  | 'disabled'
  | 'expired'
  | 'revoked'
  | 'parked'
  | 'unknown'
  | 'wrong-user-name'
  | 'malformed'
  | 'none'
  | 'stale'
  | 'behind';

/** What the caller learns. */
export type Outcome =
  | 'pass'
  /** Only for who holds the full secret, and for Basic names its owner. */
  | 'disabled'
  /** One answer for everybody who does not hold a valid secret (rule 13, `precise.md` 21). */
  | 'stranger'
  /** No credential came: the challenges, without an error (RFC 6750 §3.1). */
  | 'challenge'
  /** Nobody is told anything: the gateway can't know. */
  | 'unavailable'
  /** A stranger, one too many from its address: what it presented is as little told as otherwise. */
  | 'limited';

/** The one table from status to outcome, behind every surface. */
export const OUTCOMES: Readonly<Record<Finding, Exclude<Outcome, 'limited'>>> = {
  active: 'pass',
  'active-stale': 'pass',
  disabled: 'disabled',
  expired: 'stranger',
  revoked: 'stranger',
  parked: 'stranger',
  unknown: 'stranger',
  'wrong-user-name': 'stranger',
  malformed: 'stranger',
  none: 'challenge',
  stale: 'unavailable',
  behind: 'unavailable',
};

/** Whose credential it is: said to nobody but who may pass. */
export interface TokenIdentity {
  readonly tokenId: string;
  readonly userId: string;
  readonly accountId: string;
  readonly version: number;
  /** Milliseconds since the Unix epoch; null = never. */
  readonly expiresAt: number | null;
}

type Passing = 'active' | 'active-stale';
type Refused = Exclude<Finding, Passing>;

export type Decision =
  | {
      readonly outcome: 'pass';
      readonly finding: Passing;
      readonly token: TokenIdentity;
      /** For so long the answer may be out of date, in milliseconds. */
      readonly ageMs: number;
    }
  | {
      readonly outcome: Exclude<Outcome, 'pass' | 'limited'>;
      /** For counting and for operators; never for the caller. */
      readonly finding: Refused;
      /** As of a pass; left out where nothing has been proven. */
      readonly ageMs?: number;
    }
  | {
      readonly outcome: 'limited';
      readonly finding: Refused;
      readonly ageMs?: number;
      /** Whole seconds, at least 1. */
      readonly retryAfterSecs: number;
    };

/** What a stale view does: nobody passes, or whoever was known to be active when it was last proven. */
export type OnStale = 'deny' | 'allow-known';

export interface DecisionInput {
  readonly credential: Credential;
  readonly freshness: Freshness;
  readonly table: TokenTable;
  /** The highest position up to which everything was seen. */
  readonly watermark: number;
  /** The caller wants an answer at least as new as this position (`X-Min-Position`); 0 = any. */
  readonly minPosition: number;
  readonly onStale: OnStale;
  /** The wall clock, milliseconds since the Unix epoch. */
  readonly now: number;
}

const DUMMY: TokenEntry = {
  tokenId: '',
  userId: '',
  accountId: '',
  version: 0,
  disabled: false,
  revoked: false,
  expiresAt: null,
  parked: false,
  // The comparison that a real entry makes.
  isOfUserName: (digest) => (wordOfHex(digest, 0) | wordOfHex(digest, 8)) === 0,
};

/** Whether a credential passes. Freshness comes first: a gateway that can't know tells nobody anything. */
export function decide(input: DecisionInput): Decision {
  const decision = decided(input);
  const { ageMs } = input.freshness;
  return decision.outcome === 'pass' || ageMs === null ? decision : { ...decision, ageMs };
}

function decided(input: DecisionInput): Decision {
  const { freshness, onStale } = input;
  if (freshness.state === 'fresh') return judge(input, freshness.ageMs);
  if (onStale === 'deny' || freshness.state === 'starting') return refuse('stale');
  if (!freshness.onlyOld || freshness.ageMs === null) return refuse('stale');
  const decision = judge(input, freshness.ageMs);
  // Of an old view only a yes is worth anything here: who is not known may have been added since.
  return decision.outcome === 'pass' ? decision : refuse('stale');
}

function judge(
  { credential, table, watermark, minPosition, now, freshness }: DecisionInput,
  ageMs: number,
): Decision {
  if (watermark < minPosition) return refuse('behind');
  if (credential.kind === 'none') return refuse('none');
  if (credential.kind === 'malformed') return refuse('malformed');
  // From here on the same work for every credential, whatever is stored: both digests are computed and
  // compared, against a dummy where nothing is known.
  const found = table.lookup(credential.secret);
  const sameUserName =
    credential.kind === 'bearer' ||
    (found ?? DUMMY).isOfUserName(userNameDigest(credential.secret, credential.userName));
  if (!found) return refuse('unknown');
  if (!sameUserName) return refuse('wrong-user-name');
  const finding = statusOf(found, now);
  if (finding !== 'active') return refuse(finding);
  return new Pass(freshness.state === 'fresh' ? 'active' : 'active-stale', found, ageMs);
}

/**
 * Whether a token that has passed would pass now, without its credential: what live connections are
 * held by. What it is refused for is what its holder would be.
 */
export function decideAgain({
  tokenId,
  freshness,
  table,
  now,
}: Pick<DecisionInput, 'freshness' | 'table' | 'now'> & { readonly tokenId: string }): Decision {
  if (freshness.state !== 'fresh') return refuse('stale');
  const found = table.byId(tokenId);
  if (!found) return refuse('unknown');
  const finding = statusOf(found, now);
  return finding === 'active' ? new Pass(finding, found, freshness.ageMs) : refuse(finding);
}

/** Whose token it is costs more to say than to decide, so it is said to who asks. */
class Pass {
  readonly outcome = 'pass';
  readonly finding: Passing;
  readonly ageMs: number;
  readonly #entry: TokenEntry;
  #token: TokenIdentity | null = null;

  constructor(finding: Passing, entry: TokenEntry, ageMs: number) {
    this.finding = finding;
    this.#entry = entry;
    this.ageMs = ageMs;
  }

  get token(): TokenIdentity {
    return (this.#token ??= identityOf(this.#entry));
  }

  toJSON(): object {
    const { outcome, finding, token, ageMs } = this;
    return { outcome, finding, token, ageMs };
  }
}

function identityOf({ tokenId, userId, accountId, version, expiresAt }: TokenEntry): TokenIdentity {
  return { tokenId, userId, accountId, version, expiresAt };
}

/** Revoked > expired > disabled > active (`precise.md` 19); before all, what could not be read. */
function statusOf(
  entry: TokenEntry,
  now: number,
): 'active' | 'disabled' | 'expired' | 'revoked' | 'parked' {
  if (entry.parked) return 'parked';
  if (entry.revoked) return 'revoked';
  if (entry.expiresAt !== null && now >= entry.expiresAt) return 'expired';
  if (entry.disabled) return 'disabled';
  return 'active';
}

const REFUSALS = Object.fromEntries(
  Object.entries(OUTCOMES).map(([finding, outcome]) => [finding, { finding, outcome }]),
) as Readonly<Record<Refused, Decision>>;

const refuse = (finding: Refused): Decision => REFUSALS[finding];
