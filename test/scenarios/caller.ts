import { until } from '../contracts/until.js';

export interface TokenJson {
  readonly id: string;
  readonly name: string | null;
  readonly status: string;
  readonly version: number;
  readonly position: number;
  readonly secret?: string;
}

export interface Answer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

/** Somebody with an access token of the demo provider, who calls token-service as a program would. */
export class Caller {
  private constructor(
    private readonly api: string,
    private readonly accessToken: string,
  ) {}

  static async user(issuer: string, api: string, username: string): Promise<Caller> {
    const grant = 'urn:token-status:demo';
    return new Caller(
      api,
      await accessToken(issuer, {
        grant_type: grant,
        username,
        password: 'demo',
        client_id: 'demo-cli',
      }),
    );
  }

  static async service(issuer: string, api: string): Promise<Caller> {
    return new Caller(
      api,
      await accessToken(issuer, {
        grant_type: 'client_credentials',
        client_id: 'demo-service',
        client_secret: 'demo-service-secret',
        scope: 'tokens:read tokens:write tokens:security',
      }),
    );
  }

  /** What it sends in the header of that name. */
  get authorization(): string {
    return `Bearer ${this.accessToken}`;
  }

  async call<T = TokenJson>(
    method: string,
    path: string,
    body?: object,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer<T>> {
    const answer = await fetch(`${this.api}${path}`, {
      method,
      headers: {
        authorization: this.authorization,
        ...(body ? { 'content-type': 'application/json' } : {}),
        ...headers,
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal: AbortSignal.timeout(15_000),
    });
    const text = await answer.text();
    return {
      status: answer.status,
      headers: answer.headers,
      body: (text === '' ? {} : JSON.parse(text)) as T,
    };
  }

  add(userId: string, name: string, more: object = {}): Promise<Answer<TokenJson>> {
    return this.call('POST', `/v1/users/${userId}/tokens`, { name, ...more });
  }

  get(id: string): Promise<Answer<TokenJson>> {
    return this.call('GET', `/v1/tokens/${id}`);
  }

  disable(id: string, body: object = {}, key?: string): Promise<Answer<TokenJson>> {
    return this.call('POST', `/v1/tokens/${id}/disable`, body, keyed(key));
  }

  enable(id: string, body: object = {}, key?: string): Promise<Answer<TokenJson>> {
    return this.call('POST', `/v1/tokens/${id}/enable`, body, keyed(key));
  }

  /** The read model follows within moments; a person would look again. */
  async readsStatus(id: string, status: string): Promise<void> {
    await until(
      async () => {
        const { status: code, body } = await this.get(id);
        return code === 200 && body.status === status;
      },
      60_000,
      `the status of ${id} reading ${status}`,
    );
  }
}

/**
 * The answer of a command that is asked for, always under the same key, until it is taken: what is away,
 * or too busy, answers 503 or not at all meanwhile.
 */
export async function taken<T>(ask: () => Promise<Answer<T>>): Promise<Answer<T>> {
  let last: Answer<T> | undefined;
  await until(
    async () => {
      last = await ask().catch(() => undefined);
      return last !== undefined && last.status !== 503;
    },
    90_000,
    'a command being taken',
  );
  if (last === undefined) throw new Error('unreachable: it was taken');
  return last;
}

const keyed = (key: string | undefined): Record<string, string> =>
  key === undefined ? {} : { 'idempotency-key': key };

async function accessToken(issuer: string, form: Record<string, string>): Promise<string> {
  const discovery = (await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()) as {
    token_endpoint: string;
  };
  const answer = await fetch(discovery.token_endpoint, {
    method: 'POST',
    body: new URLSearchParams(form),
  });
  const body = (await answer.json()) as { access_token?: string; error?: string };
  if (!body.access_token) throw new Error(`no access token: ${answer.status} ${body.error ?? ''}`);
  return body.access_token;
}

export interface Verdict {
  readonly status: number;
  readonly headers: Headers;
}

/** What a proxy asks a gateway about a credential. */
export async function verify(gateway: string, authorization: string): Promise<Verdict> {
  const { status, headers } = await fetch(`${gateway}/verify`, {
    headers: { authorization },
    signal: AbortSignal.timeout(5000),
  });
  return { status, headers };
}

export const bearer = (secret: string): string => `Bearer ${secret}`;

export const basic = (userName: string, secret: string): string =>
  `Basic ${Buffer.from(`BOOMI_TOKEN.${userName}:${secret}`).toString('base64')}`;

export async function verifies(gateway: string, secret: string, status: number): Promise<void> {
  let last: unknown;
  await until(
    async () => {
      try {
        last = (await verify(gateway, bearer(secret))).status;
      } catch (fault) {
        last = fault;
      }
      return last === status;
    },
    60_000,
    `the gateway answering ${status}`,
  ).catch((fault: unknown) => {
    throw new Error(`${String(fault)}; its last answer was ${String(last)}`);
  });
}
