import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newSecret } from '@token-status/contracts';
import { OutcomeUnknown } from '@token-status/event-log';
import { httpAnswer } from '@token-status/token-guard';
import type { Finding, Outcome } from '@token-status/token-guard';
import { startService } from '../given/service.spec.js';
import type { Answer, ServiceUnderTest } from '../given/service.spec.js';
import { addToken } from '../given/token.spec.js';
import type { CommandLog } from '../ports.js';

// Nothing is projected unless a test says so: whatever a token may do here is read from the log.
let service: ServiceUnderTest;
/** Held up between a caller being let in and its command being decided. */
let beforeDeciding: (() => Promise<void>) | null = null;
/** Reads of the log, by their tags. */
let reads: string[][] = [];
let logAway = false;

beforeAll(async () => {
  service = await startService({
    settings: { tokensPerUser: 100 },
    around: ({ log, ...rest }) => {
      const watched: CommandLog = {
        ...log,
        decideAndAppend: async (submission) => {
          const wait = beforeDeciding;
          beforeDeciding = null;
          await wait?.();
          return log.decideAndAppend(submission);
        },
        read: (after, options) => {
          reads.push([...(options?.tags ?? [])]);
          return log.read(after, options);
        },
        fence: () => (logAway ? Promise.reject(new OutcomeUnknown('away')) : log.fence()),
      };
      return { ...rest, log: watched };
    },
  });
});
afterAll(() => service.close());

const basic = (userName: string, secret: string): string =>
  `Basic ${Buffer.from(`${userName}:${secret}`).toString('base64')}`;

const by = (authorization: string, method: string, path: string, body?: unknown): Promise<Answer> =>
  service.call(method, path, { headers: { authorization }, ...(body ? { body } : {}) });

const shown = ({ status, json, headers }: Answer) => [
  status,
  { ...json, instance: '' },
  headers.get('www-authenticate'),
];

const challengesOf = (outcome: Extract<Outcome, 'stranger' | 'disabled' | 'challenge'>) =>
  httpAnswer({ outcome, finding: 'unknown' satisfies Finding }).headers['www-authenticate'];

