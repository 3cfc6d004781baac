import { afterEach, describe, expect, it } from '@jest/globals';
import { LogOverloaded, LogUnavailable, OutcomeUnknown } from '@token-status/event-log';
import type { TokenStatusReads } from '@token-status/read-model';
import { startService } from './given/service.spec.js';
import type { Given, ServiceUnderTest } from './given/service.spec.js';
import { addToken } from './given/token.spec.js';
import type { CommandLog, SealedTexts } from './ports.js';

let service: ServiceUnderTest;
afterEach(() => service.close());

/** The real ports, with a switch for a fault in front of each. */
interface Faults {
  append?: Error | 'after recording';
  logRead?: Error | 'nothing, once' | 'nothing';
  fence?: Error;
  keys?: Error | 'silence';
  reads?: Error | 'silence';
}
const silence = <T>(): Promise<T> => new Promise(() => undefined);

async function startWith(faults: Faults, settings: Given['settings'] = {}): Promise<void> {
  service = await startService({
    settings,
    around: ({ log, reads, personalData, ...rest }) => {
      const faultyLog: CommandLog = {
        decideAndAppend: async (submission) => {
          if (faults.append instanceof Error) throw faults.append;
          const decided = await log.decideAndAppend(submission);
          if (faults.append) throw new OutcomeUnknown('the answer was lost');
          return decided;
        },
        read: async function* (after, options) {
          if (faults.logRead instanceof Error) throw faults.logRead;
          if (faults.logRead) {
            if (faults.logRead === 'nothing, once') delete faults.logRead;
            return;
          }
          yield* log.read(after, options);
        },
        leases: log.leases,
        plans: log.plans,
        fence: () => (faults.fence ? Promise.reject(faults.fence) : log.fence()),
        follow: (after, signal) => log.follow(after, signal),
      };
      const failing = <T>(fault: Error | 'silence' | undefined, work: () => Promise<T>) =>
        fault instanceof Error ? Promise.reject(fault) : fault ? silence<T>() : work();
      const faultyKeys: SealedTexts = {
        seal: (userId, text) => failing(faults.keys, () => personalData.seal(userId, text)),
        open: (userId, sealed) => failing(faults.keys, () => personalData.open(userId, sealed)),
      };
      const faultyReads: TokenStatusReads = {
        get: (id) => failing(faults.reads, () => reads.get(id)),
        listByUser: (id) => failing(faults.reads, () => reads.listByUser(id)),
        position: () => failing(faults.reads, () => reads.position()),
        search: (query) => failing(faults.reads, () => reads.search(query)),
        due: (at, limit) => failing(faults.reads, () => reads.due(at, limit)),
      };
      return { ...rest, log: faultyLog, reads: faultyReads, personalData: faultyKeys };
    },
  });
}

/** A check has a second; a majority write on a loaded machine may once take longer. */
async function becomesReady(): Promise<void> {
  const deadline = Date.now() + 30_000;
  while ((await service.call('GET', '/readyz')).status !== 200) {
    if (Date.now() > deadline) throw new Error('the service is not ready');
  }
}

const away = new Error('connect ECONNREFUSED mongodb://keys.internal:27017');

