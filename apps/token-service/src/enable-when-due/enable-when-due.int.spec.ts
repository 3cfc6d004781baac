import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { RecordedEvent } from '@token-status/contracts';
import { LogUnavailable, OutcomeUnknown } from '@token-status/event-log';
import { eventually, until } from '../../../../test/contracts/until.js';
import { startService } from '../given/service.spec.js';
import type { Given, ServiceUnderTest } from '../given/service.spec.js';
import { addToken } from '../given/token.spec.js';
import type { TokenServicePorts } from '../ports.js';
import { alwaysLeads, neverLeads, startReplica } from './given-replica.spec.js';
import type { Replica } from './given-replica.spec.js';

const END = '2030-01-01T13:00:00.000Z';
const LATER = '2030-01-01T14:00:00.000Z';

let service: ServiceUnderTest;
const replicas: Replica[] = [];

/** It only takes commands: those that enable are started beside it. */
const idle: Given = { settings: { untilPollMs: 60_000, tokensPerUser: 1000 }, around: neverLeads };
const start = async (given: Given = idle): Promise<void> => {
  service = await startService(given);
};
const replica = async (around?: Parameters<typeof startReplica>[1]): Promise<Replica> => {
  const started = await startReplica(service, around);
  replicas.push(started);
  return started;
};
afterEach(async () => {
  for (const each of replicas.splice(0)) await each.close();
  await service.close();
});

const call = async (
  method: string,
  path: string,
  as: 'admin' | 'alice' | 'security',
  body?: object,
) => {
  const answer = await service.call(method, path, { as, ...(body ? { body } : {}) });
  if (answer.status >= 300) throw new Error(`${answer.status}: ${answer.text}`);
  return answer.json;
};
const disable = (
  id: string,
  end: string | null = END,
  as: 'admin' | 'alice' | 'security' = 'admin',
) => call('POST', `/v1/tokens/${id}/disable`, as, end === null ? {} : { until: end });
const added = async (userId?: string): Promise<string> =>
  (await addToken(service, userId === undefined ? {} : { userId })).id;
const disabled = async (end = END): Promise<string> => {
  const id = await added();
  await disable(id, end);
  return id;
};
const clockTo = (instant: string): void => {
  service.clock.now = new Date(instant);
};
const ofToken = (events: readonly RecordedEvent[], id: string): RecordedEvent[] =>
  events.filter(({ data }) => data.tokenId === id);
const history = async (id: string): Promise<string[]> =>
  ofToken(await service.events(), id).map(({ type, data }) =>
    type === 'TokenEnabled' ? `${type} by ${String(data.cause)}` : type,
  );
const atItsEnd = 'TokenEnabled by until';
const ENABLED = ['TokenAdded', 'TokenDisabled', atItsEnd];
const isEnabled = (id: string): Promise<void> =>
  eventually(async () => expect(await history(id)).toEqual(ENABLED));

describe('a disable with an end', () => {
  it('ends by itself at that time, by the scheduler, on the authority that disabled', async () => {
    await start();
    const id = await disabled();
    await service.project();
    clockTo(END);
    const only = await replica();
    await isEnabled(id);
    const event = (await service.events()).at(-1);
    expect(event?.data).toMatchObject({
      tokenId: id,
      tokenVersion: 3,
      at: END,
      by: { kind: 'scheduler', id: 'scheduler' },
      authority: 'administrator',
      cause: 'until',
      reason: null,
      note: null,
      origin: null,
    });
    await until(async () => (await only.ended('enabled')) === 1);
    const lines = only.logged.filter((line) => line.includes('enabled at its end'));
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      tokenId: id,
      disabledAtVersion: 2,
      until: END,
      lateMs: 0,
      commandId: event?.data.commandId,
      eventIds: [event?.id],
    });
  });

  it('holds until that very time', async () => {
    await start();
    const beacon = await disabled('2030-01-01T12:59:59.999Z');
    const id = await disabled();
    await service.project();
    clockTo('2030-01-01T12:59:59.999Z');
    await replica();
    await isEnabled(beacon);
    expect(await history(id)).toEqual(['TokenAdded', 'TokenDisabled']);
    clockTo(END);
    await isEnabled(id);
  });

  it('ends though the projector has stopped, where its own process is at work', async () => {
    await start({ settings: { untilPollMs: 20 } });
    const id = await disabled();
    clockTo(END);
    await isEnabled(id);
  });

  it('ends so too where another process has the lease and knows nothing of it', async () => {
    await start({ settings: { untilPollMs: 20 }, around: neverLeads });
    const id = await disabled();
    clockTo(END);
    await replica();
    // The other one is given a little time first.
    clockTo('2030-01-01T13:00:01.000Z');
    await isEnabled(id);
    const last = (await service.events()).at(-1);
    expect(last?.data).toMatchObject({ at: '2030-01-01T13:00:01.000Z' });
  });

  it('ends though the read model fails, and others do once it is back', async () => {
    let away = true;
    const failing = (ports: TokenServicePorts): TokenServicePorts => ({
      ...ports,
      reads: {
        ...ports.reads,
        due: (at, limit) => (away ? Promise.reject(new Error('away')) : ports.reads.due(at, limit)),
      },
    });
    await start();
    const known = await disabled();
    await service.project();
    clockTo(END);
    const one = await replica(failing);
    await until(() => one.logged.some((line) => line.includes('trying again')));
    expect(await history(known)).toEqual(['TokenAdded', 'TokenDisabled']);
    away = false;
    await isEnabled(known);
  });
});

