import { randomUUID } from 'node:crypto';
import createFetchClient from 'openapi-fetch';
import type { components, operations, paths } from './generated/api.js';
import { problemOf } from './problem-error.js';
import { resilientFetch } from './resilient-fetch.js';
import type { AccessTokens } from './resilient-fetch.js';

type Schemas = components['schemas'];
export type Token = Schemas['Token'];
export type AddedToken = Schemas['AddedToken'];
export type TokenEvent = Schemas['TokenEvent'];
export type BulkAnswer = Schemas['BulkAnswer'];
export type DisableAllAnswer = Schemas['DisableAllAnswer'];
/** What is looked for; the cursor is the iteration's own. */
export type TokenSearch = Omit<
  NonNullable<operations['searchTokens']['parameters']['query']>,
  'cursor' | 'minPosition'
>;

export interface ClientOptions {
  /** Where the API is: `https://tokens.internal`. */
  readonly baseUrl: string;
  /** `clientCredentials(…)`, or a function of yours. */
  readonly accessToken: AccessTokens;
  /** Of one try, in milliseconds. Default 10,000. */
  readonly timeoutMs?: number;
  /** Tries of one request. Default 5. */
  readonly attempts?: number;
  /** The first pause between tries is at most this, the next twice that, and so on. Default 100. */
  readonly firstPauseMs?: number;
  /** No pause is longer, not even where the server asks for it. Default 10,000. */
  readonly longestPauseMs?: number;
  /** Default: Node's. */
  readonly fetch?: typeof globalThis.fetch;
}

export interface ReadOptions {
  /** Answers not older than this position of the log, such as a command's answer has. */
  readonly minPosition?: number;
  readonly signal?: AbortSignal;
}

export interface CommandOptions {
  /** Makes the command happen once. Default: a new one for each call, which all its tries share. */
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
}

export interface ChangeOptions extends CommandOptions {
  /** The version that the token must have; else `ProblemError` with `version-mismatch`. */
  readonly ifVersion?: number;
}

/**
 * The API's requests, typed as its document has them. Each throws `ProblemError` for an answer that is no
 * success, `NoAnswerError` when no try got one, and the signal's reason when that was aborted.
 */
export interface TokenStatusClient {
  /**
   * The answer has the secret, this once. Had its first answer been lost, a later try has
   * `secretShown: true` in its place: revoke that token and add another.
   */
  addToken(
    userId: string,
    body: Schemas['AddTokenBody'],
    options?: CommandOptions,
  ): Promise<AddedToken>;
  listTokens(userId: string, options?: ReadOptions): Promise<readonly Token[]>;
  getToken(tokenId: string, options?: ReadOptions): Promise<Token>;
  /** All that match, newest first, fetched page by page as they are read. */
  searchTokens(search?: TokenSearch, options?: ReadOptions): AsyncGenerator<Token, void>;
  /** A token's history, oldest first, fetched page by page as it is read. */
  tokenEvents(tokenId: string, options?: ReadOptions): AsyncGenerator<TokenEvent, void>;
  renameToken(tokenId: string, name: string, options?: ChangeOptions): Promise<Token>;
  disableToken(
    tokenId: string,
    body?: Schemas['DisableTokenBody'],
    options?: ChangeOptions,
  ): Promise<Token>;
  enableToken(
    tokenId: string,
    body?: Schemas['EnableTokenBody'],
    options?: ChangeOptions,
  ): Promise<Token>;
  revokeToken(tokenId: string, options?: ChangeOptions): Promise<Token>;
  bulkTokens(body: Schemas['BulkTokensBody'], options?: CommandOptions): Promise<BulkAnswer>;
  disableAllTokens(
    userId: string,
    body?: Schemas['DisableTokenBody'],
    options?: CommandOptions,
  ): Promise<DisableAllAnswer>;
}

