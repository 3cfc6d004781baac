import type { Problem } from '@token-status/platform';
import { httpAnswer, OUTCOMES } from '@token-status/token-guard';
import type { Finding } from '@token-status/token-guard';
import { problem } from '../http/problems.js';

/** What refuses a credential here; a gateway has findings of its own beside these. */
export type RefusedFinding = Exclude<
  Finding,
  'active' | 'active-stale' | 'parked' | 'stale' | 'behind'
>;

/**
 * The gateways' words for a credential that does not pass: one table from what was found to what is
 * said, and one answer for all strangers (rule 13).
 */
export function refusedCredential(finding: RefusedFinding): Problem {
  const outcome = OUTCOMES[finding];
  const { headers } = httpAnswer({ outcome: outcome === 'pass' ? 'stranger' : outcome, finding });
  return problem(outcome === 'disabled' ? 'token-disabled' : 'unauthenticated', { headers });
}

/** The problem that a refused command is answered with; 401 needs its challenges (RFC 9110 section 15.5.2). */
export function refusalProblem(code: Parameters<typeof problem>[0]): Problem {
  if (code === 'token-disabled') return refusedCredential('disabled');
  return code === 'unauthenticated' ? refusedCredential('unknown') : problem(code);
}