describe('changed since', () => {
  beforeEach(() => start());

  /** Each time the read model still says that the end has come. */
  const CHANGES: readonly (readonly [string, (id: string) => Promise<unknown>])[] = [
    ['disabled again, with a later end', (id) => disable(id, LATER)],
    ['disabled again, without an end', (id) => disable(id, null)],
    ['disabled by a higher authority, without an end', (id) => disable(id, null, 'security')],
    ['enabled', (id) => call('POST', `/v1/tokens/${id}/enable`, 'admin')],
    [
      'enabled and disabled again',
      async (id) => {
        await call('POST', `/v1/tokens/${id}/enable`, 'admin');
        await disable(id, null);
      },
    ],
    ['revoked', (id) => call('DELETE', `/v1/tokens/${id}`, 'admin')],
  ];
  it.each(CHANGES)('%s: it is left as it is', async (_, change) => {
    const beacon = await disabled();
    const id = await disabled();
    await service.project();
    await change(id);
    const before = await history(id);
    clockTo(END);
    const only = await replica();
    await isEnabled(beacon);
    await until(async () => (await only.ended('overtaken')) === 1);
    expect(await history(id)).toEqual(before);
  });

  it('renamed: it is enabled', async () => {
    const id = await disabled();
    await service.project();
    await call('PATCH', `/v1/tokens/${id}`, 'admin', { name: 'another' });
    clockTo(END);
    await replica();
    await eventually(async () =>
      expect(await history(id)).toEqual(['TokenAdded', 'TokenDisabled', 'TokenRenamed', atItsEnd]),
    );
  });

  it('its end moved: it is enabled at the later one, once', async () => {
    const id = await disabled();
    await disable(id, LATER);
    const beacon = await disabled();
    await service.project();
    clockTo(END);
    await replica();
    await isEnabled(beacon);
    expect(await history(id)).toEqual(['TokenAdded', 'TokenDisabled', 'TokenDisabled']);
    clockTo(LATER);
    await eventually(async () =>
      expect(await history(id)).toEqual(['TokenAdded', 'TokenDisabled', 'TokenDisabled', atItsEnd]),
    );
  });

  it('disabled by a higher authority until an earlier time: enabled at the later end, on that authority', async () => {
    const id = await added('u-alice');
    await disable(id, LATER, 'alice');
    await disable(id, END, 'security');
    const beacon = await disabled();
    await service.project();
    clockTo(END);
    await replica();
    await isEnabled(beacon);
    expect(await history(id)).toEqual(['TokenAdded', 'TokenDisabled', 'TokenDisabled']);
    clockTo(LATER);
    await eventually(async () => expect(await history(id)).toContain(atItsEnd));
    expect((await service.events()).at(-1)?.data).toMatchObject({ authority: 'security' });
  });

  it('expired meanwhile: it stays disabled, and says that it has expired', async () => {
    const token = await service.call('POST', '/v1/users/u-expiring/tokens', {
      as: 'writer',
      body: {
        name: 'expires',
        accountId: 'acme',
        userName: 'e@example.com',
        expiresAt: '2030-01-01T12:30:00Z',
      },
    });
    const id = token.json.id ?? '';
    await disable(id);
    const beacon = await disabled();
    await service.project();
    clockTo(END);
    await replica();
    await isEnabled(beacon);
    expect(await history(id)).toEqual(['TokenAdded', 'TokenDisabled']);
    const got = await service.call('GET', `/v1/tokens/${id}`, { as: 'admin' });
    expect(got.json.status).toBe('expired');
  });
});

