/** What is set, not wired; `settings.ts` has the meanings for people. */
export interface TokenServiceOptions {
  /** The key of the requests' fingerprints. Under another one, repeats count as other requests. */
  readonly fingerprintKey: Uint8Array;
  /** Rule 7. Default 5. */
  readonly tokensPerUser: number;
  /** How long keys and read model are waited for before the answer is 503; the log has its own. Default 5000. */
  readonly commandTimeoutMs: number;
  /** How long a read with `minPosition` waits for the read model. Default 2000. */
  readonly minPositionTimeoutMs: number;
}

export const DEFAULT_OPTIONS = {
  tokensPerUser: 5,
  commandTimeoutMs: 5000,
  minPositionTimeoutMs: 2000,
} as const;
