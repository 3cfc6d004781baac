import { SignatureVerifier } from '@token-status/contracts';
import type { Verdict, VerificationKey } from '@token-status/contracts';
import type { ReceivedRecord } from '@token-status/event-bus';

export const WHY_UNVERIFIED: Readonly<Record<Exclude<Verdict, 'verified'>, string>> = {
  unsigned: 'it is not signed',
  'unknown-key': 'its key is not one of ours',
  'wrong-signature': 'its signature is wrong',
};

/** What the guard believes of what it reads, once it has keys (`precise.md` 27). */
export class SignatureCheck {
  readonly keyids: readonly string[];
  /** Sorted: two checks with the same ones give the same verdicts. */
  readonly fingerprints: readonly string[];
  readonly #verifier: SignatureVerifier;

  /** @param keys none of them: then nothing is believed. */
  constructor(keys: readonly VerificationKey[]) {
    this.keyids = keys.map(({ keyid }) => keyid);
    this.fingerprints = keys.map(({ fingerprint }) => fingerprint).sort();
    this.#verifier = new SignatureVerifier(keys);
  }

  /** One for each record; without a wait where all are signed by HMAC. */
  verdictsOnEvents(
    records: readonly ReceivedRecord[],
    topic: string,
  ): readonly Verdict[] | Promise<readonly Verdict[]> {
    const verdicts = records.map((record) => this.#verifier.verifyEvent(record, topic));
    if (areThere(verdicts)) return verdicts;
    return Promise.all(verdicts.map((verdict) => Promise.resolve(verdict)));
  }

  verdictOnHeartbeat(record: ReceivedRecord, topic: string): Verdict | Promise<Verdict> {
    return this.#verifier.verifyHeartbeat(record, topic);
  }
}

/** A record may make its texts anew whenever it is asked, and two ask: who verifies and who applies. */
export const asRead = ({
  partition,
  offset,
  key,
  headers,
  value,
}: ReceivedRecord): ReceivedRecord => ({ partition, offset, key, headers, value });

const areThere = (
  verdicts: readonly (Verdict | Promise<Verdict>)[],
): verdicts is readonly Verdict[] => verdicts.every((verdict) => typeof verdict === 'string');

/** How a table came about. */
export interface Verification {
  /** Fingerprints of the keys by which its events were verified; null where none were asked for. */
  readonly verifiedBy: readonly string[] | null;
  /** How many events did not verify: what they say is not in the table, but denials may be. */
  readonly unverified: number;
}

/** Whether what was read may be kept under these keys, or the history has to be read again. */
export function mayKeep(
  { verifiedBy, unverified }: Verification,
  keys: Verification['verifiedBy'],
): boolean {
  const same = verifiedBy?.join() === keys?.join();
  // What was kept out for want of a key has its chance under others.
  if (same || unverified > 0) return same;
  // What was verified is as good without; and with more keys. With fewer, one is not trusted any more.
  if (keys === null) return true;
  return verifiedBy?.every((key) => keys.includes(key)) ?? false;
}
