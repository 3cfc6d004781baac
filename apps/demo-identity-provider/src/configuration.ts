import type { ClientMetadata, Configuration, errors, ResourceServer } from 'oidc-provider';
import type { ProviderKeys } from './keys.js';
import { claimsOf, userOf } from './people.js';

export const DEMO_GRANT = 'urn:token-status:demo';

const SERVICE_SCOPES = ['tokens:read', 'tokens:write', 'tokens:security', 'audit:read'];
const GATEWAY_SCOPES = ['introspect'];
const API_SCOPES = [...SERVICE_SCOPES, ...GATEWAY_SCOPES];

const HOUR = 3600;

export interface ProviderOptions {
  readonly keys: ProviderKeys;
  /** The `aud` of access tokens. */
  readonly apiAudience: string;
  /** Where the console is answered; its redirect address is `/callback` there. */
  readonly consoleUrl: string;
}

const clients = (consoleUrl: string): ClientMetadata[] => [
  {
    client_id: 'demo-service',
    client_secret: 'demo-service-secret',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    scope: SERVICE_SCOPES.join(' '),
  },
  {
    client_id: 'demo-gateway-client',
    client_secret: 'demo-gateway-secret',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    scope: GATEWAY_SCOPES.join(' '),
  },
  {
    client_id: 'demo-cli',
    token_endpoint_auth_method: 'none',
    grant_types: [DEMO_GRANT],
    redirect_uris: [],
    response_types: [],
  },
  {
    client_id: 'demo-console',
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code'],
    redirect_uris: [`${consoleUrl}/callback`],
    response_types: ['code'],
    scope: 'openid profile',
  },
];

/** The API as the library's "resource server": its access tokens are JWTs, readable by whoever has our keys. */
export const apiResource = (audience: string, scope: string): ResourceServer => ({
  audience,
  scope,
  accessTokenFormat: 'jwt',
  accessTokenTTL: HOUR,
  jwt: { sign: { alg: 'ES256' } },
});

/** Without OpenID's own, such as `profile`. */
const apiScopesOf = (scope = ''): string =>
  scope
    .split(' ')
    .filter((name) => API_SCOPES.includes(name))
    .join(' ');

/** What the library is told: clients, claims, and that every access token is a JWT for the API. */
export function configurationOf(
  { keys, apiAudience, consoleUrl }: ProviderOptions,
  { InvalidTarget }: typeof errors,
): Configuration {
  const consoleOrigin = new URL(consoleUrl).origin;
  return {
    clients: clients(consoleUrl),
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    jwks: { keys: [keys.signing] },
    cookies: {
      keys: [keys.cookies],
      long: { signed: true, httpOnly: true, sameSite: 'lax' },
      short: { signed: true, httpOnly: true, sameSite: 'lax' },
    },
    responseTypes: ['code'],
    scopes: ['openid', ...API_SCOPES],
    claims: { openid: ['sub'], profile: ['preferred_username', 'account_id', 'privileges'] },
    ttl: {
      AccessToken: HOUR,
      ClientCredentials: HOUR,
      AuthorizationCode: 60,
      IdToken: HOUR,
      Interaction: HOUR,
      Session: 8 * HOUR,
      Grant: 8 * HOUR,
    },
    pkce: { required: () => true },
    findAccount: (_, id) => {
      const user = userOf(id);
      return user && { accountId: id, claims: () => ({ sub: id, ...claimsOf(user) }) };
    },
    extraTokenClaims: (_, token) => {
      const user = token.kind === 'AccessToken' ? userOf(token.accountId) : undefined;
      return user && claimsOf(user);
    },
    formats: {
      customizers: {
        // A service that asks for no scope in particular gets all of its own (RFC 6749 section 3.3).
        jwt: (_, token, jwt) => {
          if (token.kind !== 'ClientCredentials' || token.scope !== undefined) return;
          token.scope = token.client?.scope;
          Object.assign(jwt.payload, { scope: token.scope });
        },
      },
    },
    clientBasedCORS: (_, origin) => origin === consoleOrigin,
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    // The console is ours: whoever signs in has agreed.
    loadExistingGrant: async ({ oidc: { provider, client, session } }) => {
      if (client === undefined || session?.accountId === undefined) return undefined;
      const known = session.grantIdFor(client.clientId);
      const found = known === undefined ? undefined : await provider.Grant.find(known);
      if (found !== undefined) return found;
      const grant = new provider.Grant({
        clientId: client.clientId,
        accountId: session.accountId,
      });
      grant.addOIDCScope('openid profile');
      grant.addResourceScope(apiAudience, '');
      await grant.save();
      return grant;
    },
    renderError: (context, out) => {
      context.type = 'text/plain';
      context.body = `${out.error}: ${out.error_description ?? ''}\n`;
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      rpInitiatedLogout: { enabled: false },
      revocation: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => apiAudience,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource, client) => {
          if (resource !== apiAudience) throw new InvalidTarget();
          return apiResource(apiAudience, apiScopesOf(client.scope));
        },
      },
    },
  };
}
