import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService } from '../given/service.spec.js';
import type { ServiceUnderTest } from '../given/service.spec.js';
import { addToken } from '../given/token.spec.js';

let service: ServiceUnderTest;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

const rename = (id: string, name: string) =>
  service.call('PATCH', `/v1/tokens/${id}`, { as: 'writer', body: { name } });

describe('renaming a token', () => {
  it('answers with the new name', async () => {
    const { id } = await addToken(service);
    const answer = await rename(id, 'Release pipeline');
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ id, name: 'Release pipeline', version: 2 });
    expect(answer.headers.get('etag')).toBe('"2"');
  });

  it('to the name that it has changes nothing', async () => {
    const { id } = await addToken(service, { name: 'same' });
    expect((await rename(id, 'same')).json).toMatchObject({ name: 'same', version: 1 });
  });

  it('is refused where the user has another token of that name', async () => {
    const first = await addToken(service, { userId: 'u-two', name: 'first' });
    const second = await addToken(service, { userId: 'u-two', name: 'second' });
    const taken = await rename(second.id, 'first');
    expect([taken.status, taken.json.code]).toEqual([409, 'name-taken']);
    await service.call('DELETE', `/v1/tokens/${first.id}`, { as: 'writer' });
    expect((await rename(second.id, 'first')).status).toBe(200);
    const revoked = await rename(first.id, 'other');
    expect([revoked.status, revoked.json.code]).toEqual([409, 'token-revoked']);
  });

  it('of many to one name at once succeeds once', async () => {
    const tokens = [];
    for (let n = 0; n < 5; n++) tokens.push(await addToken(service, { userId: 'u-racers' }));
    const answers = await Promise.all(tokens.map(({ id }) => rename(id, 'the one')));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409]);
  });
});
