import { describe, expect, it } from '@jest/globals';
import { maskSecrets } from './mask-secrets.js';

const SECRET = 'tst_Zx81mQPfh3kD92LsTbVnYcRwEaUoGi4jKpHq7t5';

describe('masking', () => {
  it.each([
    ['a secret in a message', `got ${SECRET} from a caller`],
    ['a secret in an address', `/verify?key=${SECRET}&x=1`],
    ['a truncated secret', `got ${SECRET.slice(0, 20)}`],
    ['a secret that something is glued to', `x${SECRET}yz`],
    ['a bearer header', `authorization: Bearer ${SECRET.slice(4)}`],
    ['a basic header', `Basic ${Buffer.from(`BOOMI_TOKEN.alice:${SECRET}`).toString('base64')}`],
    ['a property of JSON', JSON.stringify({ a: [{ client_secret: `x"y\\${SECRET.slice(4)}` }] })],
    ['a header list', JSON.stringify({ 'set-cookie': [SECRET.slice(4), 'b'] })],
    [
      'JSON in JSON',
      JSON.stringify({ body: JSON.stringify({ password: `x"y\\${SECRET.slice(4)}` }) }),
    ],
    ['a form', `grant_type=demo&username=a&password=${SECRET.slice(4)}&b=1`],
    ['an authorization code', `/callback?code=${SECRET.slice(4)}`],
    ['a URL with a password', `mongodb://root:${SECRET.slice(4)}@db:27017/x`],
    ['a key', `PERSONAL_DATA_KEY=${SECRET.slice(4)}`],
  ])('hides %s', (_, text) => {
    const masked = maskSecrets(text);
    expect(masked).toContain('[masked]');
    for (let i = 4; i + 7 <= SECRET.length; i += 7) {
      expect(masked).not.toContain(SECRET.slice(i, i + 7));
    }
    expect(masked).not.toContain(Buffer.from(SECRET).toString('base64').slice(4, 20));
  });

  it('hides a JSON Web Token', () => {
    const token = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ1LWFsaWNlIn0.c2lnbmF0dXJlLXRoYXQtaXMtbG9uZw';
    expect(maskSecrets(`token was ${token}!`)).toBe('token was [masked]!');
  });

  it('leaves JSON that can be read', () => {
    const line = JSON.stringify({
      secret: 'a"b',
      headers: { authorization: 'Bearer abcdefgh', cookie: ['a', 'b'] },
      password: 12,
      inner: JSON.stringify({ secret: 'a"b\\' }),
    });
    expect(JSON.parse(maskSecrets(line))).toEqual({
      secret: '[masked]',
      headers: { authorization: '[masked]', cookie: '[masked]' },
      password: '[masked]',
      inner: '{"secret":"[masked]"}',
    });
  });

  it('leaves alone what is no secret', () => {
    const text = JSON.stringify({
      hint: 'Zx81mQ',
      tokenId: '0190c9d1-2b3c-7def-8123-456789abcdef',
      secretShown: true,
      msg: 'the basic form of a token; http://localhost:3000/v1/tokens?status=active@x',
      digest: 'a'.repeat(64),
    });
    expect(maskSecrets(text)).toBe(text);
  });

  it.each(['a-', 'eyJ-', 'tst_', '"', '\\"secret\\":\\"', '//a:', 'secret', 'bearer '])(
    'takes time linear in a text made of %j',
    (part) => {
      // Quadratic would be minutes for 2 MB; no bound on speed is meant.
      const text = part.repeat(Math.ceil(2_000_000 / part.length));
      expect(maskSecrets(text).length).toBeGreaterThan(0);
    },
    20_000,
  );
});
