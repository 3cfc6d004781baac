import { verify } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { laterProblem, problem } from '../http/problems.js';
import type { ReportKeys } from './report-keys.js';

const LONGEST_IDENTIFIER = 256;
/** Of an ECDSA P-256 signature in DER, in base64: 72 bytes at most. */
const SIGNATURE = /^[A-Za-z0-9+/]{8,96}={0,2}$/;

/**
 * Checks that a trusted key signed these very bytes (ECDSA P-256 with SHA-256, DER, base64), as GitHub's
 * partner programme for secret scanning does.
 *
 * @throws Problem `report-not-trusted`, one answer for whatever is wrong; `unavailable` where the keys
 *   can't be had, so that the report is sent again
 */
export async function checkReportSignature(
  keys: ReportKeys,
  headers: IncomingHttpHeaders,
  body: Buffer,
): Promise<void> {
  const identifier = headers['github-public-key-identifier'];
  const signature = headers['github-public-key-signature'];
  if (typeof identifier !== 'string' || identifier.length > LONGEST_IDENTIFIER) throw notTrusted();
  if (typeof signature !== 'string' || !SIGNATURE.test(signature)) throw notTrusted();
  const key = await keys.keyFor(identifier).catch((fault: unknown) => {
    throw laterProblem('unavailable', fault);
  });
  if (!key) throw notTrusted();
  const valid = verify(
    'sha256',
    body,
    { key, dsaEncoding: 'der' },
    Buffer.from(signature, 'base64'),
  );
  if (!valid) throw notTrusted();
}

const notTrusted = (): Error => problem('report-not-trusted');
