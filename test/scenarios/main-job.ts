import { expect } from '@jest/globals';
import { Caller, basic, bearer, verifies, verify } from './caller.js';

/** Where the parts answer, however they are run. */
export interface Addresses {
  readonly issuer: string;
  readonly api: string;
  readonly gateway: string;
}

/** The main job, end to end: what the help page promises, seen from outside. */
export async function mainJob({ issuer, api, gateway }: Addresses): Promise<void> {
  const alice = await Caller.user(issuer, api, 'alice@example.com');

  const added = await alice.add('u-alice', 'Nightly export');
  expect(added).toMatchObject({
    status: 201,
    body: {
      name: 'Nightly export',
      status: 'active',
      version: 1,
      userId: 'u-alice',
      accountId: 'acme',
    },
  });
  const { id, secret = '' } = added.body;
  await verifies(gateway, secret, 200);
  const passed = await verify(gateway, basic('alice@example.com', secret));
  expect(passed.status).toBe(200);
  expect(passed.headers.get('x-token-id')).toBe(id);
  expect(passed.headers.get('x-token-user')).toBe('u-alice');
  expect(passed.headers.get('x-token-account')).toBe('acme');
  expect(passed.headers.get('x-token-version')).toBe('1');
  expect(Number(passed.headers.get('x-token-age'))).toBeLessThan(5000);
  expect((await verify(gateway, basic('carol@example.com', secret))).status).toBe(401);

  const disabled = await alice.disable(id, { reason: 'rotation' });
  expect(disabled).toMatchObject({ status: 200, body: { status: 'disabled', version: 2 } });
  await verifies(gateway, secret, 401);
  const refused = await verify(gateway, bearer(secret));
  expect(refused.headers.get('www-authenticate')).toContain('The token is disabled');
  await alice.readsStatus(id, 'disabled');

  const enabled = await alice.enable(id);
  expect(enabled).toMatchObject({ status: 200, body: { status: 'active', version: 3 } });
  await verifies(gateway, secret, 200);
  await alice.readsStatus(id, 'active');

  const renamed = await alice.call('PATCH', `/v1/tokens/${id}`, { name: 'Nightly export, old' });
  expect(renamed).toMatchObject({ status: 200, body: { name: 'Nightly export, old', version: 4 } });
  const revoked = await alice.call('DELETE', `/v1/tokens/${id}`);
  expect(revoked).toMatchObject({ status: 200, body: { status: 'revoked', version: 5 } });
  await verifies(gateway, secret, 401);
  expect((await verify(gateway, bearer(secret))).headers.get('www-authenticate')).not.toContain(
    'disabled',
  );
  expect(await alice.enable(id)).toMatchObject({ status: 409, body: { code: 'token-revoked' } });
}
