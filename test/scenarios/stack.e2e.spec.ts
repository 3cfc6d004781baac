import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RELAY_STEPS } from '@token-status/event-relay';
import { PROJECTOR_STEPS } from '@token-status/read-model';
import { startKafka, startMongo } from '../servers/index.js';
import type { KafkaServer, MongoServer } from '../servers/index.js';
import type { AppProcess } from '../stack/app-process.js';
import { makeStack } from '../stack/stack.js';
import type { Stack } from '../stack/stack.js';
import { Caller, bearer, taken, verifies, verify } from './caller.js';
import { expectOneHistory } from './history.js';
import { mainJob } from './main-job.js';

/**
 * Every app as its own process, on a MongoDB and a Kafka of this file's own, since they are killed too.
 */
describe('every app as its own process, on real MongoDB and Kafka', () => {
  let mongo: MongoServer;
  let kafka: KafkaServer;
  let stack: Stack;
  let service: Caller;
  let token: { readonly id: string; readonly secret: string };
  /** What the token must be, by all that was answered. */
  let version = 0;

  const gateway = (): string => stack.gateways[0]!.url;

  beforeAll(async () => {
    [mongo, kafka] = await Promise.all([startMongo(), startKafka()]);
    stack = await makeStack({ mongodbUri: mongo.uri, kafkaBrokers: kafka.brokers });
    await stack.start();
    service = await Caller.service(stack.issuer, stack.tokenService.url);
    const { body } = await service.add('u-dora', 'Import', {
      userName: 'dora@example.com',
      accountId: 'acme',
    });
    token = { id: body.id, secret: body.secret ?? '' };
    version = body.version;
    await verifies(gateway(), token.secret, 200);
  }, 240_000);

  afterAll(async () => {
    await stack.stop();
    await Promise.all([mongo.stop(), kafka.stop()]);
  }, 180_000);

  /** One command, under one key, asked for again while the answer is an honest 'not now'. */
  const disable = async (key = `disable-${version}`): Promise<void> => {
    const answer = await taken(() => service.disable(token.id, {}, key));
    expect(answer).toMatchObject({ status: 200, body: { version: ++version } });
  };
  const enable = async (key = `enable-${version}`): Promise<void> => {
    const answer = await taken(() => service.enable(token.id, {}, key));
    expect(answer).toMatchObject({ status: 200, body: { version: ++version } });
  };

  /** Disables and enables the token; each is seen on the gateway and in the Status. */
  const disableAndEnable = async (): Promise<void> => {
    await disable();
    await verifies(gateway(), token.secret, 401);
    await service.readsStatus(token.id, 'disabled');
    await enable();
    await verifies(gateway(), token.secret, 200);
    await service.readsStatus(token.id, 'active');
  };

  it('disables a token and a gateway refuses it; enables it and it passes again', async () => {
    await mainJob({ issuer: stack.issuer, api: stack.tokenService.url, gateway: gateway() });
  }, 180_000);

  it.each([
    ['the projector', () => stack.projector],
    ['the gateway', () => stack.gateways[0]!],
    ['the relay', () => stack.eventRelay],
    ['the identity provider', () => stack.identityProvider],
  ] satisfies [string, () => AppProcess][])(
    'takes a disable while %s is dead, and it counts once that is back',
    async (_, part) => {
      await part().kill9();
      await disable();
      await part().start();
      await verifies(gateway(), token.secret, 401);
      await service.readsStatus(token.id, 'disabled');
      await enable();
      await verifies(gateway(), token.secret, 200);
      await service.readsStatus(token.id, 'active');
    },
    180_000,
  );

  it('closes the gateway when nobody proves that its view is fresh, and opens it again', async () => {
    await stack.eventRelay.kill9();
    await verifies(gateway(), token.secret, 503);
    // Not even a 'no' is said on a view that may be old.
    expect((await verify(gateway(), bearer('unknown'))).status).toBe(503);
    await stack.eventRelay.start();
    await verifies(gateway(), token.secret, 200);
  }, 180_000);

  it('takes a command once, though token-service dies while it works on it', async () => {
    const before = version;
    for (let n = 0; n < 10; n++) {
      const key = `killed-${n}`;
      const act = (): ReturnType<Caller['disable']> =>
        n % 2 === 0 ? service.disable(token.id, {}, key) : service.enable(token.id, {}, key);
      const first = act().catch(() => null);
      // Anywhere between the request's arrival and its answer.
      await new Promise((resolve) => setTimeout(resolve, n));
      await stack.tokenService.kill9();
      await first;
      await stack.tokenService.start();
      expect(await taken(act)).toMatchObject({ status: 200, body: { version: before + n + 1 } });
    }
    version = before + 10;
    await disableAndEnable();
  }, 240_000);

  it.each(RELAY_STEPS)(
    'goes on after the relay died at %s',
    async (step) => {
      await diesAt(stack.eventRelay, step);
    },
    180_000,
  );

  it.each(PROJECTOR_STEPS)(
    'goes on after the projector died at %s',
    async (step) => {
      await diesAt(stack.projector, step);
    },
    180_000,
  );

  /** Starts a part so that it kills itself at a step, gives it work until it does, and starts it again. */
  async function diesAt(part: AppProcess, step: string): Promise<void> {
    await part.stop();
    await part.start('spawned', { TOKEN_STATUS_FAILPOINT: step });
    await disable();
    await part.ended();
    await part.start();
    await verifies(gateway(), token.secret, 401);
    await service.readsStatus(token.id, 'disabled');
    await enable();
    await verifies(gateway(), token.secret, 200);
    await service.readsStatus(token.id, 'active');
  }

  it('lets a standby take over from a relay that died', async () => {
    const standby = await stack.process('event-relay');
    await standby.start();
    await stack.eventRelay.kill9();
    await disableAndEnable();
    await stack.eventRelay.start();
    await standby.stop();
    await disableAndEnable();
  }, 180_000);

  it.each([
    ['Kafka', () => kafka],
    ['MongoDB', () => mongo],
  ] as const)(
    'loses nothing when %s is killed and comes back',
    async (_, server) => {
      await server().kill9();
      // Taken, or honestly not: with the same key it is one command, whatever became of the first try.
      const key = `server-killed-${version}`;
      await service.disable(token.id, {}, key).catch(() => null);
      await server().restart();
      await disable(key);
      await verifies(gateway(), token.secret, 401);
      await enable();
      await verifies(gateway(), token.secret, 200);
      await disableAndEnable();
    },
    240_000,
  );

  it('has then one history: nothing lost, doubled or out of order', async () => {
    const [logDatabase = '', readModelDatabase = ''] = stack.databases;
    const tokens = await expectOneHistory({
      mongodbUri: mongo.uri,
      kafkaBrokers: kafka.brokers,
      logDatabase,
      readModelDatabase,
      eventsTopic: `${stack.topicPrefix}.events`,
    });
    expect(tokens.get(token.id)).toMatchObject({ version, disabled: null, revoked: false });
  }, 180_000);

  it('ends cleanly when it is told to', async () => {
    for (const { process } of stack.all) expect(await process.stop()).toBe(0);
  }, 180_000);
});