export function createClient(options: ClientOptions): TokenStatusClient {
  const api = createFetchClient<paths, 'application/json'>({
    baseUrl: options.baseUrl.replace(/\/+$/, ''),
    fetch: resilientFetch({
      accessToken: options.accessToken,
      timeoutMs: options.timeoutMs ?? 10_000,
      attempts: options.attempts ?? 5,
      firstPauseMs: options.firstPauseMs ?? 100,
      longestPauseMs: options.longestPauseMs ?? 10_000,
      fetch: options.fetch ?? globalThis.fetch,
    }),
  });
  // A problem is thrown, so what is left has data.
  api.use({
    onResponse: async ({ response }) => {
      if (!response.ok) throw await problemOf(response);
    },
  });

  return {
    addToken: (userId, body, how = {}) =>
      data(
        api.POST('/v1/users/{userId}/tokens', {
          params: { path: { userId }, header: commandHeaders(how) },
          body,
          ...ended(how),
        }),
      ),
    listTokens: async (userId, how = {}) => {
      const list = await data(
        api.GET('/v1/users/{userId}/tokens', {
          params: { path: { userId }, query: newerThan(how) },
          ...ended(how),
        }),
      );
      return list.tokens;
    },
    getToken: (tokenId, how = {}) =>
      data(
        api.GET('/v1/tokens/{tokenId}', {
          params: { path: { tokenId }, query: newerThan(how) },
          ...ended(how),
        }),
      ),
    async *searchTokens(search = {}, how = {}) {
      let cursor: string | null = null;
      do {
        const query = { ...search, ...newerThan(how), ...(cursor === null ? {} : { cursor }) };
        const page: Schemas['TokenPage'] = await data(
          api.GET('/v1/tokens', { params: { query }, ...ended(how) }),
        );
        yield* page.tokens;
        cursor = page.next;
      } while (cursor !== null);
    },
    async *tokenEvents(tokenId, how = {}) {
      let after: number | null = 0;
      do {
        const query = { after, ...newerThan(how) };
        const page: Schemas['EventPage'] = await data(
          api.GET('/v1/tokens/{tokenId}/events', {
            params: { path: { tokenId }, query },
            headers: { accept: 'application/json' },
            ...ended(how),
          }),
        );
        yield* page.events;
        after = page.next;
      } while (after !== null);
    },
    renameToken: (tokenId, name, how = {}) =>
      data(
        api.PATCH('/v1/tokens/{tokenId}', {
          params: { path: { tokenId }, header: changeHeaders(how) },
          body: { name },
          ...ended(how),
        }),
      ),
    disableToken: (tokenId, body = {}, how = {}) =>
      data(
        api.POST('/v1/tokens/{tokenId}/disable', {
          params: { path: { tokenId }, header: changeHeaders(how) },
          body,
          ...ended(how),
        }),
      ),
    enableToken: (tokenId, body = {}, how = {}) =>
      data(
        api.POST('/v1/tokens/{tokenId}/enable', {
          params: { path: { tokenId }, header: changeHeaders(how) },
          body,
          ...ended(how),
        }),
      ),
    revokeToken: (tokenId, how = {}) =>
      data(
        api.DELETE('/v1/tokens/{tokenId}', {
          params: { path: { tokenId }, header: changeHeaders(how) },
          ...ended(how),
        }),
      ),
    bulkTokens: (body, how = {}) =>
      data(
        api.POST('/v1/tokens/bulk', {
          params: { header: commandHeaders(how) },
          body,
          headers: { accept: 'application/json' },
          ...ended(how),
        }),
      ),
    disableAllTokens: (userId, body = {}, how = {}) =>
      data(
        api.POST('/v1/users/{userId}/disable-all', {
          params: { path: { userId }, header: commandHeaders(how) },
          body,
          ...ended(how),
        }),
      ),
  };
}

/** A success has a body; one without it came from something that is not the API. */
async function data<T>(answer: Promise<{ readonly data?: T }>): Promise<NonNullable<T>> {
  const { data: found } = await answer;
  if (found === undefined || found === null) throw new Error('the API answered without a body');
  return found;
}

const commandHeaders = ({ idempotencyKey = randomUUID() }: CommandOptions) => ({
  'Idempotency-Key': idempotencyKey,
});

const changeHeaders = (how: ChangeOptions) => ({
  ...commandHeaders(how),
  ...(how.ifVersion === undefined ? {} : { 'If-Match': `"${how.ifVersion}"` }),
});

const newerThan = ({ minPosition }: ReadOptions) =>
  minPosition === undefined ? {} : { minPosition };

const ended = ({ signal }: { readonly signal?: AbortSignal }) =>
  signal === undefined ? {} : { signal };
