import type { AnswerJson, ServiceUnderTest } from './service.spec.js';

let added = 0;

/** A new token of a new user of acme, unless another user or account is named. */
export async function addToken(
  service: ServiceUnderTest,
  { userId = `u-${++added}`, accountId = 'acme', name = `token ${++added}` } = {},
): Promise<AnswerJson & { readonly id: string; readonly userId: string; readonly secret: string }> {
  const { status, json } = await service.call('POST', `/v1/users/${userId}/tokens`, {
    as: 'writer',
    body: { name, accountId, userName: `${userId}@example.com` },
  });
  const { id, secret } = json;
  if (id === undefined || secret === undefined) throw new Error(`${status}: ${json.code ?? ''}`);
  return { ...json, id, userId, secret };
}
