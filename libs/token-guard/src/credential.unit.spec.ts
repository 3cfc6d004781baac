import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { newSecret } from '@token-status/contracts';
import { MAX_AUTHORIZATION_LENGTH, parseCredential } from './credential.js';
import { basic, bearer } from './given.spec.js';

const secret = newSecret();
const parse = (header: string | readonly string[] | undefined) =>
  parseCredential(header, 'BOOMI_TOKEN.');
const raw = (text: string | Uint8Array): string => `Basic ${Buffer.from(text).toString('base64')}`;

describe('a credential', () => {
  it('is none without a header', () => {
    expect(parse(undefined)).toEqual({ kind: 'none' });
    expect(parse([])).toEqual({ kind: 'none' });
  });

  it('is a Bearer secret', () => {
    expect(parse(bearer(secret))).toEqual({ kind: 'bearer', secret });
    expect(parse([bearer(secret)])).toEqual({ kind: 'bearer', secret });
  });

  it.each(['bearer', 'BEARER', 'bEaReR'])('does not mind the case of the scheme: %s', (scheme) => {
    expect(parse(`${scheme} ${secret}`)).toEqual({ kind: 'bearer', secret });
  });

  it('is a Basic user name after the prefix, and a secret', () => {
    const credential = { kind: 'basic', userName: 'alice@example.com', secret };
    expect(parse(basic('alice@example.com', secret))).toEqual(credential);
    expect(parse(basic('alice@example.com', secret).replace('Basic', 'bAsIc'))).toEqual(credential);
  });

  it('splits Basic at the first colon and reads it as UTF-8', () => {
    expect(parse(basic('jürgen.名前', secret))).toEqual({
      kind: 'basic',
      userName: 'jürgen.名前',
      secret,
    });
    expect(parse(basic('jürgen', `x:${secret}`))).toEqual({ kind: 'malformed' });
  });

  it('takes any prefix that is set, the empty one too', () => {
    expect(parseCredential(basic('alice', secret, 'X.'), 'X.')).toMatchObject({
      userName: 'alice',
    });
    expect(parseCredential(basic('alice', secret, ''), '')).toMatchObject({ userName: 'alice' });
  });

  it.each([
    ['an empty header', ''],
    ['a scheme alone', 'Bearer'],
    ['a scheme and a space', 'Bearer '],
    ['a secret without a scheme', secret],
    ['another scheme', `Negotiate ${secret}`],
    ['two tokens', `Bearer ${secret} ${secret}`],
    ['a secret with a wrong checksum', `Bearer ${secret.slice(0, -1)}!`],
    ['a secret of another form', raw('BOOMI_TOKEN.alice:password')],
    ['a list of credentials', `Bearer ${secret}, Bearer ${secret}`],
    ['parameters', 'Digest username="alice", realm="api"'],
    ['a tab after the scheme', `Bearer\t${secret}`],
    ['a character that no token has', `Bearer ${secret}é`],
    ['several headers', [bearer(secret), bearer(secret)]],
    ['an overlong header', `Bearer ${'x'.repeat(MAX_AUTHORIZATION_LENGTH)}`],
    ['Basic that is not base64', 'Basic !!!!'],
    ['base64 without its padding', raw('BOOMI_TOKEN.al:s').replace(/=+$/, '')],
    ['base64 with stray bits at its end', 'Basic Qk9PTUlfVE9LRU4uYTpzcx=='],
    [
      'base64 of the URL alphabet',
      `Basic ${Buffer.from('BOOMI_TOKEN.>>>???:s').toString('base64url')}`,
    ],
    ['Basic without a colon', raw('BOOMI_TOKEN.alice')],
    ['Basic without the prefix', raw(`alice:${secret}`)],
    ['Basic with the prefix in another case', raw(`boomi_token.alice:${secret}`)],
    ['Basic with an empty user name', raw(`BOOMI_TOKEN.:${secret}`)],
    ['Basic whose prefix stands behind the colon', raw(`a:BOOMI_TOKEN.${secret}`)],
    [
      'Basic that is not UTF-8',
      raw(Uint8Array.from([...Buffer.from('BOOMI_TOKEN.'), 0xff, 0x3a, 0x61])),
    ],
    ['Basic with a NUL', raw(`BOOMI_TOKEN.al\0ice:${secret}`)],
    ['Basic with a line break', raw(`BOOMI_TOKEN.alice:${secret}\n`)],
    ['Basic with a byte order mark', raw(`\uFEFFBOOMI_TOKEN.alice:${secret}`)],
  ])('is malformed as %s', (_, header) => {
    expect(parse(header)).toEqual({ kind: 'malformed' });
  });

  it('is read back as it was written, for any user name without a colon or control characters', () => {
    const userName = fc
      .string({ minLength: 1, maxLength: 200, unit: 'grapheme' })
      // eslint-disable-next-line no-control-regex -- what RFC 7617 leaves out.
      .filter((name) => !/[:\u0000-\u001f\u007f-\u009f]/.test(name));
    fc.assert(
      fc.property(userName, (name) => {
        expect(parse(basic(name, secret))).toEqual({ kind: 'basic', userName: name, secret });
      }),
    );
  });

  it('never throws, whatever comes', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => raw(text)),
        ),
        (header) => {
          expect(['malformed', 'bearer', 'basic']).toContain(parse(header).kind);
        },
      ),
    );
  });
});
