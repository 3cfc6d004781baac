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
  /** How often at least the ends of disables are looked for (rule 8). Default 1000. */
  readonly untilPollMs: number;
  /** Called between the steps that a fault test may end the process at. */
  readonly onStep: (step: string) => void;
  /** How long a bulk command goes on until the rest is left to a repeat. Default 30000. */
  readonly bulkTimeoutMs: number;
  readonly streams: StreamOptions;
  /** What stands before the user name in Basic (rule 12). Default `BOOMI_TOKEN.` */
  readonly basicPrefix: string;
}

/** Of `GET /v1/stream`. */
export interface StreamOptions {
  /** In this process; one more is answered 503. Default 1000. */
  readonly most: number;
  /** Of one caller; one more is answered 429. Default 20. */
  readonly mostPerCaller: number;
  /** How often a stream shows that it lives, and how far it has come. Default 15000. */
  readonly heartbeatMs: number;
  /** How long somebody may read nothing of what is there for them, until they are cut off. Default 30000. */
  readonly stalledMs: number;
}

export const DEFAULT_OPTIONS = {
  tokensPerUser: 5,
  commandTimeoutMs: 5000,
  minPositionTimeoutMs: 2000,
  untilPollMs: 1000,
  onStep: (): void => undefined,
  bulkTimeoutMs: 30_000,
  basicPrefix: 'BOOMI_TOKEN.',
  streams: { most: 1000, mostPerCaller: 20, heartbeatMs: 15_000, stalledMs: 30_000 },
} as const;
