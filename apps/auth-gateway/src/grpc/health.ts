import { status } from '@grpc/grpc-js';
import type { sendUnaryData, ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import type { TokenGuard } from '@token-status/token-guard';

type ServingStatus = 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';

/** `grpc.health.v1`: the definition is that of `grpc-health-check`. */
interface HealthRequest {
  readonly service: string;
}
interface HealthResponse {
  readonly status: ServingStatus;
}
interface HealthList {
  readonly statuses: Readonly<Record<string, HealthResponse>>;
}

export interface HealthOptions {
  readonly guard: Pick<TokenGuard, 'freshness' | 'on'>;
  /** Besides `''`, which is the whole server. */
  readonly services: readonly string[];
  /** From then on not serving, for good. */
  readonly shuttingDown: AbortSignal;
}

/**
 * SERVING exactly while the guard is fresh, so that a balancer goes to gateways that know. Not the
 * implementation of `grpc-health-check`: that answers with what it was told last, where this asks
 * the guard each time, and it never ends a Watch, so that no server with one would end by itself.
 */
export class Health {
  readonly #services: ReadonlySet<string>;
  readonly #watches = new Set<Watch>();
  readonly #serving: () => boolean;
  #told: boolean;
  #closed = false;

  constructor({ guard, services, shuttingDown }: HealthOptions) {
    this.#services = new Set(['', ...services]);
    this.#serving = () =>
      !this.#closed && !shuttingDown.aborted && guard.freshness().state === 'fresh';
    this.#told = this.#serving();
    const tell = (): void => this.#tell();
    guard.on('fresh', tell).on('stale', tell);
    shuttingDown.addEventListener('abort', tell, { once: true });
  }

  /** As methods of `grpc.health.v1.Health`. */
  readonly handlers = {
    Check: (
      { request }: ServerUnaryCall<HealthRequest, HealthResponse>,
      callback: sendUnaryData<HealthResponse>,
    ): void => {
      this.#tell();
      const now = this.#statusOf(request.service);
      if (now === 'SERVICE_UNKNOWN')
        callback({ code: status.NOT_FOUND, details: 'not served here' });
      else callback(null, { status: now });
    },

    List: (
      _: ServerUnaryCall<Record<string, never>, HealthList>,
      callback: sendUnaryData<HealthList>,
    ): void => {
      this.#tell();
      const statuses = [...this.#services].map((service) => [
        service,
        { status: this.#statusOf(service) },
      ]);
      callback(null, { statuses: Object.fromEntries(statuses) as HealthList['statuses'] });
    },

    Watch: (call: Watch): void => {
      this.#tell();
      call.write({ status: this.#statusOf(call.request.service) });
      if (this.#closed) {
        call.end();
        return;
      }
      this.#watches.add(call);
      call.on('cancelled', () => this.#watches.delete(call));
    },
  };

  /** Not serving, and nobody watches any more. */
  close(): void {
    this.#closed = true;
    this.#tell();
    for (const watch of this.#watches) watch.end();
    this.#watches.clear();
  }

  #statusOf(service: string): ServingStatus {
    if (!this.#services.has(service)) return 'SERVICE_UNKNOWN';
    return this.#told ? 'SERVING' : 'NOT_SERVING';
  }

  /** The guard tells its changes a moment later than it answers by them: who asks makes them known. */
  #tell(): void {
    const serving = this.#serving();
    if (serving === this.#told) return;
    this.#told = serving;
    for (const watch of this.#watches) {
      const now = this.#statusOf(watch.request.service);
      if (now !== 'SERVICE_UNKNOWN') watch.write({ status: now });
    }
  }
}

type Watch = ServerWritableStream<HealthRequest, HealthResponse>;
