import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newSecret } from '@token-status/contracts';
import { startService } from '../given/service.spec.js';
import type { Answer, ServiceUnderTest } from '../given/service.spec.js';
import { addToken } from '../given/token.spec.js';
import { LARGEST_REPORT, MOST_MATCHES } from './leak-report.js';
import { reportKeysInFile } from './report-keys.js';

const scanner = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const somebody = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const folder = mkdtempSync(join(tmpdir(), 'report-keys-'));
const file = join(folder, 'keys.json');
const trust = (keys: Readonly<Record<string, KeyObject>>): void => {
  const public_keys = Object.entries(keys).map(([key_identifier, key]) => ({
    key_identifier,
    key: key.export({ type: 'spki', format: 'pem' }),
    is_current: true,
  }));
  writeFileSync(file, JSON.stringify({ public_keys }));
};

let service: ServiceUnderTest;
/** The log takes no command while it is so. */
let broken: ((tags: readonly string[]) => boolean) | null = null;

beforeAll(async () => {
  trust({ 'key-1': scanner.publicKey });
  service = await startService({
    settings: { tokensPerUser: 100 },
    around: ({ log, ...rest }) => ({
      ...rest,
      reportKeys: reportKeysInFile(file),
      log: {
        ...log,
        decideAndAppend: (submission) =>
          broken?.(submission.tags)
            ? Promise.reject(new Error('broken'))
            : log.decideAndAppend(submission),
      },
    }),
  });
});
afterAll(async () => {
  await service.close();
  rmSync(folder, { recursive: true });
});

const signed = (body: string, key = scanner.privateKey): string =>
  sign('sha256', Buffer.from(body), { key, dsaEncoding: 'der' }).toString('base64');

const send = (body: string, headers: Readonly<Record<string, string>>): Promise<Answer> =>
  service.call('POST', '/v1/leaks', {
    body,
    headers: Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== '')),
  });

const report = (matches: unknown, key = scanner.privateKey, identifier = 'key-1') => {
  const body = typeof matches === 'string' ? matches : JSON.stringify(matches);
  return send(body, {
    'github-public-key-identifier': identifier,
    'github-public-key-signature': signed(body, key),
  });
};

const found = (token: string, url = 'https://example.com/foo/bar.txt') => ({
  token,
  type: 'token_status_api_token',
  url,
  source: 'content',
});
const feedback = (token: string, label: string) => ({
  token_hash: createHash('sha256').update(token).digest('hex'),
  token_type: 'token_status_api_token',
  label,
});
const tokenNow = async (id: string) => {
  await service.project();
  return (await service.call('GET', `/v1/tokens/${id}`, { as: 'security' })).json;
};