describe('an API token as a caller', () => {
  it("carries API Access for its owner's tokens, by Bearer and by Basic", async () => {
    const { id, userId, secret } = await addToken(service, { userId: 'u-alice' });
    const other = await addToken(service, { userId });
    for (const authorization of [
      `Bearer ${secret}`,
      basic('BOOMI_TOKEN.u-alice@example.com', secret),
    ]) {
      const renamed = await by(authorization, 'PATCH', `/v1/tokens/${other.id}`, {
        name: `by ${authorization.slice(0, 5)}`,
      });
      expect([renamed.status, renamed.json.name]).toEqual([200, `by ${authorization.slice(0, 5)}`]);
    }
    const disabled = await by(`Bearer ${secret}`, 'POST', `/v1/tokens/${other.id}/disable`);
    expect(disabled.json.disabled).toMatchObject({
      by: { kind: 'user', id: userId },
      authority: 'owner',
    });
    await service.project();
    const list = await by(`Bearer ${secret}`, 'GET', `/v1/users/${userId}/tokens`);
    expect(list.json.tokens?.map((token) => token.id)).toContain(id);
  });

  it('is no administrator and no service, whoever its owner is', async () => {
    const admin = await addToken(service, { userId: 'u-admin' });
    const { id } = await addToken(service, { userId: 'u-carol' });
    const foreign = await by(`Bearer ${admin.secret}`, 'POST', `/v1/tokens/${id}/disable`);
    expect([foreign.status, foreign.json.code]).toEqual([404, 'token-unknown']);
    const raised = await by(`Bearer ${admin.secret}`, 'POST', `/v1/tokens/${admin.id}/disable`, {
      authority: 'administrator',
    });
    expect([raised.status, raised.json.code]).toEqual([403, 'authority-too-low']);
    const added = await by(
      basic('BOOMI_TOKEN.u-admin@example.com', admin.secret),
      'POST',
      '/v1/users/u-carol/tokens',
      { name: 'for carol' },
    );
    expect([added.status, added.json.code]).toEqual([403, 'not-own-user']);
  });

  it('adds a token where Basic proves the user name, and is told so where Bearer does not', async () => {
    const { userId, secret } = await addToken(service);
    const path = `/v1/users/${userId}/tokens`;
    const unproven = await by(`Bearer ${secret}`, 'POST', path, { name: 'second' });
    expect([unproven.status, unproven.json.code]).toEqual([403, 'user-name-unproven']);
    const userName = `BOOMI_TOKEN.${userId}@example.com`;
    const added = await by(basic(userName, secret), 'POST', path, { name: 'second' });
    expect(added.status).toBe(201);
    // The new one is bound to the same user name.
    const asNew = (name: string) =>
      by(basic(name, added.json.secret ?? ''), 'POST', `/v1/tokens/${added.json.id}/disable`);
    expect((await asNew('BOOMI_TOKEN.another@example.com')).status).toBe(401);
    expect((await asNew(userName)).status).toBe(200);
  });

  it('can do nothing from the moment on that it was disabled, while no projection knows of that', async () => {
    const { id, userId, secret } = await addToken(service);
    expect((await by(`Bearer ${secret}`, 'POST', `/v1/tokens/${id}/enable`)).status).toBe(200);
    await service.call('POST', `/v1/tokens/${id}/disable`, { as: 'admin' });
    const events = (await service.events()).length;
    for (const [method, path, body] of [
      ['POST', `/v1/tokens/${id}/enable`],
      ['PATCH', `/v1/tokens/${id}`, { name: 'x' }],
      ['POST', `/v1/users/${userId}/tokens`, { name: 'x' }],
      ['GET', `/v1/users/${userId}/tokens`],
      ['DELETE', `/v1/tokens/${id}`],
    ] as const) {
      const refused = await by(`Bearer ${secret}`, method, path, body);
      expect([refused.status, refused.json.code]).toEqual([401, 'token-disabled']);
      expect(refused.headers.get('www-authenticate')).toBe(challengesOf('disabled'));
    }
    expect(await service.events()).toHaveLength(events);
    await service.call('POST', `/v1/tokens/${id}/enable`, { as: 'admin' });
    expect((await by(`Bearer ${secret}`, 'DELETE', `/v1/tokens/${id}`)).status).toBe(200);
  });

  it.each(['disable', 'revoke'] as const)(
    'that was let in can enable nothing once a %s was recorded before its command was decided',
    async (change) => {
      const { id, userId, secret } = await addToken(service);
      const other = await addToken(service, { userId });
      await service.call('POST', `/v1/tokens/${other.id}/disable`, {
        as: 'security',
        body: { authority: 'owner' },
      });
      for (const target of [id, other.id]) {
        if (change === 'disable')
          await service.call('POST', `/v1/tokens/${id}/enable`, { as: 'admin' });
        beforeDeciding = async () => {
          // An owner's own disable, which no authority would keep the owner's token from lifting.
          await (change === 'disable'
            ? service.call('POST', `/v1/tokens/${id}/disable`, {
                as: 'security',
                body: { authority: 'owner' },
              })
            : service.call('DELETE', `/v1/tokens/${id}`, { as: 'security' }));
        };
        const answer = await by(`Bearer ${secret}`, 'POST', `/v1/tokens/${target}/enable`);
        expect([answer.status, answer.json.code]).toEqual([
          401,
          change === 'disable' ? 'token-disabled' : 'unauthenticated',
        ]);
        expect(answer.headers.get('www-authenticate')).toContain('Bearer');
      }
    },
  );

  it('that is unknown, malformed, revoked, expired or of another user name gets the answer of strangers', async () => {
    const revoked = await addToken(service);
    await service.call('DELETE', `/v1/tokens/${revoked.id}`, { as: 'writer' });
    const named = await addToken(service);
    const disabled = await addToken(service);
    await service.call('POST', `/v1/tokens/${disabled.id}/disable`, { as: 'admin' });
    const { json } = await service.call('POST', '/v1/users/u-short/tokens', {
      as: 'writer',
      body: {
        name: 'short',
        accountId: 'acme',
        userName: 'short@example.com',
        expiresAt: '2030-01-01T12:00:01Z',
      },
    });
    const path = `/v1/tokens/${named.id}`;
    service.clock.now = new Date('2030-01-01T12:00:01.000Z');
    const answers = [];
    for (const authorization of [
      `Bearer ${newSecret()}`,
      `Bearer ${named.secret.slice(0, -1)}`,
      `Bearer ${revoked.secret}`,
      `Bearer ${json.secret}`,
      basic('BOOMI_TOKEN.somebody@example.com', named.secret),
      // Nor is told that it is disabled who doesn't name its owner.
      basic('BOOMI_TOKEN.somebody@example.com', disabled.secret),
      basic(`${named.userId}@example.com`, named.secret),
      'Bearer nonsense',
      'Digest x',
    ]) {
      answers.push(shown(await by(authorization, 'GET', path)));
    }
    expect(answers[0]).toEqual([
      401,
      expect.objectContaining({ code: 'unauthenticated' }),
      challengesOf('stranger'),
    ]);
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    expect(shown(await service.call('GET', path))[2]).toBe(challengesOf('challenge'));
  });

  it('is looked up with the same reads of the log as one that nobody has', async () => {
    const known = await addToken(service);
    await service.call('DELETE', `/v1/tokens/${known.id}`, { as: 'writer' });
    const readsFor = async (secret: string): Promise<(readonly string[])[]> => {
      reads = [];
      await by(`Bearer ${secret}`, 'GET', `/v1/tokens/${known.id}`);
      return reads.map((tags) => tags.map((tag) => tag.replace(/:.*/, '')));
    };
    const unknown = newSecret();
    expect(await readsFor(known.secret)).toEqual([['secret', 'token'], ['token']]);
    expect(await readsFor(unknown)).toEqual([['secret', 'token'], ['token']]);
    // Nothing was recorded since: the fence says so, and nothing is read.
    expect(await readsFor(known.secret)).toEqual([]);
    expect(await readsFor(unknown)).toEqual([]);
    await addToken(service);
    expect(await readsFor(known.secret)).toEqual([['secret', 'token']]);
    expect(await readsFor(unknown)).toEqual([['secret', 'token']]);
  });

  it('waits for the log, and is neither let in nor refused without it', async () => {
    const { id, secret } = await addToken(service);
    logAway = true;
    try {
      const answer = await by(`Bearer ${secret}`, 'POST', `/v1/tokens/${id}/disable`);
      expect([answer.status, answer.json.code]).toEqual([503, 'unavailable']);
      expect(answer.headers.get('retry-after')).toBe('1');
    } finally {
      logAway = false;
    }
    expect((await by(`Bearer ${secret}`, 'POST', `/v1/tokens/${id}/disable`)).status).toBe(200);
  });

  it('is counted by what was found, whoever it is', async () => {
    const metrics = await service.metrics();
    for (const result of ['active', 'disabled', 'unknown']) {
      expect(metrics).toMatch(
        new RegExp(`token_api_token_callers_total\\{result="${result}"\\} [1-9]`),
      );
    }
  });

  it('stands in no line of the log', () => {
    expect(service.logged.join('')).not.toMatch(/tst_[0-9A-Za-z]{7}/);
  });
});
