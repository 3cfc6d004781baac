import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { bearer } from '../scenarios/caller.js';
import { ask } from './ask.js';
import { startRealGateway } from './gateways.js';
import type { RealGateway } from './gateways.js';
import { fetchEnvoy } from './programs.js';
import { proxyContract } from './proxy.contract.js';
import { startProxy } from './proxy-process.js';
import type { Proxy, ProxyKind } from './proxy-process.js';
import { startUpstream } from './upstream.js';
import type { Upstream } from './upstream.js';

const EXAMPLE: ProxyKind = {
  name: 'envoy',
  files: ['envoy-grpc.yaml'],
  over: 'grpc',
  launch: async (folder) => ({
    command: await fetchEnvoy(),
    // Hot restart shares memory between all Envoys of a machine.
    args: [
      ...['--disable-hot-restart', '--concurrency', '2', '--log-level', 'warning'],
      ...['-c', join(folder, 'envoy-grpc.yaml')],
    ],
  }),
};

describe('with the configuration of the example', () => {
  proxyContract(EXAMPLE);
});

interface HttpFilter {
  readonly name: string;
  typed_config: Record<string, unknown>;
}

/** As the example, but Envoy itself removes nothing, and sends every header of a request. */
const leavingAllToTheGateway = (extAuthz: object): ProxyKind => ({
  ...EXAMPLE,
  launch(folder) {
    const file = join(folder, 'envoy-grpc.yaml');
    const configuration = parse(readFileSync(file, 'utf8')) as {
      static_resources: {
        listeners: [
          { filter_chains: [{ filters: [{ typed_config: { http_filters: HttpFilter[] } }] }] },
        ];
      };
    };
    const [{ filter_chains: chains }] = configuration.static_resources.listeners;
    const { typed_config: manager } = chains[0].filters[0];
    const [mutation, authorization, ...others] = manager.http_filters as [HttpFilter, HttpFilter];
    expect([mutation.name, authorization.name]).toEqual([
      'envoy.filters.http.header_mutation',
      'envoy.filters.http.ext_authz',
    ]);
    const { allowed_headers, ...rest } = authorization.typed_config;
    expect(allowed_headers).toBeDefined();
    manager.http_filters = [
      { ...authorization, typed_config: { ...rest, ...extAuthz } },
      ...others,
    ];
    writeFileSync(file, stringify(configuration));
    return EXAMPLE.launch(folder);
  },
});

describe.each([
  ['joined', {}],
  ['apart, in bytes', { encode_raw_headers: true }],
])('an Envoy that only asks, and sends every header, several values %s', (_, extAuthz) => {
  let upstream: Upstream | undefined;
  let gateway: RealGateway | undefined;
  let proxy: Proxy | undefined;

  beforeAll(async () => {
    upstream = await startUpstream();
    gateway = await startRealGateway();
    proxy = await startProxy(leavingAllToTheGateway(extAuthz), {
      gateway: gateway.grpcPort,
      upstream: upstream.port,
    });
  }, 420_000);
  afterAll(async () => {
    await proxy?.stop();
    await gateway?.stop();
    await upstream?.close();
  });

  const asks = (...headers: (readonly [string, string])[]) => ask(proxy!.port, { headers });
  const active = () => ['Authorization', bearer(gateway!.active.secret)] as const;

  it('hands on what the gateway says, and nothing that a caller forges, nor the secret', async () => {
    const names = ['Id', 'User', 'Account', 'Version', 'Age', 'Scope', 'id', 'scope'];
    const forged = names.map((name) => [`X-Token-${name}`, 'forged'] as const);
    const told = await asks(active(), ...forged, ['X-Other', 'kept']);
    expect(told.status).toBe(200);
    const reached = upstream!.reachedBy(told.ask)!;
    const said = reached.headers.filter(([name]) => name.startsWith('x-token'));
    expect(Object.fromEntries(said)).toEqual({
      'x-token-id': gateway!.active.id,
      'x-token-user': 'u-alice',
      'x-token-account': 'acme',
      'x-token-version': '1',
      'x-token-age': expect.stringMatching(/^\d+$/),
    });
    expect(said).toHaveLength(5);
    expect(reached.headers).toContainEqual(['x-other', 'kept']);
    expect(JSON.stringify(reached.headers)).not.toContain(gateway!.active.secret);
  });

  it('refuses two credentials, whichever is the first', async () => {
    const other = ['Authorization', bearer(gateway!.disabled.secret)] as const;
    for (const both of [
      [active(), other],
      [other, active()],
      [active(), active()],
    ]) {
      const told = await asks(...both);
      expect([told.status, upstream!.reachedBy(told.ask)]).toEqual([401, undefined]);
    }
  });

  it('hands on the gateway’s own refusals: 503 with Retry-After, 401 with its challenge, 400', async () => {
    const behind = await asks(active(), ['X-Min-Position', '9000000000000000']);
    expect(behind.status).toBe(503);
    expect(behind.headers).toMatchObject({ 'retry-after': '1', 'cache-control': 'no-store' });
    const disabled = await asks(['Authorization', bearer(gateway!.disabled.secret)]);
    expect(disabled.status).toBe(401);
    expect(disabled.headers['www-authenticate']).toContain('The token is disabled');
    for (const positions of [['soon'], ['1', '1']]) {
      const told = await asks(
        active(),
        ...positions.map((position) => ['X-Min-Position', position] as const),
      );
      expect([told.status, upstream!.reachedBy(told.ask)]).toEqual([400, undefined]);
    }
  });
});
