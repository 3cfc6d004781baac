import * as oauth from 'oauth4webapi';
import type { AccessTokens } from './resilient-fetch.js';

export interface ClientCredentialsOptions {
  /** The issuer's address; its token endpoint is found by OpenID discovery. */
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Separated by spaces: `tokens:read tokens:write`. */
  readonly scope: string;
  /** For an issuer on loopback, without TLS. Default false. */
  readonly allowHttp?: boolean;
  /** Of each request to the issuer. Default 5000. */
  readonly timeoutMs?: number;
}

/** A new one is fetched when the one at hand has less than this left: it must last for the request. */
const LEAST_LEFT_MS = 30_000;

/**
 * Access tokens of an internal service (RFC 6749 section 4.4): fetched when needed, kept until shortly
 * before they run out, one request to the issuer at a time.
 */
export function clientCredentials(options: ClientCredentialsOptions): AccessTokens {
  const issuer = new URL(options.issuer);
  const requests = {
    // Marked as deprecated to stand out; it is for loopback, and off unless asked for.
    // eslint-disable-next-line @typescript-eslint/no-deprecated
    [oauth.allowInsecureRequests]: options.allowHttp ?? false,
    signal: () => AbortSignal.timeout(options.timeoutMs ?? 5000),
  };
  const client: oauth.Client = { client_id: options.clientId };
  let server: Promise<oauth.AuthorizationServer> | null = null;
  let fetching: Promise<string> | null = null;
  let held: { readonly token: string; readonly until: number } | null = null;

  const discovered = (): Promise<oauth.AuthorizationServer> => {
    server ??= oauth
      .discoveryRequest(issuer, requests)
      .then((response) => oauth.processDiscoveryResponse(issuer, response))
      .catch((fault: unknown) => {
        server = null;
        throw fault;
      });
    return server;
  };
  const fetched = async (): Promise<string> => {
    const at = await discovered();
    const answer = await oauth.clientCredentialsGrantRequest(
      at,
      client,
      oauth.ClientSecretBasic(options.clientSecret),
      { scope: options.scope },
      requests,
    );
    const { access_token: token, expires_in: seconds = 60 } =
      await oauth.processClientCredentialsResponse(at, client, answer);
    held = { token, until: performance.now() + seconds * 1000 - LEAST_LEFT_MS };
    return token;
  };
  return async ({ renew }) => {
    if (!renew && held !== null && performance.now() < held.until) return held.token;
    fetching ??= fetched().finally(() => {
      fetching = null;
    });
    return fetching;
  };
}
