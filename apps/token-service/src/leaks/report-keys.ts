import { createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { boundedText } from '@token-status/platform';

/** Whose reports of leaked secrets are believed. */
export interface ReportKeys {
  /**
   * @returns null for an identifier that no trusted key has
   * @throws where the keys can't be had now: nothing can be said about any report
   */
  keyFor(identifier: string): Promise<KeyObject | null>;
}

type Keys = ReadonlyMap<string, KeyObject>;

/** Nobody's. */
export const NO_REPORT_KEYS: ReportKeys = { keyFor: () => Promise.resolve(null) };

/** The first that knows the key. */
export const anyReportKeys = (sources: readonly ReportKeys[]): ReportKeys => ({
  keyFor: async (identifier) => {
    for (const source of sources) {
      const key = await source.keyFor(identifier);
      if (key) return key;
    }
    return null;
  },
});

/** Keys in a file, in the form of {@link parseReportKeys}; a change of it holds from the next report on. */
export function reportKeysInFile(file: string): ReportKeys {
  let read: { readonly mark: string; readonly keys: Keys } | null = null;
  return {
    keyFor: async (identifier) => {
      const { mtimeMs, size, ino } = await stat(file);
      const mark = `${mtimeMs} ${size} ${ino}`;
      if (read?.mark !== mark) {
        read = null;
        read = { mark, keys: parseReportKeys(await readFile(file, 'utf8')) };
      }
      return read.keys.get(identifier) ?? null;
    },
  };
}

export interface KeysAtUrlOptions {
  readonly url: string;
  readonly timeoutMs?: number;
  /** Older than this they are fetched again, behind the reports' backs. */
  readonly refreshAfterMs?: number;
  /** Older than this they are not used: one of them may be withdrawn. */
  readonly usableForMs?: number;
  /** An identifier that isn't known, or a failure, causes a fetch at most this often. */
  readonly coolDownMs?: number;
  readonly monotonic?: () => number;
}

const BOUND = { mostBytes: 1 << 20, tooLarge: 'the document of keys is too large' };

/** Keys as a scanner publishes them, fetched seldom and kept; an outage of it shorter than that isn't noticed. */
export function reportKeysAtUrl({
  url,
  timeoutMs = 3000,
  refreshAfterMs = 60 * 60_000,
  usableForMs = 24 * 60 * 60_000,
  coolDownMs = 30_000,
  monotonic = () => performance.now(),
}: KeysAtUrlOptions): ReportKeys {
  let keys: Keys | null = null;
  let fetchedAt = -Infinity;
  let triedAt = -Infinity;
  let fetching: Promise<Keys> | null = null;

  const fetchKeys = async (): Promise<Keys> => {
    const response = await fetch(url, {
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
      headers: { accept: 'application/json', 'user-agent': 'token-status' },
    });
    if (response.status !== 200) throw new Error(`the keys' server answered ${response.status}`);
    const fetched = parseReportKeys(await boundedText(response, BOUND));
    fetchedAt = monotonic();
    keys = fetched;
    return fetched;
  };
  const fetchOnce = (): Promise<Keys> => {
    if (fetching) return fetching;
    if (monotonic() - triedAt < coolDownMs) {
      return Promise.reject(new Error("the keys' server was asked a moment ago"));
    }
    triedAt = monotonic();
    fetching = fetchKeys().finally(() => {
      fetching = null;
    });
    return fetching;
  };

  return {
    keyFor: async (identifier) => {
      const usable = keys && monotonic() - fetchedAt < usableForMs ? keys : await fetchOnce();
      if (monotonic() - fetchedAt >= refreshAfterMs) fetchOnce().catch(() => undefined);
      const known = usable.get(identifier);
      if (known) return known;
      // It may be newer than ours; whoever makes identifiers up causes no fetch more often than that.
      if (monotonic() - triedAt < coolDownMs) return null;
      return (await fetchOnce()).get(identifier) ?? null;
    },
  };
}

/**
 * Reads `{"public_keys": [{"key_identifier": …, "key": "-----BEGIN PUBLIC KEY-----…", …}]}`, the form of
 * GitHub's `/meta/public_keys/secret_scanning`. All that are listed count, not only the current one: a
 * report may be under way while they are changed. Keys of other kinds than ECDSA P-256 are left out.
 *
 * @throws Error where there is no usable key; it holds nothing of the document
 */
export function parseReportKeys(text: string): Keys {
  const document = parsed(text);
  const listed = isObject(document) ? document.public_keys : null;
  if (!Array.isArray(listed)) throw new Error('the document of keys has no list public_keys');
  const keys = new Map<string, KeyObject>();
  for (const entry of listed as unknown[]) {
    if (!isObject(entry)) continue;
    const { key_identifier: identifier, key: pem } = entry;
    if (typeof identifier !== 'string' || typeof pem !== 'string') continue;
    const key = publicKey(pem);
    if (key) keys.set(identifier, key);
  }
  if (keys.size === 0) throw new Error('the document of keys holds no ECDSA P-256 key');
  return keys;
}

function publicKey(pem: string): KeyObject | null {
  // A private key would do as well, and has no business here.
  if (!pem.trimStart().startsWith('-----BEGIN PUBLIC KEY-----')) return null;
  try {
    const key = createPublicKey(pem);
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : null;
  } catch {
    return null;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('the document of keys is not JSON');
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