describe('where a part is out of reach', () => {
  it.each([
    ['outcome-unknown', new OutcomeUnknown('it was sent')],
    ['unavailable', new LogUnavailable('no answer')],
    ['overloaded', new LogOverloaded('too many wait')],
  ])('the log says %s, and so does the answer', async (code, fault) => {
    const faults: Faults = {};
    await startWith(faults);
    const { id } = await addToken(service);
    faults.append = fault;
    const answers = [
      await service.call('POST', `/v1/tokens/${id}/disable`, { as: 'writer' }),
      await service.call('POST', '/v1/users/u-x/tokens', {
        as: 'writer',
        body: { name: 'x', accountId: 'acme', userName: 'x@example.com' },
      }),
    ];
    for (const answer of answers) {
      expect([answer.status, answer.json.code]).toEqual([503, code]);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(answer.json).not.toHaveProperty('secret');
    }
    expect(await service.metrics()).toContain(
      'token_commands_total{type="DisableToken",result="fault"} 1',
    );
  });

  it('an add whose outcome was not known is found again under its key', async () => {
    const faults: Faults = { append: 'after recording' };
    await startWith(faults);
    const add = () =>
      service.call('POST', '/v1/users/u-x/tokens', {
        as: 'writer',
        body: { name: 'x', accountId: 'acme', userName: 'x@example.com' },
        headers: { 'idempotency-key': 'again' },
      });
    expect((await add()).json.code).toBe('outcome-unknown');
    delete faults.append;
    const second = await add();
    expect(second.json).toMatchObject({ name: 'x', version: 1, secretShown: true });
    expect(await service.events()).toHaveLength(1);
  });

  it.each([
    ['fail', away],
    ['say nothing', 'silence'],
  ] as const)('keys that %s stop a command before it is recorded', async (_, fault) => {
    const faults: Faults = {};
    await startWith(faults, { commandTimeoutMs: 3000 });
    const { id } = await addToken(service);
    faults.keys = fault;
    const answer = await service.call('POST', `/v1/tokens/${id}/disable`, { as: 'writer' });
    expect([answer.status, answer.json.code]).toEqual([503, 'unavailable']);
    expect(answer.text).not.toContain('internal:27017');
    expect(await service.events()).toHaveLength(1);
  });

  it('a log that can not be read stops a command before it is recorded', async () => {
    const faults: Faults = {};
    await startWith(faults);
    const { id } = await addToken(service);
    faults.logRead = away;
    const answer = await service.call('POST', `/v1/tokens/${id}/disable`, { as: 'writer' });
    expect([answer.status, answer.json.code]).toEqual([503, 'unavailable']);
  });

  it.each([
    ['fails', away],
    ['says nothing', 'silence'],
  ] as const)('a read model that %s stops reads, and no command', async (_, fault) => {
    const faults: Faults = { reads: fault };
    await startWith(faults, { commandTimeoutMs: 3000 });
    const { id } = await addToken(service, { userId: 'u-alice' });
    for (const path of [`/v1/tokens/${id}`, '/v1/users/u-alice/tokens?minPosition=1']) {
      const answer = await service.call('GET', path, { as: 'alice' });
      expect([answer.status, answer.json.code]).toEqual([503, 'unavailable']);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    const disabled = await service.call('POST', `/v1/tokens/${id}/disable`, { as: 'alice' });
    expect(disabled.status).toBe(200);
    await becomesReady();
  });

  it('the service is not ready while its log takes no write', async () => {
    const faults: Faults = {};
    await startWith(faults);
    await becomesReady();
    faults.fence = away;
    expect((await service.call('GET', '/readyz')).status).toBe(503);
    expect((await service.call('GET', '/livez')).status).toBe(200);
  });
});

describe('a token that the first read of the log did not find', () => {
  it('is found when it is decided, and read again', async () => {
    const faults: Faults = {};
    await startWith(faults);
    const { id } = await addToken(service, { userId: 'u-alice', name: 'first' });
    await addToken(service, { userId: 'u-alice', name: 'second' });
    faults.logRead = 'nothing, once';
    const taken = await service.call('PATCH', `/v1/tokens/${id}`, {
      as: 'alice',
      body: { name: 'second' },
    });
    expect([taken.status, taken.json.code]).toEqual([409, 'name-taken']);
    expect(faults.logRead).toBeUndefined();
    const other = await addToken(service, { userId: 'u-alice', name: 'third' });
    faults.logRead = 'nothing, once';
    const disabled = await service.call('POST', `/v1/tokens/${other.id}/disable`, {
      as: 'alice',
      body: { note: 'kept' },
    });
    expect(disabled.json.disabled).toMatchObject({ note: 'kept' });
  });

  it('and that no later read finds is a part out of reach, not a fault of ours', async () => {
    const faults: Faults = {};
    await startWith(faults);
    const { id } = await addToken(service, { userId: 'u-alice' });
    faults.logRead = 'nothing';
    const answer = await service.call('POST', `/v1/tokens/${id}/disable`, { as: 'alice' });
    expect([answer.status, answer.json.code]).toEqual([503, 'unavailable']);
    expect(await service.events()).toHaveLength(1);
  });
});
