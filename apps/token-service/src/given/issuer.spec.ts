import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

export const AUDIENCE = 'urn:token-status:api';

export interface Issuer {
  readonly url: string;
  /** An access token with these claims, for this API unless another audience is named. */
  token(
    claims: Readonly<Record<string, unknown>>,
    audience?: string,
    expiresIn?: string,
  ): Promise<string>;
  close(): Promise<void>;
}

/** A real issuer on loopback: discovery, keys, and tokens signed by them. */
export async function startIssuer(): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const keys = [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' }];
  const server = createServer((request, response) => {
    const document = request.url?.startsWith('/.well-known')
      ? { issuer: url, jwks_uri: `${url}/keys` }
      : { keys };
    response.setHeader('content-type', 'application/json').end(JSON.stringify(document));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    token: (claims, audience = AUDIENCE, expiresIn = '1h') =>
      new SignJWT({ ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: 'k1', typ: 'at+jwt' })
        .setIssuer(url)
        .setAudience(audience)
        .setIssuedAt()
        .setExpirationTime(expiresIn)
        .sign(privateKey),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const person = (name: string, account: string, ...privileges: string[]) => ({
  sub: `u-${name}`,
  account_id: account,
  preferred_username: `${name}@example.com`,
  privileges,
});
const service = (id: string, scope: string) => ({ sub: id, client_id: id, scope });

/** Those of `api.md`, and services with fewer scopes. */
export const CALLERS = {
  alice: person('alice', 'acme', 'API Access'),
  carol: person('carol', 'acme', 'API Access'),
  admin: person('admin', 'acme', 'Account Administration', 'API Access'),
  bob: person('bob', 'acme'),
  mallory: person('mallory', 'globex', 'Account Administration', 'API Access'),
  security: service('security-service', 'tokens:read tokens:write tokens:security audit:read'),
  writer: service('writer-service', 'tokens:write'),
  reader: service('reader-service', 'tokens:read'),
  auditor: service('audit-service', 'audit:read'),
  namelessUser: { sub: 'u-alice', account_id: 'acme', privileges: ['API Access'] },
  oddService: service('has a space', 'tokens:write'),
} as const;

export type CallerName = keyof typeof CALLERS;
