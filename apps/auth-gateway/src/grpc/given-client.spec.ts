import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import type { CallOptions, ClientReadableStream, ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { MethodDefinition, ServiceDefinition } from '@grpc/proto-loader';

/** What the specs of this folder ask with. Not a test: the runner takes `.unit.` and `.int.` only. */

const protos = (packageName: string, ...path: readonly string[]): string =>
  join(dirname(createRequire(import.meta.url).resolve(`${packageName}/package.json`)), ...path);

function serviceOf(file: string, name: string, ...includeDirs: readonly string[]) {
  // With the names of enums: whoever wrote the numbers is to be proven right.
  const options = { keepCase: true, enums: String, includeDirs: [...includeDirs] };
  return loadSync(file, options)[name] as ServiceDefinition;
}

const authorization = serviceOf(
  'envoy/service/auth/v3/external_auth.proto',
  'envoy.service.auth.v3.Authorization',
  ...['envoy-api', 'xds', 'googleapis', 'protoc-gen-validate'].map((folder) =>
    protos('@grpc/grpc-js-xds', 'deps', folder),
  ),
);
const health = serviceOf(
  'health/v1/health.proto',
  'grpc.health.v1.Health',
  protos('grpc-health-check', 'proto'),
);

/** An answer as Envoy reads it, or the error of the call. */
export type Told = { readonly answer: unknown } | { readonly error: number };

export class GrpcClient {
  readonly #client: Client;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure(), {
      'grpc.max_send_message_length': -1,
      // A channel of its own, so that it is closed with this client.
      'grpc.use_local_subchannel_pool': 1,
    });
  }

  /** @param question a `CheckRequest`, or the bytes that are sent instead of one. */
  check(question: object | Buffer, options: CallOptions = {}): Promise<Told> {
    return this.#ask(authorization.Check, question, options);
  }

  /** Asks about a request with these headers. */
  checkHeaders(headers: Readonly<Record<string, string>>, attributes: object = {}): Promise<Told> {
    return this.check({ attributes: { request: { http: { headers } }, ...attributes } });
  }

  health(service = ''): Promise<Told> {
    return this.#ask(health.Check, { service }, {});
  }

  healthList(): Promise<Told> {
    return this.#ask(health.List, {}, {});
  }

  watch(service = ''): Watching {
    const { path, requestSerialize, responseDeserialize } = health.Watch!;
    return new Watching(
      this.#client.makeServerStreamRequest<object, unknown>(
        path,
        requestSerialize,
        responseDeserialize as (bytes: Buffer) => unknown,
        { service },
      ),
    );
  }

  close(): void {
    this.#client.close();
  }

  #ask(
    method: MethodDefinition<object, object> | undefined,
    question: object | Buffer,
    options: CallOptions,
  ): Promise<Told> {
    const { path, requestSerialize, responseDeserialize } = method!;
    return new Promise((resolve) => {
      this.#client.makeUnaryRequest<object, object>(
        path,
        (message) => (Buffer.isBuffer(message) ? message : requestSerialize(message)),
        responseDeserialize,
        question,
        new Metadata(),
        { deadline: Date.now() + 30_000, ...options },
        (fault: ServiceError | null, answer?: object) =>
          resolve(fault ? { error: fault.code } : { answer }),
      );
    });
  }
}

/** A Watch: what it was told, until it ended. */
export class Watching {
  readonly told: unknown[] = [];
  ended = false;
  fault: Error | null = null;
  readonly #stream: ClientReadableStream<unknown>;

  constructor(stream: ClientReadableStream<unknown>) {
    this.#stream = stream;
    stream.on('data', ({ status }: { readonly status: unknown }) => this.told.push(status));
    stream.on('error', (fault) => (this.fault = fault));
    stream.on('close', () => (this.ended = true));
    stream.on('end', () => (this.ended = true));
  }

  cancel(): void {
    this.#stream.cancel();
  }
}
