import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createClient } from './client.js';
import type { ClientOptions } from './client.js';
import { ProblemError } from './problem-error.js';
import { NoAnswerError } from './resilient-fetch.js';

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

let server: Server;
let baseUrl: string;
/** What is answered to each request in its turn; the last one to all that follow. */
let answers: Answer[];
let asked: IncomingMessage[];

beforeEach(async () => {
  asked = [];
  server = createServer((request, response) => {
    asked.push(request);
    request
      .resume()
      .on('end', () => answers[Math.min(asked.length, answers.length) - 1]?.(response, request));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const token: Answer = (response) => {
  response.setHeader('content-type', 'application/json').end('{"id":"tok_1","version":2}');
};
const problem =
  (status: number, code: string, headers: Readonly<Record<string, string>> = {}): Answer =>
  (response) => {
    response
      .writeHead(status, { 'content-type': 'application/problem+json', ...headers })
      .end(JSON.stringify({ status, code, title: 'No', detail: 'Not so' }));
  };
const silence: Answer = () => undefined;
const reset: Answer = (response) => void response.socket?.resetAndDestroy();
/** Half an answer, and then the connection is gone. */
const half: Answer = (response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '99' });
  response.write('{"id":', () => response.socket?.resetAndDestroy());
};

const client = (options: Partial<ClientOptions> = {}) =>
  createClient({ baseUrl, accessToken: () => 'it', firstPauseMs: 1, ...options });

const keysAsked = () => new Set(asked.map(({ headers }) => headers['idempotency-key']));

describe('a command', () => {
  it('is sent again under one key after a lost connection, half an answer, silence, and what may pass', async () => {
    answers = [reset, half, silence, problem(503, 'outcome-unknown'), problem(502, 'x'), token];
    const done = await client({ attempts: 6, timeoutMs: 500 }).disableToken('tok_1');
    expect(done.version).toBe(2);
    expect(asked).toHaveLength(6);
    expect(keysAsked().size).toBe(1);
    expect([...keysAsked()][0]).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('has a key of its own each time, unless the caller names one', async () => {
    answers = [token];
    await client().enableToken('tok_1');
    await client().enableToken('tok_1');
    await client().enableToken('tok_1', {}, { idempotencyKey: 'mine' });
    expect(keysAsked().size).toBe(3);
    expect(keysAsked()).toContain('mine');
  });

  it('is not sent again after a refusal, which is a problem with its code', async () => {
    answers = [problem(409, 'token-revoked')];
    const refused = client().enableToken('tok_1', {}, { ifVersion: 7 });
    await expect(refused).rejects.toBeInstanceOf(ProblemError);
    await expect(refused).rejects.toMatchObject({
      status: 409,
      code: 'token-revoked',
      detail: 'Not so',
    });
    expect(asked).toHaveLength(1);
    expect(asked[0]?.headers['if-match']).toBe('"7"');
  });

  it('waits as long as it is asked to', async () => {
    answers = [problem(429, 'too-many-requests', { 'retry-after': '1' }), token];
    const since = performance.now();
    await client().revokeToken('tok_1');
    expect(performance.now() - since).toBeGreaterThanOrEqual(990);
  });

  it('waits no longer than it is allowed to, and then says what the last answer was', async () => {
    answers = [problem(429, 'too-many-requests', { 'retry-after': '3600' })];
    const refused = client({ attempts: 3, longestPauseMs: 5 }).revokeToken('tok_1');
    await expect(refused).rejects.toMatchObject({ code: 'too-many-requests' });
    expect(asked).toHaveLength(3);
  });

  it('says so when no try got an answer', async () => {
    answers = [reset];
    await expect(client({ attempts: 2 }).revokeToken('tok_1')).rejects.toBeInstanceOf(
      NoAnswerError,
    );
    expect(asked).toHaveLength(2);
  });

  it('ends when its caller says so, while it waits for an answer and while it waits for a next try', async () => {
    for (const answer of [silence, problem(503, 'unavailable', { 'retry-after': '9' })]) {
      answers = [answer];
      asked = [];
      const ending = new AbortController();
      const asking = client().revokeToken('tok_1', { signal: ending.signal });
      setTimeout(() => ending.abort(new Error('enough')), 100);
      await expect(asking).rejects.toThrow('enough');
      expect(asked).toHaveLength(1);
    }
  });
});

describe('an access token', () => {
  it('that was refused is renewed, once', async () => {
    const renewals: boolean[] = [];
    const accessToken: ClientOptions['accessToken'] = ({ renew }) => {
      renewals.push(renew);
      return renew ? 'new' : 'old';
    };
    answers = [problem(401, 'unauthenticated'), token];
    await client({ accessToken }).getToken('tok_1');
    expect(asked.map(({ headers }) => headers.authorization)).toEqual(['Bearer old', 'Bearer new']);
    answers = [problem(401, 'unauthenticated')];
    asked = [];
    await expect(client({ accessToken }).getToken('tok_1')).rejects.toMatchObject({ status: 401 });
    expect(asked).toHaveLength(2);
    expect(renewals).toEqual([false, true, false, true]);
  });
});
