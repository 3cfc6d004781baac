import type { Standalone } from './standalone.js';

/** The main job, to copy and paste. */
export const walk = ({
  api,
  gateway,
  issuer,
}: Pick<Standalone, 'api' | 'gateway' | 'issuer'>): string => `
Try it, in another terminal:

  # 1. Alice signs in, and adds an API token. Its secret is shown this once.
  ACCESS=$(curl -s ${issuer}/token -d grant_type=urn:token-status:demo -d client_id=demo-cli \\
    -d username=alice@example.com -d password=demo | sed -E 's/.*"access_token":"([^"]+)".*/\\1/')
  TOKEN=$(curl -s ${api}/v1/users/u-alice/tokens -H "Authorization: Bearer $ACCESS" \\
    -H 'Content-Type: application/json' -d "{\\"name\\":\\"My script $RANDOM\\"}"); echo "$TOKEN"
  ID=$(echo "$TOKEN" | sed -E 's/.*"id":"([^"]+)".*/\\1/'); SECRET=$(echo "$TOKEN" | sed -E 's/.*"secret":"([^"]+)".*/\\1/')

  # 2. The gateway lets it pass: 200.
  curl -si ${gateway}/verify -H "Authorization: Bearer $SECRET"

  # 3. Alice disables it: the gateway refuses it, 401.
  curl -s -X POST ${api}/v1/tokens/$ID/disable -H "Authorization: Bearer $ACCESS"; echo
  curl -si ${gateway}/verify -H "Authorization: Bearer $SECRET"

  # 4. Alice enables it: the same secret passes again, 200.
  curl -s -X POST ${api}/v1/tokens/$ID/enable -H "Authorization: Bearer $ACCESS"; echo
  curl -si ${gateway}/verify -H "Authorization: Bearer $SECRET"

  # 5. Alice revokes it, which is for ever: 401.
  curl -s -X DELETE ${api}/v1/tokens/$ID -H "Authorization: Bearer $ACCESS"; echo
  curl -si ${gateway}/verify -H "Authorization: Bearer $SECRET"
`;

/** What a person sees at the start: where everything is, and the main job to copy and paste. */
export const welcome = (standalone: Standalone): string => `
Token Status runs, everything in this one process.

  API                     ${standalone.api}
  auth gateway            ${standalone.gateway}
  the same over gRPC      ${standalone.gatewayGrpc ?? 'off'}
  demo identity provider  ${standalone.issuer}
  data                    ${standalone.dataDir}
${walk(standalone)}
Ctrl-C ends it; the data stays for the next start.
`;
