import { createHmac, randomBytes, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { fromEventRecord } from './cloud-event.js';
import type { EventRecord } from './cloud-event.js';
import { parseSigningKey, parseVerificationKeys, verificationKeyOf } from './signature-keys.js';
import type { SigningKey } from './signature-keys.js';
import { SignatureVerifier, signEvent, signHeartbeat } from './signature.js';
import type { Verdict } from './signature.js';

const record = JSON.parse(
  readFileSync(
    new URL('../../../test/golden/events/TokenDisabled.v1.json', import.meta.url),
    'utf8',
  ),
) as EventRecord;
const TOPIC = 'api-token.events';
const HEARTBEATS = 'api-token.heartbeats';

/** RFC 8032, 7.1, test 1: known to everybody, and good for nothing else. */
const RFC_8032 = {
  d: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
  x: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
  ofNothing:
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
};
const base64url = (hex: string): string => Buffer.from(hex, 'hex').toString('base64url');
const ed25519 = parseSigningKey({
  kty: 'OKP',
  crv: 'Ed25519',
  x: base64url(RFC_8032.x),
  d: base64url(RFC_8032.d),
  kid: 'golden-ed25519',
});
const hmac = parseSigningKey({
  kty: 'oct',
  alg: 'HS256',
  k: Buffer.from(Array.from({ length: 32 }, (_, i) => i)).toString('base64url'),
  kid: 'golden-hs256',
});
const verifier = new SignatureVerifier([ed25519, hmac].map(verificationKeyOf));

type Read = Pick<EventRecord, 'headers' | 'value'> & { readonly key: string | null };

const withHeader = (of: Read, name: string, text: string | undefined): Read => ({
  ...of,
  headers: Object.fromEntries(
    Object.entries({ ...of.headers, [name]: text }).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  ),
});

describe('the signature of an event', () => {
  it('is over this text, for ever: another one is another version', () => {
    const part = (text: string): string => `${Buffer.byteLength(text)}:${text},`;
    const text = (algorithm: string, keyid: string): Buffer =>
      Buffer.from(
        'token-status event v1\n' +
          [
            ...[algorithm, keyid, 'api-token.events', 'tok_3f2a9c41d7e84b06a1c5590de7b2f834'],
            ...['1.0', 'c3f0c3d2e4b596878879605142332415'],
            'urn:token-status:log:0c4d1f7e92ab4f6d8e35b7a019c2d6f4',
            ...['TokenDisabled', 'tok_3f2a9c41d7e84b06a1c5590de7b2f834'],
            ...['2026-01-15T12:03:07.014Z', 'urn:token-status:event:TokenDisabled:v1', '57', '3'],
            record.value,
          ]
            .map(part)
            .join(''),
      );
    const byEd25519 = signEvent(record, TOPIC, ed25519).headers;
    expect(byEd25519.ce_keyid).toBe('golden-ed25519');
    expect(byEd25519.ce_signature).toBe(
      sign(null, text('Ed25519', 'golden-ed25519'), ed25519.key).toString('base64url'),
    );
    const byHmac = signEvent(record, TOPIC, hmac).headers;
    expect(byHmac.ce_keyid).toBe('golden-hs256');
    expect(byHmac.ce_signature).toBe(
      createHmac('sha256', hmac.key).update(text('HS256', 'golden-hs256')).digest('base64url'),
    );
  });

  it('is this one, for ever, of a fixed event by fixed keys', () => {
    expect(sign(null, Buffer.alloc(0), ed25519.key).toString('hex')).toBe(RFC_8032.ofNothing);
    expect(signEvent(record, TOPIC, ed25519).headers.ce_signature).toBe(
      'FU-p7agXZbNKYJqWyJKB0YHPOx58l2tXsUXUEYWTBGqQLkGkGNvwudAMExmjGuryE8vpGh3ckXdQyU7cipyMCQ',
    );
    expect(signEvent(record, TOPIC, hmac).headers.ce_signature).toBe(
      'CTDbTtTLCz4p-ITz8IFZh2ykz19Hs6I8oHQqhPVSQ44',
    );
    const heartbeat = { key: null, headers: {}, value: '{"epoch":"e"}' };
    expect(signHeartbeat(heartbeat, HEARTBEATS, ed25519).headers).toStrictEqual({
      keyid: 'golden-ed25519',
      signature:
        'ChWzvdgfOtVVO0f9HMI2R6ebrfo0cEttu9HmqECBQoCcMa4-h4ANZT4vHzS4iROjjYpveten7o-zmnlxm8hBCw',
    });
  });

  it('adds two extensions and changes nothing else, and the event is read as before', () => {
    const signed = signEvent(record, TOPIC, ed25519);
    const { ce_signature: signature, ce_keyid: keyid, ...rest } = signed.headers;
    expect({ ...signed, headers: rest }).toStrictEqual(record);
    expect([signature, keyid]).toStrictEqual([expect.any(String), 'golden-ed25519']);
    expect(fromEventRecord(signed)).toStrictEqual(fromEventRecord(record));
  });
});

describe.each([
  ['Ed25519', ed25519],
  ['HMAC-SHA-256', hmac],
] as const)('a record signed by %s', (_, key: SigningKey) => {
  const signed: Read = signEvent(record, TOPIC, key);
  const verdict = (of: Read, topic = TOPIC, by = verifier): Promise<Verdict> =>
    Promise.resolve(by.verifyEvent(of, topic));

  it('is verified by its key, among others or alone', async () => {
    expect(await verdict(signed)).toBe('verified');
    const alone = new SignatureVerifier([verificationKeyOf(key)]);
    expect(await verdict(signed, TOPIC, alone)).toBe('verified');
  });

  it('is verified whatever its content type and its trace, which nothing believes', async () => {
    expect(await verdict(withHeader(signed, 'content-type', 'text/plain'))).toBe('verified');
    expect(await verdict(withHeader(signed, 'ce_traceparent', undefined))).toBe('verified');
    expect(await verdict(withHeader(signed, 'x-other', 'more'))).toBe('verified');
  });

  const believed = Object.keys(record.headers).filter(
    (name) => name !== 'content-type' && name !== 'ce_traceparent',
  );
  const OTHER_TOKEN = 'tok_00000000000000000000000000000000';
  const tampered: readonly (readonly [string, Read])[] = [
    ...believed.flatMap((name) => [
      [`another ${name}`, withHeader(signed, name, `${signed.headers[name] ?? ''}1`)] as const,
      [`an empty ${name}`, withHeader(signed, name, '')] as const,
      [`no ${name}`, withHeader(signed, name, undefined)] as const,
    ]),
    ["another token's key", { ...signed, key: OTHER_TOKEN }],
    ['an empty key', { ...signed, key: '' }],
    ['no key', { ...signed, key: null }],
    ['another value', { ...signed, value: signed.value.replace('security', 'owner') }],
    ['a value with a space more', { ...signed, value: `${signed.value} ` }],
    ['no value', { ...signed, value: '' }],
    [
      'what ends one part moved into the next',
      withHeader(
        withHeader(signed, 'ce_position', '5'),
        'ce_tokenversion',
        `7,1:${signed.headers.ce_tokenversion ?? ''}`,
      ),
    ],
  ];

  it.each(tampered)('has a wrong signature with %s', async (_, given) => {
    expect(await verdict(given)).toBe('wrong-signature');
  });

  it('has a wrong signature in another topic, and as a heartbeat', async () => {
    expect(await verdict(signed, 'other.events')).toBe('wrong-signature');
    const { ce_signature: signature = '', ce_keyid: keyid = '' } = signed.headers;
    const asHeartbeat = { ...signed, headers: { ...signed.headers, signature, keyid } };
    expect(await verifier.verifyHeartbeat(asHeartbeat, TOPIC)).toBe('wrong-signature');
  });

  it.each([
    ['empty', ''],
    ['cut off', (signed.headers.ce_signature ?? '').slice(0, -1)],
    ['longer', `${signed.headers.ce_signature ?? ''}A`],
    ['padded', `${signed.headers.ce_signature ?? ''}=`],
    ['all zeros', 'A'.repeat((signed.headers.ce_signature ?? '').length)],
    ['not base64url', '!'.repeat((signed.headers.ce_signature ?? '').length)],
    ["another record's", signEvent({ ...record, value: '{}' }, TOPIC, key).headers.ce_signature],
  ])('has a wrong signature where it is %s', async (_, signature) => {
    expect(await verdict(withHeader(signed, 'ce_signature', signature))).toBe('wrong-signature');
  });

  it('is unsigned without its signature or its key id, as records were before there were any', async () => {
    expect(await verdict(record)).toBe('unsigned');
    expect(await verdict(withHeader(signed, 'ce_signature', undefined))).toBe('unsigned');
    expect(await verdict(withHeader(signed, 'ce_keyid', undefined))).toBe('unsigned');
  });

  it('is by an unknown key where its key is not among those that are given', async () => {
    expect(await verdict(withHeader(signed, 'ce_keyid', 'other'))).toBe('unknown-key');
    expect(await verdict(withHeader(signed, 'ce_keyid', '__proto__'))).toBe('unknown-key');
    const others = [ed25519, hmac].filter((other) => other !== key).map(verificationKeyOf);
    expect(await verdict(signed, TOPIC, new SignatureVerifier(others))).toBe('unknown-key');
    expect(await verdict(signed, TOPIC, new SignatureVerifier([]))).toBe('unknown-key');
  });

  it("has a wrong signature under another key's id, of either kind", async () => {
    const other = key === hmac ? ed25519 : hmac;
    expect(await verdict(withHeader(signed, 'ce_keyid', other.keyid))).toBe('wrong-signature');
    const successor = parseSigningKey({
      kty: 'oct',
      alg: 'HS256',
      k: randomBytes(32).toString('base64url'),
      kid: key.keyid,
    });
    const by = new SignatureVerifier([verificationKeyOf(successor)]);
    expect(await verdict(signed, TOPIC, by)).toBe('wrong-signature');
  });
});

describe('one kind of key', () => {
  it('can not be taken for the other: the public key as an HMAC secret under the same id verifies nothing', async () => {
    const [verifying] = parseVerificationKeys({
      keys: [{ kty: 'OKP', crv: 'Ed25519', x: base64url(RFC_8032.x), kid: 'relay-1' }],
    });
    const forging = parseSigningKey({
      kty: 'oct',
      alg: 'HS256',
      k: base64url(RFC_8032.x),
      kid: 'relay-1',
    });
    const forged = signEvent(record, TOPIC, forging);
    const by = new SignatureVerifier(verifying ? [verifying] : []);
    expect(await by.verifyEvent(forged, TOPIC)).toBe('wrong-signature');
    const filled = withHeader(
      forged,
      'ce_signature',
      (forged.headers.ce_signature ?? '').repeat(2),
    );
    expect(await by.verifyEvent(filled, TOPIC)).toBe('wrong-signature');
  });
});

describe('the signature of a heartbeat', () => {
  const heartbeat = {
    key: null,
    headers: { 'content-type': 'application/json' },
    value: '{"a":1}',
  };

  it.each([ed25519, hmac])('is over its value, for its topic alone', async (key) => {
    const signed = signHeartbeat(heartbeat, HEARTBEATS, key);
    const verdict = (of: Read, topic = HEARTBEATS): Promise<Verdict> =>
      Promise.resolve(verifier.verifyHeartbeat(of, topic));
    expect(await verdict(signed)).toBe('verified');
    expect(await verdict({ ...signed, key: 'another' })).toBe('verified');
    expect(await verdict({ ...signed, value: '{"a":2}' })).toBe('wrong-signature');
    expect(await verdict(signed, 'other.heartbeats')).toBe('wrong-signature');
    expect(await verdict(heartbeat)).toBe('unsigned');
    expect(await verdict(withHeader(signed, 'keyid', 'other'))).toBe('unknown-key');
  });

  it('is no signature of an event with the same parts', async () => {
    const signed = signHeartbeat(record, TOPIC, ed25519);
    const { signature = '', keyid = '' } = signed.headers;
    const asEvent = {
      ...record,
      headers: { ...record.headers, ce_signature: signature, ce_keyid: keyid },
    };
    expect(await verifier.verifyEvent(asEvent, TOPIC)).toBe('wrong-signature');
  });
});
