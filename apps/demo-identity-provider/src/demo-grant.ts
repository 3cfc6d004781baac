import type * as OidcProvider from 'oidc-provider';
import { apiResource, DEMO_GRANT } from './configuration.js';
import { DEMO_PASSWORD, signIn } from './people.js';

/**
 * `grant_type=urn:token-status:demo&username=…&password=demo` gives that user's access token: for trying
 * the API with curl and in tests. OAuth 2.1 removed the password grant for good reasons; none of them
 * holds for a password that is printed in the manual.
 */
export function addDemoGrant(
  provider: OidcProvider.Provider,
  { errors }: typeof OidcProvider,
  apiAudience: string,
): void {
  provider.registerGrantType<{ username?: string; password?: string }>(
    DEMO_GRANT,
    async (context) => {
      const { client, params } = context.oidc;
      const user = signIn(params.username, params.password);
      if (user === undefined) {
        throw new errors.InvalidGrant(
          `there is no such demo user, or the password is not "${DEMO_PASSWORD}"`,
        );
      }
      const grant = new provider.Grant({ clientId: client.clientId, accountId: user.id });
      const token = new provider.AccessToken({
        client,
        accountId: user.id,
        grantId: await grant.save(),
        gty: DEMO_GRANT,
        resourceServer: new provider.ResourceServer(apiAudience, apiResource(apiAudience, '')),
      });
      context.body = {
        access_token: await token.save(),
        expires_in: token.expiration,
        token_type: token.tokenType,
      };
    },
    ['username', 'password'],
  );
}
