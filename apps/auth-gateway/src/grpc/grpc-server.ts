import { setTimeout as delay } from 'node:timers/promises';
import { logVerbosity, Server, ServerCredentials, setLogVerbosity } from '@grpc/grpc-js';
import { service as healthService } from 'grpc-health-check';
import type { TokenGuard } from '@token-status/token-guard';
import { handleCheck } from './authorization.js';
import type { AuthorizationOptions } from './authorization.js';
import { AUTHORIZATION, loadAuthorizationService } from './envoy-authorization.js';
import { Health } from './health.js';

/** Where it listens; port 0 takes a free one. */
export interface GrpcEndpoint {
  readonly host: string;
  readonly port: number;
}

export interface GrpcServerOptions extends AuthorizationOptions {
  readonly guard: Pick<TokenGuard, 'check' | 'freshness' | 'on'>;
  /** Aborted when the app begins to shut down: not serving from then on, yet still answering. */
  readonly shuttingDown: AbortSignal;
  /** On shutdown: how long calls under way may go on. Default 2 s; a check is answered at once. */
  readonly drainMs?: number;
}

/**
 * Envoy takes up to 60 KiB of headers, names the path once more beside them, and can add a client's
 * certificate. Bodies have no business here.
 */
const MAX_REQUEST_BYTES = 256 * 1024;
// What it would write on standard error, and not as our lines, comes to us as an error, too.
setLogVerbosity(logVerbosity.NONE);

/** On one connection; Envoy opens another one for more. */
const MAX_CONCURRENT_STREAMS = 1024;

/**
 * `envoy.service.auth.v3.Authorization` and `grpc.health.v1.Health`, in plain text: for a proxy on the
 * same machine, or behind what encrypts.
 */
export class GrpcServer {
  readonly #at: GrpcEndpoint;
  readonly #options: GrpcServerOptions;
  readonly #health: Health;
  readonly #server: Server;
  #port: number | null = null;
  #closing: Promise<void> | null = null;

  constructor(at: GrpcEndpoint, options: GrpcServerOptions) {
    this.#at = at;
    this.#options = options;
    this.#server = new Server({
      'grpc.max_receive_message_length': MAX_REQUEST_BYTES,
      'grpc.max_concurrent_streams': MAX_CONCURRENT_STREAMS,
      // Not `grpc.enable_channelz: 0`: without it, `forceShutdown` ends no connection (1.14.7).
    });
    const { guard, shuttingDown } = options;
    this.#health = new Health({ guard, services: [AUTHORIZATION], shuttingDown });
    this.#server.addService({ ...loadAuthorizationService() }, { Check: handleCheck(options) });
    this.#server.addService(healthService, this.#health.handlers);
  }

  /** `host:port`, once it listens; null before. */
  get address(): string | null {
    return this.#port === null ? null : hostPort({ ...this.#at, port: this.#port });
  }

  /** @throws Error where it can't listen there; with `code: 'EADDRINUSE'` where somebody else does. */
  async listen(): Promise<string> {
    const at = hostPort(this.#at);
    this.#port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(at, ServerCredentials.createInsecure(), (fault, port) => {
        if (fault) reject(cannotListen(at, fault));
        else resolve(port);
      });
    });
    const address = hostPort({ ...this.#at, port: this.#port });
    this.#options.logger.info({ address }, 'listening for gRPC');
    return address;
  }

  /** Not serving, then no new calls, then those under way, bounded. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#health.close();
    const { drainMs = 2000, logger } = this.#options;
    const stopWaiting = new AbortController();
    const drained = new Promise<true>((resolve) => {
      this.#server.tryShutdown((fault) => {
        if (fault) logger.warn({ err: fault }, 'the gRPC server did not end cleanly');
        resolve(true);
      });
    });
    const tooLong = delay(drainMs, false, { signal: stopWaiting.signal }).catch(() => false);
    const ended = await Promise.race([drained, tooLong]);
    stopWaiting.abort();
    if (!ended) this.#server.forceShutdown();
  }
}

const hostPort = ({ host, port }: GrpcEndpoint): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`;

/** The library tells the code in words only. */
const cannotListen = (at: string, { message }: Error): Error =>
  Object.assign(
    new Error(`can't listen for gRPC at ${at}: ${message}`),
    message.includes('EADDRINUSE') ? { code: 'EADDRINUSE' } : {},
  );