describe('several replicas', () => {
  beforeEach(() => start());

  const twoHundred = async (): Promise<string[]> => {
    const ids = await Promise.all(Array.from({ length: 200 }, () => disabled()));
    await service.project();
    clockTo(END);
    return ids;
  };
  const enabledOnceEach = (ids: readonly string[]): Promise<void> =>
    eventually(async () => {
      const events = await service.events();
      const histories = ids.map((id) => ofToken(events, id).map(({ type }) => type));
      const wanted = ['TokenAdded', 'TokenDisabled', 'TokenEnabled'];
      expect(histories).toEqual(ids.map(() => wanted));
    });

  // Which of them does how much is the lease's affair, which may change hands on a machine under load.
  it('enable 200 due tokens once each', async () => {
    const ids = await twoHundred();
    const two = await Promise.all([replica(), replica()]);
    await enabledOnceEach(ids);
    const enabled = await Promise.all(two.map((each) => each.ended('enabled')));
    expect(enabled.reduce((sum, each) => sum + each)).toBe(200);
    expect(await service.events()).toHaveLength(600);
  });

  it('enable each once though all of them believe to have the lease', async () => {
    const ids = await twoHundred();
    const three = await Promise.all([1, 2, 3].map(() => replica(alwaysLeads)));
    await enabledOnceEach(ids);
    // Each has looked at all that it was told of.
    await service.project();
    const beacon = await disabled(LATER);
    await service.project();
    clockTo(LATER);
    await isEnabled(beacon);
    const enabled = await Promise.all(three.map((each) => each.ended('enabled')));
    expect(enabled.reduce((sum, each) => sum + each)).toBe(201);
    expect(await service.events()).toHaveLength(603);
  });

  it('take over from one that ends', async () => {
    const first = await disabled();
    const second = await disabled(LATER);
    await service.project();
    const leader = await replica();
    await until(() => leader.leading());
    const other = await replica();
    clockTo(END);
    await isEnabled(first);
    expect(await leader.ended('enabled')).toBe(1);
    await leader.close();
    replicas.splice(replicas.indexOf(leader), 1);
    clockTo(LATER);
    await isEnabled(second);
    await until(async () => (await other.ended('enabled')) === 1);
  });
});

describe('what fails on the way', () => {
  beforeEach(() => start());

  /** The fault comes so many times, before or after the log has recorded. */
  const failing =
    (fault: Error, times: number, when: 'before' | 'after', only?: string) =>
    (ports: TokenServicePorts): TokenServicePorts => ({
      ...ports,
      log: {
        ...ports.log,
        decideAndAppend: async (submission) => {
          const here = only === undefined || submission.tags.includes(`token:${only}`);
          const fails = here && times-- > 0;
          if (fails && when === 'before') throw fault;
          const decided = await ports.log.decideAndAppend(submission);
          if (fails) throw fault;
          return decided;
        },
      },
    });

  it.each([
    ['a log that is away', new LogUnavailable('no answer'), 'before'],
    ['an answer that was lost', new OutcomeUnknown('it was sent'), 'after'],
  ] as const)('%s is tried again, and the token is enabled once', async (_, fault, when) => {
    const ids = [await disabled(), await disabled(), await disabled()];
    await service.project();
    clockTo(END);
    const only = await replica(failing(fault, 4, when));
    for (const id of ids) await isEnabled(id);
    await until(async () => {
      const counts = [await only.ended('enabled'), await only.ended('overtaken')];
      return (counts[0] ?? 0) + (counts[1] ?? 0) >= 3;
    });
    for (const id of ids) expect(await history(id)).toEqual(ENABLED);
  });

  it('a log that stays away is not asked without a pause, though ends of its own wait', async () => {
    await service.close();
    let asked = 0;
    let away = true;
    await start({
      settings: { untilPollMs: 20 },
      around: (ports) => ({
        ...ports,
        log: {
          ...ports.log,
          decideAndAppend: (submission) => {
            // What has no request behind it is the scheduler's.
            if (away && submission.traceparent === undefined) {
              asked++;
              return Promise.reject(new LogUnavailable('no answer'));
            }
            return ports.log.decideAndAppend(submission);
          },
        },
      }),
    });
    const id = await disabled();
    clockTo(END);
    await until(() => asked > 0);
    const began = performance.now();
    await until(() => performance.now() - began > 1000);
    // The pauses grow, to twice as long each time at most; without them there are hundreds of tries.
    expect(asked).toBeLessThan(60);
    away = false;
    await isEnabled(id);
  });

  it('a read model that is away keeps no end that the process has itself decided', async () => {
    await service.close();
    await start({
      around: (ports) => ({
        ...ports,
        clock: () => new Date(),
        reads: { ...ports.reads, due: () => Promise.reject(new Error('away')) },
      }),
    });
    const id = await disabled(new Date(Date.now() + 1500).toISOString());
    await isEnabled(id);
    expect(service.logged.some((line) => line.includes('trying again'))).toBe(true);
  });

  it('a process that can not reach the read model leaves it to one that can', async () => {
    const id = await disabled();
    await service.project();
    clockTo(END);
    const blind = await replica((ports) => ({
      ...ports,
      reads: { ...ports.reads, due: () => Promise.reject(new Error('away')) },
    }));
    await until(() => blind.logged.some((line) => line.includes('trying again')));
    await replica();
    await isEnabled(id);
    expect(await blind.ended('enabled')).toBe(0);
  });

  it('a token that can not be decided keeps no other', async () => {
    const broken = await disabled('2030-01-01T12:00:01.000Z');
    const id = await disabled();
    await service.project();
    clockTo(END);
    const only = await replica(failing(new Error('unreadable'), Infinity, 'before', broken));
    await isEnabled(id);
    expect(only.logged.filter((line) => line.includes("can't be decided"))).toHaveLength(1);
    // The next ones, too.
    const next = await disabled(LATER);
    await service.project();
    clockTo(LATER);
    await isEnabled(next);
    expect(await history(broken)).toEqual(['TokenAdded', 'TokenDisabled']);
  });
});