describe('a report of leaked secrets', () => {
  it('disables what it finds with the authority of security, and says what was a secret of ours', async () => {
    const { id, secret } = await addToken(service);
    const stranger = newSecret();
    const answer = await report([found(secret), found(stranger), found('some_token')]);
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual([
      feedback(secret, 'true_positive'),
      feedback(stranger, 'false_positive'),
      feedback('some_token', 'false_positive'),
    ]);
    expect(answer.text).not.toContain(secret);
    expect(await tokenNow(id)).toMatchObject({
      status: 'disabled',
      version: 2,
      disabled: {
        by: { kind: 'service', id: 'secret-scanning' },
        authority: 'security',
        reason: 'exposed',
        note: 'https://example.com/foo/bar.txt',
        until: null,
      },
    });
    expect(JSON.stringify(await service.events())).not.toContain('example.com/foo');
    const enabled = await service.call('POST', `/v1/tokens/${id}/enable`, { as: 'admin' });
    expect([enabled.status, enabled.json.code]).toEqual([403, 'authority-too-low']);
  });

  it('that comes again, or names a secret twice, records nothing more', async () => {
    const { id, secret } = await addToken(service);
    const matches = [found(secret, ''), found(secret, 'https://example.com/2'), found(secret)];
    const first = await report(matches);
    const events = (await service.events()).length;
    const second = await report(matches);
    expect(second.json).toEqual(first.json);
    expect(second.json).toEqual(matches.map(() => feedback(secret, 'true_positive')));
    expect(await service.events()).toHaveLength(events);
    expect(await tokenNow(id)).toMatchObject({
      version: 2,
      disabled: { note: 'https://example.com/2' },
    });
  });

  it('raises an administrator’s disable, leaves a revoked token, and disables again what was enabled since', async () => {
    const { id, secret } = await addToken(service);
    await service.call('POST', `/v1/tokens/${id}/disable`, { as: 'admin' });
    await report([found(secret)]);
    expect(await tokenNow(id)).toMatchObject({ version: 3, disabled: { authority: 'security' } });
    await service.call('POST', `/v1/tokens/${id}/enable`, { as: 'security' });
    await report([found(secret)]);
    expect(await tokenNow(id)).toMatchObject({ version: 5, status: 'disabled' });
    await service.call('DELETE', `/v1/tokens/${id}`, { as: 'security' });
    const revoked = await report([found(secret)]);
    expect(revoked.json).toEqual([feedback(secret, 'true_positive')]);
    expect(await tokenNow(id)).toMatchObject({ version: 6, status: 'revoked' });
  });

  it('disables though an address can not stand in a note, and whatever else a match says', async () => {
    const { id, secret } = await addToken(service);
    const odd = { ...found(secret, `https://example.com/\u202e${'x'.repeat(3000)}`), more: [1] };
    expect((await report([odd])).status).toBe(200);
    expect(await tokenNow(id)).toMatchObject({ status: 'disabled', disabled: { note: null } });
    const bare = await addToken(service);
    expect((await report([{ token: bare.secret, type: 'any' }])).status).toBe(200);
    expect(await tokenNow(bare.id)).toMatchObject({ status: 'disabled' });
  });

  it('may hold hundreds of secrets', async () => {
    const tokens = await Promise.all(
      Array.from({ length: 90 }, () => addToken(service, { userId: 'u-many' })),
    );
    const strangers = Array.from({ length: MOST_MATCHES - 90 }, () => found(newSecret()));
    const answer = await report([...strangers, ...tokens.map(({ secret }) => found(secret))]);
    expect(answer.status).toBe(200);
    const labels = (answer.json as unknown as { label: string }[]).map(({ label }) => label);
    expect(labels.filter((label) => label === 'true_positive')).toHaveLength(90);
    const disabled = (await service.events()).filter(
      ({ type, data }) => type === 'TokenDisabled' && data.userId === 'u-many',
    );
    expect(new Set(disabled.map(({ data }) => data.tokenId)).size).toBe(90);
  });

  it('of which one token fails is done for all others, and answered so that it comes again', async () => {
    const failing = await addToken(service);
    const other = await addToken(service);
    broken = (tags) => tags.includes(`token:${failing.id}`);
    const answer = await report([found(failing.secret), found(other.secret)]);
    expect(answer.status).toBe(500);
    broken = null;
    expect(await tokenNow(other.id)).toMatchObject({ status: 'disabled' });
    expect((await report([found(failing.secret), found(other.secret)])).status).toBe(200);
    expect(await tokenNow(failing.id)).toMatchObject({ status: 'disabled', version: 2 });
    expect(await tokenNow(other.id)).toMatchObject({ version: 2 });
  });
});

