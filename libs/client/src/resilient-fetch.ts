import { setTimeout as delay } from 'node:timers/promises';

/** Gives an access token; `renew` asks for another one than it gave before, which was refused. */
export type AccessTokens = (how: { readonly renew: boolean }) => Promise<string> | string;

/** No try got an answer: what was asked may have happened or not. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
}

export interface Resilience {
  readonly accessToken: AccessTokens;
  /** Of one try, in milliseconds, the answer's body included. */
  readonly timeoutMs: number;
  /** Tries in all. */
  readonly attempts: number;
  /** Between tries: the first pause is up to this, each next up to twice the one before. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  readonly fetch: typeof globalThis.fetch;
}

/** Whatever stands between, or the service, may do better a little later. */
const WORTH_ANOTHER_TRY = new Set([408, 429, 500, 502, 503, 504]);

/**
 * `fetch` that tries again. All tries carry the same headers, so a command's `Idempotency-Key` makes it
 * happen once, however many of its answers were lost. The caller's own signal ends it between and within
 * tries.
 *
 * @returns the last answer, whatever its status
 * @throws NoAnswerError when there was none; the signal's reason when that was aborted
 */
export function resilientFetch(how: Resilience): (request: Request) => Promise<Response> {
  return async (request) => {
    const body = request.body === null ? null : new Uint8Array(await request.arrayBuffer());
    let renewed = false;
    let renew = false;
    for (let attempt = 1; ; attempt++) {
      const last = attempt >= how.attempts;
      const outcome = await once(how, request, body, renew);
      if (outcome instanceof Response) {
        renew = outcome.status === 401 && !renewed;
        if (!renew && (last || !WORTH_ANOTHER_TRY.has(outcome.status))) return outcome;
        if (renew) {
          // It may have run out a moment ago. Once, and without a pause.
          renewed = true;
          if (last) return outcome;
          continue;
        }
        await pause(how, attempt, retryAfterMs(outcome), request.signal);
      } else {
        if (last) throw new NoAnswerError('the API gave no answer', { cause: outcome.fault });
        await pause(how, attempt, 0, request.signal);
      }
    }
  };
}

async function once(
  how: Resilience,
  request: Request,
  body: Uint8Array | null,
  renew: boolean,
): Promise<Response | { readonly fault: unknown }> {
  const headers = new Headers(request.headers);
  headers.set('authorization', `Bearer ${await how.accessToken({ renew })}`);
  try {
    const response = await how.fetch(request.url, {
      method: request.method,
      headers,
      ...(body === null ? {} : { body }),
      redirect: 'error',
      signal: AbortSignal.any([request.signal, AbortSignal.timeout(how.timeoutMs)]),
    });
    // Read whole here, so that an answer that breaks off counts as none and is asked for again.
    const { status, statusText } = response;
    const content = await response.arrayBuffer();
    return new Response(content.byteLength === 0 ? null : content, {
      status,
      statusText,
      headers: response.headers,
    });
  } catch (fault) {
    request.signal.throwIfAborted();
    return { fault };
  }
}

/**
 * Waits before the next try: as long as the server asks for, if at all that is not too long; and a random
 * part of an exponential pause more, so that callers who failed together don't come back together.
 */
async function pause(
  { firstPauseMs, longestPauseMs }: Resilience,
  attempt: number,
  atLeastMs: number,
  signal: AbortSignal,
): Promise<void> {
  const ceiling = Math.min(longestPauseMs, firstPauseMs * 2 ** (attempt - 1));
  const ms = Math.min(atLeastMs, longestPauseMs) + Math.random() * ceiling;
  await delay(ms, undefined, { signal }).catch((fault: unknown) => {
    signal.throwIfAborted();
    throw fault;
  });
}

/** `Retry-After` is seconds or a date (RFC 9110 section 10.2.3). */
function retryAfterMs({ headers }: Response): number {
  const text = headers.get('retry-after');
  if (text === null) return 0;
  if (/^\d{1,9}$/.test(text.trim())) return Number(text) * 1000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? 0 : Math.max(0, at - Date.now());
}
