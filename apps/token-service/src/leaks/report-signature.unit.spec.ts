import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { parseReportKeys } from './report-keys.js';
import type { ReportKeys } from './report-keys.js';
import { checkReportSignature } from './report-signature.js';

/** What GitHub publishes to try an implementation with: keys as its server lists them, and signed requests. */
const GITHUBS_KEYS = JSON.stringify({
  public_keys: [
    {
      key_identifier: '90a421169f0a406205f1563a953312f0be898d3c7b6c06b681aa86a874555f4a',
      key: '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9MJJHnMfn2+H4xL4YaPDA4RpJqUq\nkCmRCBnYERxZanmcpzQSXs1X/AljlKkbJ8qpVIW4clayyef9gWhFbNHWAA==\n-----END PUBLIC KEY-----\n',
      is_current: false,
    },
    {
      key_identifier: 'bcb53661c06b4728e59d897fb6165d5c9cda0fd9cdf9d09ead458168deb7518c',
      key: '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYAGMWO8XgCamYKMJS6jc/qgvSlAd\nAjPuDPRcXU22YxgBrz+zoN19MzuRyW87qEt9/AmtoNP5GrobzUvQSyJFVw==\n-----END PUBLIC KEY-----\n',
      is_current: true,
    },
  ],
});

const SIGNED = [
  {
    identifier: '90a421169f0a406205f1563a953312f0be898d3c7b6c06b681aa86a874555f4a',
    signature:
      'MEUCIQDKZokqnCjrRtw0tni+2Ltvl/uiMJ1EGumEsp1BsNr32AIgQY1YXD2nlj+XNfGK4rBfkMJ1JDOQcYXxa2sY8FNkrKc=',
    body: '[{"token":"some_token","type":"some_type","url":"some_url"}]',
  },
  {
    identifier: 'bcb53661c06b4728e59d897fb6165d5c9cda0fd9cdf9d09ead458168deb7518c',
    // One of its two numbers is a byte shorter than usual.
    signature:
      'MEQCIQDaMKqrGnE27S0kgMrEK0eYBmyG0LeZismAEz/BgZyt7AIfXt9fErtRS4XaeSt/AO1RtBY66YcAdjxji410VQV4xg==',
    body: '[{"source":"commit","token":"some_token","type":"some_type","url":"https://example.com/base-repo-url/"}]',
  },
] as const;

const keys: ReportKeys = {
  keyFor: (identifier) => Promise.resolve(parseReportKeys(GITHUBS_KEYS).get(identifier) ?? null),
};
const check = (
  { identifier, signature, body }: { identifier: string; signature: string; body: string },
  headers: Readonly<Record<string, string | string[]>> = {},
): Promise<string> =>
  checkReportSignature(
    keys,
    {
      'github-public-key-identifier': identifier,
      'github-public-key-signature': signature,
      ...headers,
    },
    Buffer.from(body),
  ).then(
    () => 'trusted',
    (fault: unknown) => (fault as { readonly code: string }).code,
  );

describe('the signature of a report', () => {
  it.each(SIGNED)('is good for the request that GitHub documents: $body', async (sample) => {
    expect(await check(sample)).toBe('trusted');
  });

  it.each(SIGNED)('is good for those bytes and that key alone: $body', async (sample) => {
    const [other] = SIGNED.filter((each) => each !== sample);
    expect(await check({ ...sample, body: sample.body.replace('some', 'same') })).toBe(
      'report-not-trusted',
    );
    expect(await check({ ...sample, identifier: other?.identifier ?? '' })).toBe(
      'report-not-trusted',
    );
    expect(await check(sample, { 'github-public-key-signature': ['a', 'b'] })).toBe(
      'report-not-trusted',
    );
  });
});

describe('a document of keys', () => {
  const pem = (kind: 'P-256' | 'P-384'): string =>
    generateKeyPairSync('ec', { namedCurve: kind })
      .publicKey.export({ type: 'spki', format: 'pem' })
      .toString();
  const document = (...keys: unknown[]) => JSON.stringify({ public_keys: keys });

  it('leaves out what is no ECDSA P-256 key: a scanner may come to list others', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const private_ = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const read = parseReportKeys(
      document(
        { key_identifier: 'good', key: pem('P-256') },
        { key_identifier: 'curve', key: pem('P-384') },
        { key_identifier: 'rsa', key: rsa.publicKey.export({ type: 'spki', format: 'pem' }) },
        { key_identifier: 'private', key: private_.export({ type: 'pkcs8', format: 'pem' }) },
        { key_identifier: 'nonsense', key: '-----BEGIN PUBLIC KEY-----\nx\n' },
        { key_identifier: 7, key: pem('P-256') },
        null,
      ),
    );
    expect([...read.keys()]).toEqual(['good']);
  });

  it.each(['', '[]', 'null', '{}', '{"public_keys":{}}', '{"public_keys":[]}', document({})])(
    'without a usable key (%s) is none',
    (text) => {
      expect(() => parseReportKeys(text)).toThrow(/document of keys/);
    },
  );
});
