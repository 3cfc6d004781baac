import { Inject } from '@nestjs/common';
import { CommandHandler } from '@nestjs/cqrs';
import type { ICommandHandler } from '@nestjs/cqrs';
import { isWellFormedSecret, secretDigest } from '@token-status/contracts';
import { newCommandId } from '@token-status/event-log';
import { METRICS } from '@token-status/platform';
import type { Metrics } from '@token-status/platform';
import { ApiTokens } from '../api-token-callers/api-tokens.js';
import type { Clock } from '../clock.js';
import { TokenDecisions } from '../commands/token-decisions.js';
import type { NamedCaller } from '../http/caller.js';
import { faultOfText } from '../http/plain-text.js';
import { problem, reach } from '../http/problems.js';
import { LONGEST_NOTE } from '../http/reasoned-body.js';
import type { TokenServiceOptions } from '../options.js';
import { CLOCK, OPTIONS } from '../tokens.js';
import type { LeakedSecret } from './leak-report.js';
import { ReportLeaksCommand } from './report-leaks.command.js';
import type { LeakFeedback } from './report-leaks.command.js';

const SECRET_SCANNING: NamedCaller = {
  kind: 'service',
  id: 'secret-scanning',
  accountId: null,
  userName: null,
  privileges: new Set(),
  scopes: new Set(['tokens:security']),
};

/** So many are decided at once: enough to fill commits, and no flood for the log. */
const AT_ONCE = 64;

/**
 * Disables what was found in public. A report that comes again finds its tokens disabled and records
 * nothing (rule 5); whatever was enabled since is disabled again: it is still in public.
 */
@CommandHandler(ReportLeaksCommand)
export class ReportLeaksHandler implements ICommandHandler<ReportLeaksCommand> {
  private readonly count: (label: LeakFeedback['label']) => void;

  constructor(
    private readonly decisions: TokenDecisions,
    private readonly tokens: ApiTokens,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(OPTIONS) private readonly options: TokenServiceOptions,
    @Inject(METRICS) metrics: Metrics | null,
  ) {
    const reported = metrics?.meter.createCounter('token_leaks_reported_total', {
      description: 'Secrets that were reported as leaked, by whether they are of a token',
    });
    this.count = (label) => reported?.add(1, { label });
  }

  async execute({ leaked, remoteAddress }: ReportLeaksCommand): Promise<readonly LeakFeedback[]> {
    // A secret is often found in several places: the first that is named will do.
    const places = new Map<string, string>();
    for (const { token, url } of leaked) {
      if ((places.get(token) ?? '') === '') places.set(token, url);
    }
    const secrets = [...places.keys()].filter((secret) => isWellFormedSecret(secret));
    const ids = await reach(this.tokens.idsOf(secrets), this.options.commandTimeoutMs);
    await each([...ids], ([secret, tokenId]) =>
      this.disable(tokenId, places.get(secret) ?? '', remoteAddress),
    );
    const feedback = leaked.map((match) => feedbackOn(match, ids.has(match.token)));
    for (const { label } of feedback) this.count(label);
    return feedback;
  }

  private async disable(tokenId: string, url: string, remoteAddress: string): Promise<void> {
    const request = {
      caller: SECRET_SCANNING,
      at: this.clock().toISOString(),
      commandId: newCommandId(),
      key: undefined,
      expectedVersion: undefined,
      remoteAddress,
      deadline: performance.now() + this.options.commandTimeoutMs,
    };
    const result = await this.decisions.change(request, tokenId, async (facts, seal) => ({
      type: 'DisableToken',
      ...facts,
      reason: 'exposed',
      note: await seal(noteOf(url)),
      until: null,
    }));
    if ('refused' in result && result.refused !== 'token-revoked') throw problem(result.refused);
  }
}

/** Where it was found, if that can stand in a note: no odd address must keep a token enabled. */
const noteOf = (url: string): string | null => {
  const text = url.normalize('NFC');
  return faultOfText(text, LONGEST_NOTE) === null ? text : null;
};

const feedbackOn = ({ token, type }: LeakedSecret, ours: boolean): LeakFeedback => ({
  token_hash: secretDigest(token),
  token_type: type,
  label: ours ? 'true_positive' : 'false_positive',
});

/**
 * Does the work for each, a few at a time. One that fails keeps no other from being done.
 *
 * @throws the first fault, once all were tried
 */
async function each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const faults: unknown[] = [];
  const left = items.values();
  const worker = async (): Promise<void> => {
    for (const item of left) await work(item).catch((fault: unknown) => faults.push(fault));
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
  if (faults.length > 0) throw faults[0];
}
