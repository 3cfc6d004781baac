import { Writable } from 'node:stream';
import { openEventLog, openMongoLogStore } from '@token-status/event-log';
import { createApp, createLogger, startMetrics } from '@token-status/platform';
import type { TokenServicePorts } from '../ports.js';
import { TokenServiceModule } from '../token-service.module.js';
import { FINGERPRINT_KEY } from '../given/service.spec.js';
import type { ServiceUnderTest } from '../given/service.spec.js';

export interface Replica {
  /** How many ends it has decided, by what came of them. */
  ended(result: 'enabled' | 'overtaken' | 'repeated'): Promise<number>;
  leading(): Promise<boolean>;
  readonly logged: readonly string[];
  close(): Promise<void>;
}

/** Another process of the service, in effect: a module and a writer of its own on the same databases. */
export async function startReplica(
  service: ServiceUnderTest,
  around: (ports: TokenServicePorts) => TokenServicePorts = (ports) => ports,
): Promise<Replica> {
  const uri = process.env.MONGODB_URI ?? '';
  const log = openEventLog(await openMongoLogStore({ uri, database: `${service.database}_log` }));
  const metrics = startMetrics({ service: 'token-service', version: 'test' });
  const logged: string[] = [];
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      logged.push(chunk.toString());
      done();
    },
  });
  const app = await createApp(
    TokenServiceModule.register(around({ ...service.ports, log }), {
      fingerprintKey: FINGERPRINT_KEY,
      untilPollMs: 20,
    }),
    {
      logger: createLogger({ name: 'token-service', level: 'info', destination }),
      metrics,
      callers: 'none',
    },
  );
  await app.listen({ port: 0 });
  const value = async (name: string): Promise<number> => {
    const line = (await metrics.render()).split('\n').find((each) => each.startsWith(name));
    return Number(line?.split(' ').at(-1) ?? 0);
  };
  return {
    ended: (result) => value(`token_ends_total{result="${result}"`),
    leading: async () => (await value('token_end_scheduler_leading')) === 1,
    logged,
    close: async () => {
      await app.close();
      await log.close();
    },
  };
}

const held =
  (acquire: TokenServicePorts['log']['leases']['acquire']) => (ports: TokenServicePorts) => ({
    ...ports,
    log: { ...ports.log, leases: { acquire, release: () => Promise.resolve() } },
  });

/** Another holds the lease, always. */
export const neverLeads = held(() => Promise.resolve(null));
/** The worst that a lease can do: everybody believes to hold it. */
export const alwaysLeads = held(() => Promise.resolve(1));
