import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createParser } from 'eventsource-parser';
import type { EventSourceMessage } from 'eventsource-parser';
import { TokenHistory } from '../../../../test/contracts/token-history.js';
import { until } from '../../../../test/contracts/until.js';
import { LogUnavailable } from '@token-status/event-log';
import type { CallerName } from '../given/issuer.spec.js';
import { startService } from '../given/service.spec.js';
import type { ServiceUnderTest } from '../given/service.spec.js';
import { addToken } from '../given/token.spec.js';
import { DEFAULT_OPTIONS } from '../options.js';
import { listen } from './given-stream.spec.js';
import type { Listener } from './given-stream.spec.js';

// Nothing is projected: the stream is the log's.
const streams = { ...DEFAULT_OPTIONS.streams, heartbeatMs: 50, stalledMs: 500, mostPerCaller: 3 };
let service: ServiceUnderTest;
const open: Listener[] = [];

beforeAll(async () => {
  service = await startService({ settings: { streams, tokensPerUser: 1000 } });
});
afterEach(() => open.splice(0).forEach((each) => each.close()));
afterAll(() => service.close());

async function listening(as: CallerName, query = ''): Promise<Listener> {
  const listener = listen(`${service.url}/v1/stream${query}`, await service.token(as));
  open.push(listener);
  await until(() => listener.position > 0, 20_000, `a stream for ${as}`);
  return listener;
}
const head = async (): Promise<number> => (await service.log.fence()).position;
const ids = ({ heard }: Listener): number[] => heard.map(({ id }) => id);
const positionsOf = async (...users: string[]): Promise<number[]> =>
  (await service.events())
    .filter(({ data }) => users.includes(String(data.userId)))
    .map(({ position }) => position);

/** A stream's text, as far as it came. */
async function textOf(path: string, as: CallerName, expiresIn?: string): Promise<string> {
  const response = await fetch(`${service.url}${path}`, {
    headers: { authorization: `Bearer ${await service.token(as, undefined, expiresIn)}` },
    signal: AbortSignal.timeout(20_000),
  });
  expect(response.status).toBe(200);
  return response.text();
}

/** Many events of one user, written straight into the log. */
async function append(count: number, userId: string): Promise<void> {
  const history = new TokenHistory();
  const name = await service.personalData.seal(userId, 'one of many');
  for (let left = count; left > 0; left -= 500) {
    const drafts = Array.from({ length: Math.min(500, left) }, () => history.add(userId, name));
    await service.log.decideAndAppend({
      commandId: randomBytes(16).toString('hex'),
      tags: [`nobody:${userId}`],
      fold: { name: 'nothing', initial: null, evolve: () => null },
      decide: () => drafts,
    });
  }
}