describe('a report that no trusted key signed', () => {
  it('gets one answer and disables nothing, whatever is wrong with it', async () => {
    const { secret } = await addToken(service);
    const body = JSON.stringify([found(secret)]);
    const events = (await service.events()).length;
    const good = signed(body);
    const p1363 = sign('sha256', Buffer.from(body), {
      key: scanner.privateKey,
      dsaEncoding: 'ieee-p1363',
    }).toString('base64');
    const answers = [];
    for (const [identifier, signature, sent] of [
      ['', '', body],
      ['key-1', '', body],
      ['', good, body],
      ['key-2', good, body],
      ['x'.repeat(1000), good, body],
      ['key-1', signed(body, somebody.privateKey), body],
      ['key-1', good, `${body} `],
      ['key-1', p1363, body],
      ['key-1', 'nonsense!', body],
      ['key-1', `${good}, ${good}`, body],
      ['key-1', good, '{'],
      ['key-1', good, ''],
    ] as const) {
      const answer = await send(sent, {
        'github-public-key-identifier': identifier,
        'github-public-key-signature': signature,
      });
      answers.push([answer.status, { ...answer.json, instance: '' }]);
    }
    expect(answers[0]).toEqual([403, expect.objectContaining({ code: 'report-not-trusted' })]);
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    // Nor does an access token help.
    const access = await service.call('POST', '/v1/leaks', { as: 'security', body });
    expect([access.status, access.json.code]).toEqual([403, 'report-not-trusted']);
    expect(await service.events()).toHaveLength(events);
  });

  it('is believed once the key is in the file, and not any more once it is taken out', async () => {
    const { id, secret } = await addToken(service);
    const send2 = () => report([found(secret)], somebody.privateKey, 'key-2');
    expect((await send2()).status).toBe(403);
    trust({ 'key-1': scanner.publicKey, 'key-2': somebody.publicKey });
    expect((await send2()).status).toBe(200);
    expect(await tokenNow(id)).toMatchObject({ status: 'disabled' });
    trust({ 'key-1': scanner.publicKey });
    expect((await send2()).status).toBe(403);
  });

  it('can not be told from one that is while the keys are away: it is to come again', async () => {
    writeFileSync(file, '{"public_keys": []}');
    const answer = await report([]);
    expect([answer.status, answer.json.code]).toEqual([503, 'unavailable']);
    expect(answer.headers.get('retry-after')).toBe('1');
    rmSync(file);
    expect((await report([])).status).toBe(503);
    trust({ 'key-1': scanner.publicKey });
    expect((await report([])).status).toBe(200);
  });
});

describe('a signed report that is malformed', () => {
  it.each([
    ['no JSON', '[', undefined],
    ['no list', '{}', undefined],
    ['a match that is none', '[null]', '/0/token'],
    ['a token that is no text', '[{"token":1,"type":"t"}]', '/0/token'],
    ['no type', '[{"token":"a"}]', '/0/type'],
    [
      'an address that is no text',
      '[{"token":"a","type":"t"},{"token":"a","type":"t","url":[]}]',
      '/1/url',
    ],
  ] as const)('(%s) is refused as a whole', async (_, body, pointer) => {
    const answer = await report(body);
    expect([answer.status, answer.json.code]).toEqual([400, 'invalid-request']);
    expect(answer.json.errors?.[0]?.pointer).toBe(pointer);
  });

  it('or too large is refused before it is read', async () => {
    const many = await report(Array.from({ length: MOST_MATCHES + 1 }, () => found('x')));
    expect([many.status, many.json.code]).toEqual([413, 'too-large']);
    const large = await report(`["${'x'.repeat(LARGEST_REPORT)}"]`);
    expect([large.status, large.json.code]).toEqual([413, 'too-large']);
    // Others' bodies keep the app's limit.
    const other = await service.call('POST', '/v1/users/u-x/tokens', {
      as: 'writer',
      body: { name: 'x'.repeat(70_000) },
    });
    expect([other.status, other.json.code]).toEqual([413, 'too-large']);
  });

  it('is refused where it is not JSON by its type', async () => {
    const answer = await service.call('POST', '/v1/leaks', {
      body: '[]',
      headers: { 'content-type': 'text/plain' },
    });
    expect([answer.status, answer.json.code]).toEqual([415, 'unsupported-media-type']);
  });
});

it('what was reported is counted', async () => {
  expect(await service.metrics()).toMatch(
    /token_leaks_reported_total\{label="true_positive"\} [1-9]/,
  );
});

it('no secret that was reported stands in a line of the log', () => {
  expect(service.logged.join('')).not.toMatch(/tst_[0-9A-Za-z]{7}/);
});
