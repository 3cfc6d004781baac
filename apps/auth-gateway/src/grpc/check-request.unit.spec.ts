import { describe, expect, it } from '@jest/globals';
import { readQuestion } from './check-request.js';

const http = (
  request: object,
  attributes: object = {},
): { readonly attributes: Readonly<Record<string, unknown>> } => ({
  attributes: { request: { http: request }, ...attributes },
});

/** One entry for each value, in bytes, as `encode_raw_headers` has it. */
const raw = (...headers: readonly (readonly [string, string])[]): object => ({
  header_map: {
    headers: headers.map(([key, value]) => ({ key, raw_value: Buffer.from(value, 'latin1') })),
  },
});

describe('a CheckRequest', () => {
  it('asks about a credential, a position, a route and an address', () => {
    const message = http(
      { headers: { ':path': '/x', authorization: 'Bearer a', 'x-min-position': '7' } },
      {
        source: { address: { socket_address: { address: '192.0.2.1', port_value: 5 } } },
        context_extensions: { route: 'reports', other: 'x' },
      },
    );
    expect(readQuestion(message)).toEqual({
      kind: 'http',
      authorization: ['Bearer a'],
      minPosition: ['7'],
      claims: [],
      route: 'reports',
      address: '192.0.2.1',
    });
  });

  it('that says nothing of these asks about nobody, from nowhere', () => {
    for (const request of [
      {},
      { headers: {} },
      { header_map: {} },
      { header_map: { headers: [] } },
    ]) {
      expect(readQuestion(http(request))).toEqual({
        kind: 'http',
        authorization: undefined,
        minPosition: [],
        claims: [],
        route: null,
        address: undefined,
      });
    }
  });

  it('has every value of a header where Envoy sends them apart', () => {
    const message = http(
      raw(
        ['authorization', 'Bearer a'],
        ['x-min-position', '1'],
        ['authorization', ''],
        ['x-min-position', '2'],
      ),
    );
    expect(readQuestion(message)).toMatchObject({
      authorization: ['Bearer a', ''],
      minPosition: ['1', '2'],
    });
  });

  it('has bytes that are no UTF-8 as characters, as they would come over HTTP', () => {
    const message = http(raw(['authorization', 'Bearer \xff\xc3']));
    expect(readQuestion(message)).toMatchObject({ authorization: ['Bearer \xff\xc3'] });
  });

  it('has values of every spelling of a name, so that none is overlooked', () => {
    const message = http({ headers: { authorization: 'Bearer a', Authorization: 'Bearer b' } });
    expect(readQuestion(message)).toMatchObject({ authorization: ['Bearer a', 'Bearer b'] });
    const both = http({ headers: { authorization: 'Bearer a' }, ...raw(['authorization', 'x']) });
    expect(readQuestion(both)).toMatchObject({ authorization: ['Bearer a', 'x'] });
  });

  it('names once each header that claims to be the gateway’s, however it is spelt', () => {
    const names = ['x-token-id', 'x_token_id', 'x-token_user', 'X-Token-Scope', 'x-token-'];
    const others = ['x-tokens', 'x-token', 'token-id', 'x-ask', 'my-x-token-id'];
    const headers = [...names, ...others, 'x-token-id'].map((name) => [name, 'forged'] as const);
    expect(readQuestion(http(raw(...headers)))).toMatchObject({ claims: names });
    expect(readQuestion(http({ headers: Object.fromEntries(headers) }))).toMatchObject({
      claims: names,
    });
  });

  it.each<[string, unknown]>([
    ['nothing', {}],
    ['a connection', { attributes: { source: {}, request: { time: {} } } }],
    ['no message', null],
    ['a text', 'attributes'],
    ['an inherited property', Object.create(http({ headers: {} }))],
    ['a request that is none', { attributes: { request: { http: 'GET /' } } }],
  ])('that is about %s asks about no HTTP request', (_, message) => {
    expect(readQuestion(message)).toEqual({ kind: 'no-http' });
  });

  it.each<[string, object]>([
    ['a socket of the file system', { source: { address: { pipe: { path: '/x' } } } }],
    ['an address that is empty', { source: { address: { socket_address: { address: '' } } } }],
    ['a route without a name', { context_extensions: { route: '' } }],
    ['other extensions', { context_extensions: { routes: 'reports' } }],
  ])('from %s names no address and no route', (_, attributes) => {
    expect(readQuestion(http({}, attributes))).toMatchObject({ route: null, address: undefined });
  });

  it('of any other shape is read without a fault', () => {
    const odd = http({
      headers: { authorization: 7, 'x-min-position': null },
      header_map: { headers: [null, {}, { key: 5 }, { key: 'x-min-position' }] },
    });
    expect(readQuestion(odd)).toMatchObject({ authorization: undefined, minPosition: [''] });
    expect(readQuestion(http({ headers: [], header_map: { headers: 'x' } }))).toMatchObject({
      kind: 'http',
    });
  });
});
