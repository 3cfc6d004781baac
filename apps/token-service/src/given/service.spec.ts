import { randomBytes } from 'node:crypto';
import { Writable } from 'node:stream';
import { jest } from '@jest/globals';
import { PROBLEMS } from '@token-status/contracts';
import type { RecordedEvent } from '@token-status/contracts';
import { openEventLog, openMongoLogStore } from '@token-status/event-log';
import type { EventLog } from '@token-status/event-log';
import { openMongoPersonalData } from '@token-status/personal-data';
import type { PersonalData } from '@token-status/personal-data';
import { createApp, createLogger, createTokenVerifier, startMetrics } from '@token-status/platform';
import { openMongoReadModel } from '@token-status/read-model';
import { apiTokenCallers } from '../api-token-callers/api-token-callers.js';
import { logObserver } from '../commands/command-metrics.js';
import type { TokenJson } from '../http/token-json.js';
import type { TokenServicePorts } from '../ports.js';
import type { TokenServiceSettings } from '../token-service.module.js';
import { TokenServiceModule } from '../token-service.module.js';
import { expectDescribed } from './described.spec.js';
import { AUDIENCE, CALLERS, startIssuer } from './issuer.spec.js';
import type { CallerName } from './issuer.spec.js';
import { projectionOf } from './projection.spec.js';
import { dropDatabases } from '../../../../test/servers/drop-databases.js';

// Real servers on a machine that others use too.
jest.setTimeout(60_000);

export const FINGERPRINT_KEY = new Uint8Array(32).fill(7);

export interface Call {
  /** Nobody where it is left out. */
  readonly as?: CallerName;
  /** An access token as it is. */
  readonly bearer?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: AnswerJson;
}

/** What an answer may hold: a token, a list, or a problem. */
export type AnswerJson = Partial<Omit<TokenJson, 'status'>> & {
  readonly status?: string | number;
  readonly secret?: string;
  readonly secretShown?: boolean;
  readonly tokens?: readonly TokenJson[];
  readonly code?: string;
  readonly type?: string;
  readonly title?: string;
  readonly detail?: string;
  readonly instance?: string;
  readonly errors?: readonly { readonly pointer?: string; readonly detail: string }[];
};

export interface ServiceUnderTest {
  readonly url: string;
  /** What its module stands on, and its databases' common name: for a second one beside it. */
  readonly ports: TokenServicePorts;
  readonly database: string;
  readonly log: EventLog;
  readonly personalData: PersonalData;
  readonly clock: { now: Date };
  /** Lines of the log, as written. */
  readonly logged: readonly string[];
  call(method: string, path: string, call?: Call): Promise<Answer>;
  token(caller: CallerName, audience?: string, expiresIn?: string): Promise<string>;
  /** An access token for this API with any claims. */
  issue(claims: Readonly<Record<string, unknown>>): Promise<string>;
  events(): Promise<RecordedEvent[]>;
  /** Brings the read model up to the log's head: it moves at no other time. */
  project(): Promise<void>;
  metrics(): Promise<string>;
  close(): Promise<void>;
}

export interface Given {
  readonly settings?: Partial<TokenServiceSettings>;
  /** Puts something between the service and its ports: faults. */
  readonly around?: (ports: TokenServicePorts) => TokenServicePorts;
}

/** The service on real MongoDB and a real issuer, in databases of its own, with a clock that stands still. */
export async function startService(given: Given = {}): Promise<ServiceUnderTest> {
  const uri = process.env.MONGODB_URI ?? '';
  const database = `test_service_${randomBytes(6).toString('hex')}`;
  const issuer = await startIssuer();
  const metrics = startMetrics({ service: 'token-service', version: 'test' });
  const log = openEventLog(await openMongoLogStore({ uri, database: `${database}_log` }), {
    observer: logObserver(metrics),
  });
  const personalData = await openMongoPersonalData({
    uri,
    database: `${database}_keys`,
    masterKey: randomBytes(32),
  });
  const reads = await openMongoReadModel({ uri, database: `${database}_read` });
  const project = await projectionOf(log, reads, personalData);
  const clock = { now: new Date('2030-01-01T12:00:00.000Z') };
  const logged: string[] = [];
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      logged.push(chunk.toString());
      done();
    },
  });
  const real = { log, reads, personalData, clock: () => clock.now };
  const ports: TokenServicePorts = given.around?.(real) ?? real;
  const app = await createApp(
    TokenServiceModule.register(ports, {
      fingerprintKey: FINGERPRINT_KEY,
      ...given.settings,
    }),
    {
      logger: createLogger({ name: 'token-service', level: 'info', destination }),
      metrics,
      callers: apiTokenCallers({
        log: ports.log,
        accessTokens: createTokenVerifier({ issuer: issuer.url, audience: AUDIENCE }),
        clock: ports.clock,
        metrics,
      }),
      problems: PROBLEMS,
    },
  );
  const { url } = await app.listen({ port: 0 });
  const tokens = new Map<string, Promise<string>>();
  const token = (caller: CallerName, audience?: string, expiresIn = '1h'): Promise<string> => {
    const name = `${caller} ${audience ?? ''} ${expiresIn}`;
    const made = tokens.get(name) ?? issuer.token(CALLERS[caller], audience, expiresIn);
    tokens.set(name, made);
    return made;
  };

  return {
    url,
    ports,
    database,
    log,
    personalData,
    clock,
    logged,
    token,
    issue: (claims) => issuer.token(claims),
    call: async (method, path, { as, bearer, body, headers = {} } = {}) => {
      const access = bearer ?? (as ? await token(as) : undefined);
      const response = await fetch(`${url}${path}`, {
        method,
        headers: {
          ...(access === undefined ? {} : { authorization: `Bearer ${access}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined
          ? {}
          : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
        signal: AbortSignal.timeout(20_000),
      });
      const text = await response.text();
      const json = JSON.parse(text) as AnswerJson;
      const type = response.headers.get('content-type') ?? '';
      expectDescribed(method, path, { status: response.status, type, json });
      return { status: response.status, text, headers: response.headers, json };
    },
    events: async () => {
      const events: RecordedEvent[] = [];
      for await (const event of log.read(0)) events.push(event);
      return events;
    },
    project,
    metrics: () => metrics.render(),
    close: async () => {
      await app.close();
      await log.close();
      await reads.close();
      await personalData.close();
      await issuer.close();
      await dropDatabases(uri, ...['log', 'keys', 'read'].map((part) => `${database}_${part}`));
    },
  };
}
