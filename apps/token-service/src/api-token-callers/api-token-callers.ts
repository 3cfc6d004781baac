import { annotateRequest, Problem } from '@token-status/platform';
import type { Caller, CallerAuthentication, Metrics, Privilege } from '@token-status/platform';
import { parseCredential } from '@token-status/token-guard';
import type { Clock } from '../clock.js';
import { reach } from '../http/problems.js';
import { DEFAULT_OPTIONS } from '../options.js';
import type { CommandLog } from '../ports.js';
import { ApiTokens } from './api-tokens.js';
import { refusedCredential } from './refused-credential.js';

export interface ApiTokenCallersOptions {
  readonly log: Pick<CommandLog, 'fence' | 'read'>;
  /** Of those who present an access token instead. */
  readonly accessTokens: CallerAuthentication;
  /** What stands before the user name in Basic. Default `BOOMI_TOKEN.` */
  readonly basicPrefix?: string | undefined;
  /** Default: the machine's. */
  readonly clock?: Clock | undefined;
  /** How long the log is waited for before the answer is 503. Default 5000. */
  readonly timeoutMs?: number | undefined;
  readonly metrics?: Pick<Metrics, 'meter'> | undefined;
}

/**
 * Takes API tokens as callers beside access tokens (`precise.md` 20), told apart by their form. An API
 * token carries *API Access* for its owner, and never administration or a scope. That it was active is
 * true of a moment after the request came; a command rests on it a second time when it is decided.
 *
 * The user name is known only where Basic named it and it is the owner's: what the log keeps is an HMAC
 * of it (`precise.md` 23).
 */
export function apiTokenCallers(options: ApiTokenCallersOptions): CallerAuthentication {
  const tokens = new ApiTokens(options.log);
  const {
    accessTokens,
    basicPrefix = DEFAULT_OPTIONS.basicPrefix,
    clock = () => new Date(),
    timeoutMs = DEFAULT_OPTIONS.commandTimeoutMs,
  } = options;

  const presented = options.metrics?.meter.createCounter('token_api_token_callers_total', {
    description: 'API tokens that callers presented in place of access tokens, by what was found',
  });

  return {
    authenticate: async (authorization) => {
      const credential = parseCredential(authorization, basicPrefix);
      if (credential.kind === 'none') throw refusedCredential('none');
      if (credential.kind === 'malformed') return byAccessToken(accessTokens, authorization);
      const found = await reach(
        tokens.find(credential, () => clock().toISOString()),
        timeoutMs,
      );
      presented?.add(1, { result: found.finding });
      if (found.finding !== 'active') throw refusedCredential(found.finding);
      const { id: tokenId, userId, accountId } = found.token;
      annotateRequest({ callerTokenId: tokenId });
      return {
        kind: 'user',
        id: userId,
        accountId,
        userName: credential.kind === 'basic' ? credential.userName : null,
        privileges: new Set<Privilege>(['API Access']),
        scopes: new Set(),
        tokenId,
      };
    },
  };
}

/** Who presents what is neither gets the same answer as who presents a wrong one of either. */
async function byAccessToken(
  accessTokens: CallerAuthentication,
  authorization: string | undefined,
): Promise<Caller> {
  try {
    return await accessTokens.authenticate(authorization);
  } catch (fault) {
    if (!(fault instanceof Problem) || fault.code !== 'unauthenticated') throw fault;
    throw refusedCredential('malformed');
  }
}
