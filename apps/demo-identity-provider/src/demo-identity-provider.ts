import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { METRICS_CONTENT_TYPE } from '@token-status/platform';
import type { Metrics } from '@token-status/platform';
import { configurationOf } from './configuration.js';
import { addDemoGrant } from './demo-grant.js';
import { providerKeys } from './keys.js';
import { loadOidcProvider, newProvider } from './oidc-provider.js';
import { answerSignIn } from './sign-in-page.js';

export const DEFAULT_API_AUDIENCE = 'urn:token-status:api';

export interface DemoIdentityProviderOptions {
  /** 0 takes a free one. */
  readonly port: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default `http://localhost:<port>`. */
  readonly issuer?: string | undefined;
  /** Default `urn:token-status:api`. */
  readonly apiAudience?: string;
  /** Default `http://localhost:3000`. */
  readonly consoleUrl?: string;
  /** Keys are kept here; new ones at each start where it is left out. */
  readonly keysFile?: string | undefined;
  /** Told of faults; they are answered without a detail. */
  readonly onFault?: (error: unknown) => void;
  /** Shown at `/metrics`, which is 404 without them. */
  readonly metrics?: Metrics;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export interface DemoIdentityProvider {
  readonly issuer: string;
  /** What access tokens are for. */
  readonly apiAudience: string;
  readonly port: number;
  close(): Promise<void>;
}

/** For trying things out only: its passwords are printed in the manual. */
export class NotInProduction extends Error {
  override readonly name = 'NotInProduction';

  constructor() {
    super('The demo identity provider does not start with NODE_ENV=production');
  }
}

/**
 * Starts an OpenID provider with the demo's users and clients, listening when this resolves.
 *
 * @throws NotInProduction
 */
export async function createDemoIdentityProvider(
  options: DemoIdentityProviderOptions,
): Promise<DemoIdentityProvider> {
  const { host = '127.0.0.1', apiAudience = DEFAULT_API_AUDIENCE, env = process.env } = options;
  if (env.NODE_ENV === 'production') throw new NotInProduction();
  const consoleUrl = (options.consoleUrl ?? 'http://localhost:3000').replace(/\/$/, '');
  const onFault = options.onFault ?? (() => undefined);

  const keys = await providerKeys(options.keysFile);
  const library = await loadOidcProvider();
  // The issuer's name has the port, so the port is taken first.
  const server = createServer({ requestTimeout: 10_000, connectionsCheckingInterval: 1000 });
  let answer: Answer = (_, response) => response.writeHead(503).end();
  server.on('request', (request, response) => {
    answer(request, response);
  });
  const port = await listen(server, options.port, host);
  const issuer = options.issuer ?? `http://localhost:${port}`;
  try {
    const provider = await newProvider(
      library,
      issuer,
      configurationOf({ keys, apiAudience, consoleUrl }, library.errors),
    );
    addDemoGrant(provider, library, apiAudience);
    provider.on('server_error', (_, error) => onFault(error));
    const answerOidc = provider.callback();
    const consoleOrigin = new URL(consoleUrl).origin;
    const durations = options.metrics?.meter.createHistogram(
      'http_server_request_duration_seconds',
      { description: 'From the request coming in to its answer having been sent', unit: 's' },
    );
    answer = (request, response) => {
      const path = (request.url ?? '').split('?', 1)[0] ?? '';
      const start = performance.now();
      response.once('finish', () => {
        const labels = { method: request.method ?? '', status: response.statusCode };
        durations?.record((performance.now() - start) / 1000, labels);
      });
      if (path === '/livez' || path === '/readyz') {
        response.writeHead(200, {
          'content-type': 'application/json',
          'cache-control': 'no-store',
        });
        response.end(path === '/livez' ? '{"alive":true}' : '{"ready":true,"checks":[]}');
      } else if (path === '/metrics' && options.metrics) {
        answerMetrics(options.metrics, response).catch(onFault);
      } else if (/^\/interaction\/[\w-]+$/.test(path)) {
        answerSignIn(provider, consoleOrigin, request, response).catch((error: unknown) => {
          onFault(error);
          if (!response.headersSent) response.writeHead(500);
          response.end();
        });
      } else {
        void answerOidc(request, response);
      }
    };
  } catch (error) {
    await close(server);
    throw error;
  }
  return { issuer, apiAudience, port, close: () => close(server) };
}

async function answerMetrics(metrics: Metrics, response: ServerResponse): Promise<void> {
  const text = await metrics.render();
  response.writeHead(200, {
    'content-type': METRICS_CONTENT_TYPE,
    'cache-control': 'no-store',
  });
  response.end(text);
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** Requests under way have a second: none takes longer. */
function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    if (!server.listening) {
      resolve();
      return;
    }
    const cut = setTimeout(() => server.closeAllConnections(), 1000);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
  });
}