describe('the stream', () => {
  it('carries to each caller what they may see, whatever happens to others, and nothing else', async () => {
    await addToken(service, { userId: 'u-before' });
    const callers = ['alice', 'carol', 'admin', 'mallory', 'reader'] as const;
    const [alice, carol, admin, mallory, reader] = await Promise.all([
      listening('alice'),
      listening('carol'),
      listening('admin'),
      listening('mallory'),
      listening('reader'),
    ]);
    const ofAlice = await addToken(service, { userId: 'u-alice', name: 'of alice' });
    const ofCarol = await addToken(service, { userId: 'u-carol' });
    await addToken(service, { userId: 'u-mallory', accountId: 'globex' });
    await service.call('POST', `/v1/tokens/${ofCarol.id}/disable`, { as: 'admin' });
    await service.call('DELETE', `/v1/tokens/${ofAlice.id}`, { as: 'alice' });
    const end = await head();
    for (const each of [alice, carol, admin, mallory, reader]) await each.hasCome(end);
    expect(callers).toHaveLength(open.length);
    expect(ids(alice)).toEqual(await positionsOf('u-alice'));
    expect(ids(carol)).toEqual(await positionsOf('u-carol'));
    expect(ids(admin)).toEqual(await positionsOf('u-alice', 'u-carol'));
    expect(ids(mallory)).toEqual(await positionsOf('u-mallory'));
    expect(ids(reader)).toEqual(await positionsOf('u-alice', 'u-carol', 'u-mallory'));
    expect(alice.heard.map(({ token }) => token.name)).toEqual(['of alice', 'of alice']);
  });

  it("says what happened and the token after it, as the command's answer had it", async () => {
    const listener = await listening('admin');
    const { id, userId } = await addToken(service, { name: 'first' });
    const ask = async (method: string, path: string, body?: unknown) =>
      (await service.call(method, `/v1/tokens/${id}${path}`, { as: 'admin', body })).json;
    const answers = [
      await ask('PATCH', '', { name: 'second' }),
      await ask('POST', '/disable', { reason: 'unused', note: 'who knows it?' }),
      await ask('POST', '/enable'),
      await ask('DELETE', ''),
    ];
    await listener.hasCome(await head());
    const [added, ...changed] = listener.heard;
    expect(added?.token).toMatchObject({ id, userId, name: 'first', status: 'active', version: 1 });
    expect(changed.map(({ token }) => token)).toEqual(answers);
    expect(changed.map(({ type }) => type)).toEqual([
      'TokenRenamed',
      'TokenDisabled',
      'TokenEnabled',
      'TokenRevoked',
    ]);
    expect(changed.map(({ token }) => token.position)).toEqual(changed.map((each) => each.id));
    for (const { by, authority, commandId } of changed) {
      expect([by, authority]).toEqual([{ kind: 'user', id: 'u-admin' }, 'administrator']);
      expect(commandId).toMatch(/^[0-9a-f]{32}$/);
    }
    expect(JSON.stringify(listener.heard)).not.toMatch(/igest|"v1\.|tst_|origin/);
  });

  it('goes on after a position, whether given as the last event’s id or in the address', async () => {
    const from = await head();
    const { id } = await addToken(service, { userId: 'u-alice' });
    await addToken(service, { userId: 'u-carol' });
    await service.call('POST', `/v1/tokens/${id}/disable`, { as: 'alice' });
    const missed = (await positionsOf('u-alice')).filter((position) => position > from);
    const inAddress = await listening('alice', `?after=${from}`);
    await inAddress.hasCome(await head());
    expect(ids(inAddress)).toEqual(missed);
    expect(inAddress.heard.at(-1)?.token).toMatchObject({ id, status: 'disabled', version: 2 });

    const messages: EventSourceMessage[] = [];
    const parser = createParser({ onEvent: (message) => messages.push(message) });
    const response = await fetch(`${service.url}/v1/stream?after=0`, {
      headers: {
        authorization: `Bearer ${await service.token('alice')}`,
        'last-event-id': String(missed[0]),
      },
    });
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    while (!messages.some((message) => message.id === String(missed[1]))) {
      parser.feed((await reader?.read())?.value ?? '');
    }
    await reader?.cancel();
    const told = messages.filter(({ event }) => event === undefined).map((each) => each.id);
    expect(told).toEqual([String(missed[1])]);
  });

  it('gives 10,000 events in order, each once, to who was there and to who comes later', async () => {
    const from = await head();
    const there = await listening('reader');
    const stranger = await listening('mallory', `?after=${from}`);
    await append(10_000, 'u-many');
    const end = await head();
    const [later, foreign, owner] = await Promise.all([
      listening('security', `?after=${from}`),
      listening('mallory', `?after=${from}`),
      listening('alice', `?after=${from}`),
    ]);
    for (const each of [there, later, foreign, owner, stranger]) await each.hasCome(end);
    const all = Array.from({ length: 10_000 }, (_, n) => from + n + 1);
    expect(ids(there)).toEqual(all);
    expect(ids(later)).toEqual(all);
    expect(there.heard.at(-1)?.token.name).toBe('one of many');
    for (const none of [foreign, owner, stranger]) expect(none.heard).toEqual([]);
  }, 60_000);

  it('cuts off who reads nothing of what is there for them, and they can go on', async () => {
    const end = await head();
    const { hostname, port } = new URL(service.url);
    const socket = connect(Number(port), hostname);
    // The system keeps what it can; past that, the service waits, and then no more.
    socket.write(
      `GET /v1/stream?after=0 HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n` +
        `Authorization: Bearer ${await service.token('writer')}\r\n\r\n`,
    );
    socket.pause();
    await once(socket, 'connect');
    const isCut = (line: string): boolean => /writer-service.*hung up/.test(line);
    await until(() => service.logged.some(isCut), 20_000, 'the cut');
    socket.on('error', () => undefined);
    let received = '';
    socket.setEncoding('utf8').on('data', (text: string) => (received += text));
    socket.resume();
    await once(socket, 'close');
    const last =
      [...received.matchAll(/^id: (\d+)\ndata: .*\n\n/gm)].map(([, id]) => Number(id)).at(-1) ?? 0;
    expect(last).toBeLessThan(end);
    const again = await listening('writer', `?after=${last}`);
    await again.hasCome(end);
    expect(ids(again)).toEqual(Array.from({ length: end - last }, (_, n) => last + n + 1));
  }, 60_000);

  it('ends when the access token does, and is closed to it then', async () => {
    const from = await head();
    const text = await textOf(`/v1/stream?after=${from}`, 'alice', '3s');
    expect(text).toMatch(/: the access token has expired\nretry: \d+\n\n$/);
    const expired = await service.token('alice', undefined, '-1h');
    const listener = listen(`${service.url}/v1/stream`, expired);
    open.push(listener);
    await until(() => listener.refused.length > 0);
    expect(listener.refused).toEqual([401]);
  });

  it('asked for with an API token ends with that, though its reader is behind', async () => {
    const { id, secret, userId } = await addToken(service);
    const listener = listen(`${service.url}/v1/stream`, secret);
    open.push(listener);
    await until(() => listener.position > 0);
    await addToken(service, { userId });
    await listener.hasCome(await head());
    expect(listener.heard).toHaveLength(1);
    await service.call('POST', `/v1/tokens/${id}/disable`, { as: 'admin' });
    await until(() => listener.refused.includes(401));
    expect(listener.opened).toBe(1);
  });

  it.each<[CallerName | undefined, number, string]>([
    [undefined, 401, 'unauthenticated'],
    ['bob', 403, 'privilege-missing'],
    ['auditor', 403, 'scope-missing'],
  ])('is closed to %s', async (as, status, code) => {
    const answer = await service.call('GET', '/v1/stream', as ? { as } : {});
    expect([answer.status, answer.json.code]).toEqual([status, code]);
  });

  it('names what is wrong with where to begin', async () => {
    const ahead = (await head()) + 1;
    for (const [query, lastEventId] of [
      ['?after=-1'],
      ['?after=x'],
      ['?after=1&after=2'],
      [`?after=${ahead}`],
      ['?from=1'],
      ['', 'x'],
      ['', String(ahead)],
    ] as const) {
      const headers: Record<string, string> = lastEventId ? { 'last-event-id': lastEventId } : {};
      const answer = await service.call('GET', `/v1/stream${query}`, { as: 'alice', headers });
      expect([query, answer.status, answer.json.code]).toEqual([query, 400, 'invalid-request']);
    }
  });

  it('is offered as server-sent events and as nothing else', async () => {
    const headers = { accept: 'application/json' };
    const answer = await service.call('GET', '/v1/stream', { as: 'alice', headers });
    expect([answer.status, answer.json.code]).toEqual([406, 'not-acceptable']);
    const response = await fetch(`${service.url}/v1/stream`, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${await service.token('alice')}` },
    });
    expect(response.status).toBe(200);
  });

  it('is open so many times for one caller, and again when one of them is closed', async () => {
    const [first] = await Promise.all([1, 2, 3].map(() => listening('carol')));
    const answer = await service.call('GET', '/v1/stream', { as: 'carol' });
    expect([answer.status, answer.json.code]).toEqual([429, 'too-many-requests']);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    await listening('alice');
    first?.close();
    await until(async () => {
      const token = await service.token('carol');
      const next = listen(`${service.url}/v1/stream`, token);
      open.push(next);
      await until(() => next.opened + next.refused.length > 0);
      return next.opened > 0;
    });
  });
});

describe('a stream while the log is away', () => {
  it('is 503 to who begins, and to who goes on an empty one that says when to come back', async () => {
    let away = true;
    const without = await startService({
      settings: { streams },
      around: ({ log, ...rest }) => {
        const fence = () => (away ? Promise.reject(new LogUnavailable('away')) : log.fence());
        return { ...rest, log: { ...log, fence } };
      },
    });
    try {
      const begins = await without.call('GET', '/v1/stream?after=0', { as: 'reader' });
      expect([begins.status, begins.json.code]).toEqual([503, 'unavailable']);
      const response = await fetch(`${without.url}/v1/stream`, {
        headers: {
          authorization: `Bearer ${await without.token('reader')}`,
          'last-event-id': '0',
        },
      });
      expect(response.status).toBe(200);
      expect(await response.text()).toMatch(
        /: a part that is needed is out of reach\nretry: \d+\n\n$/,
      );
      away = false;
      await addToken(without);
      const listener = listen(`${without.url}/v1/stream?after=0`, await without.token('reader'));
      open.push(listener);
      await listener.hasCome(1);
      expect(ids(listener)).toEqual([1]);
    } finally {
      await without.close();
    }
  });
});

describe('a service that stops', () => {
  it('ends its streams and says when to come back', async () => {
    const stopping = await startService({ settings: { streams } });
    const response = await fetch(`${stopping.url}/v1/stream`, {
      headers: { authorization: `Bearer ${await stopping.token('reader')}` },
    });
    const began = performance.now();
    const [text] = await Promise.all([response.text(), stopping.close()]);
    expect(text).toMatch(/: this server is stopping\nretry: \d+\n\n$/);
    // The time that other requests have to end is not used up.
    expect(performance.now() - began).toBeLessThan(9000);
  });

  it('answers 503 while one more stream would be too many', async () => {
    const full = await startService({ settings: { streams: { ...streams, most: 0 } } });
    try {
      const answer = await full.call('GET', '/v1/stream', { as: 'reader' });
      expect([answer.status, answer.json.code]).toEqual([503, 'overloaded']);
    } finally {
      await full.close();
    }
  });
});
