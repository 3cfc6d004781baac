import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
import type { handleUnaryCall, MethodDefinition } from '@grpc/grpc-js';
import { newSecret } from '@token-status/contracts';
import { Kafka, logLevel } from 'kafkajs';
import { Caller, verifies } from '../scenarios/caller.js';
import { freePort } from '../servers/index.js';
import { AppProcess } from '../stack/app-process.js';

/** A gateway that a proxy may ask, at `port` of loopback over HTTP and at `grpcPort` over gRPC. */
export interface Gateway {
  readonly port: number;
  readonly grpcPort: number;
  stop(): Promise<void>;
}

/** Everything in one process, and tokens in it. */
export interface RealGateway extends Gateway {
  readonly process: AppProcess;
  readonly url: string;
  readonly alice: Caller;
  /** Of Alice, `u-alice` of `acme`, all. */
  readonly active: { readonly id: string; readonly secret: string };
  readonly disabled: { readonly id: string; readonly secret: string };
  /** In the right form, and never added. */
  readonly unknown: { readonly secret: string };
}

export async function startRealGateway(): Promise<RealGateway> {
  const folder = await mkdtemp(join(tmpdir(), 'token-status-proxies-'));
  const [api, port, issuer] = [await freePort(), await freePort(), await freePort()];
  const grpcPort = await freePort();
  const apiUrl = `http://127.0.0.1:${api}`;
  const url = `http://127.0.0.1:${port}`;
  const process = new AppProcess({
    app: 'standalone',
    url: apiUrl,
    env: {
      DATA_DIR: folder,
      API_PORT: String(api),
      GATEWAY_PORT: String(port),
      GATEWAY_GRPC_PORT: String(grpcPort),
      ISSUER_PORT: String(issuer),
    },
  });
  const stop = async (): Promise<void> => {
    await process.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await process.start();
    const alice = await Caller.user(`http://localhost:${issuer}`, apiUrl, 'alice@example.com');
    const add = async (name: string): Promise<{ id: string; secret: string }> => {
      const { id, secret } = (await alice.add('u-alice', name)).body;
      if (secret === undefined) throw new Error(`the token ${name} was not added`);
      await verifies(url, secret, 200);
      return { id, secret };
    };
    const active = await add('Active');
    const disabled = await add('Disabled');
    await alice.disable(disabled.id);
    await verifies(url, disabled.secret, 401);
    const unknown = { secret: newSecret() };
    return { port, grpcPort, url, process, alice, active, disabled, unknown, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** auth-gateway as its own process, on Kafka, where nobody proves anything: 503 from its start on. */
export async function startStaleGateway(): Promise<Gateway> {
  const { KAFKA_BROKERS: brokers = '' } = process.env;
  const prefix = `proxies-${randomBytes(6).toString('hex')}`;
  const [port, grpcPort] = [await freePort(), await freePort()];
  const gateway = new AppProcess({
    app: 'auth-gateway',
    url: `http://127.0.0.1:${port}`,
    env: {
      KAFKA_BROKERS: brokers,
      TOPIC_PREFIX: prefix,
      EVENT_PARTITIONS: '1',
      PORT: String(port),
      GRPC_PORT: String(grpcPort),
      LOG_LEVEL: 'error',
    },
  });
  const stop = async (): Promise<void> => {
    await gateway.stop();
    const admin = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    try {
      const ours = (await admin.listTopics()).filter((topic) => topic.startsWith(`${prefix}.`));
      if (ours.length > 0) await admin.deleteTopics({ topics: ours });
    } finally {
      await admin.disconnect();
    }
  };
  try {
    await gateway.start('livez');
  } catch (error) {
    await gateway.stop();
    throw error;
  }
  return { port, grpcPort, stop };
}

/** Of messages, nothing has to be known: an empty `CheckResponse` is OK and says no more. */
const CHECK: MethodDefinition<Buffer, null> = {
  path: '/envoy.service.auth.v3.Authorization/Check',
  requestStream: false,
  responseStream: false,
  requestSerialize: (bytes) => bytes,
  requestDeserialize: (bytes) => bytes,
  responseSerialize: () => Buffer.alloc(0),
  responseDeserialize: () => null,
};
const passEverybody: handleUnaryCall<Buffer, null> = (_, answer) => answer(null, null);

/** Passes everybody and names nobody, as no gateway of ours does: what is then left is what was forged. */
export async function startNamelessGateway(): Promise<Gateway> {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(200, { 'content-length': '0' }).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const grpc = new GrpcServer();
  grpc.addService({ Check: CHECK }, { Check: passEverybody });
  const grpcPort = await new Promise<number>((resolve, reject) => {
    grpc.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (fault, bound) => {
      if (fault) reject(fault);
      else resolve(bound);
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    grpcPort,
    async stop() {
      grpc.forceShutdown();
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
