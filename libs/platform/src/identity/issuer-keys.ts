import { createLocalJWKSet, createRemoteJWKSet, customFetch, errors } from 'jose';
import type {
  CryptoKey,
  FlattenedJWSInput,
  JSONWebKeySet,
  JWSHeaderParameters,
  RemoteJWKSet,
} from 'jose';
import { boundedText } from '../bounded-text.js';

/** No keys can be had: nothing can be said about any token. */
export class IssuerUnavailable extends Error {
  override readonly name = 'IssuerUnavailable';
}

export interface IssuerKeysOptions {
  readonly issuer: string;
  /** Found by OpenID discovery where it is left out. */
  readonly jwksUri?: string;
  /** One request to the issuer may take this long. */
  readonly timeoutMs: number;
  /** Keys older than this are fetched again, behind the callers' backs. */
  readonly refreshAfterMs: number;
  /** Keys older than this are used no more, should the issuer be away so long: one of them may be revoked. */
  readonly usableForMs: number;
  /** An unknown key id causes a fetch at most this often. */
  readonly coolDownMs: number;
  /** After a failed fetch none is tried for this long: callers must not queue behind time-outs. */
  readonly retryAfterMs: number;
}

const BOUND = { mostBytes: 1 << 20, tooLarge: 'the issuer answered with too much' };

/**
 * An issuer's public keys. Once there, they are answered from memory, and an outage of the issuer
 * shorter than `usableForMs` isn't noticed by callers whose key is known.
 */
export class IssuerKeys {
  private remote: RemoteJWKSet | null = null;
  private discovery: Promise<RemoteJWKSet> | null = null;
  private fetchedAt = -Infinity;
  private failedAt = -Infinity;

  constructor(private readonly options: IssuerKeysOptions) {}

  /**
   * The key that a token's header asks for.
   *
   * @throws errors.JWKSNoMatchingKey and its like if the issuer has no such key; IssuerUnavailable
   */
  async keyFor(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    const remote = await this.remoteSet();
    await this.keepFresh(remote);
    try {
      return await remote(header, token);
    } catch (error) {
      if (isAboutTheToken(error)) throw error;
      throw new IssuerUnavailable('the keys could not be fetched', { cause: error });
    }
  }

  /** Fetches the keys unless they are there already: for start-up, so that no first caller waits. */
  async load(): Promise<void> {
    const remote = await this.remoteSet();
    if (this.fetchedAt === -Infinity) await this.reload(remote);
  }

  get loaded(): boolean {
    return this.age() < this.options.usableForMs;
  }

  private age(): number {
    return performance.now() - this.fetchedAt;
  }

  private async keepFresh(remote: RemoteJWKSet): Promise<void> {
    if (this.fetchedAt === -Infinity || this.age() < this.options.refreshAfterMs) return;
    const reloaded = this.reload(remote);
    if (this.loaded) reloaded.catch(() => undefined);
    else await reloaded;
  }

  private async reload(remote: RemoteJWKSet): Promise<void> {
    try {
      await remote.reload();
    } catch (error) {
      throw new IssuerUnavailable('the keys could not be fetched', { cause: error });
    }
  }

  private async remoteSet(): Promise<RemoteJWKSet> {
    if (this.remote !== null) return this.remote;
    this.discovery ??= this.connect().finally(() => {
      this.discovery = null;
    });
    return this.discovery;
  }

  private async connect(): Promise<RemoteJWKSet> {
    const { jwksUri, timeoutMs, coolDownMs } = this.options;
    const uri = new URL(jwksUri ?? (await this.discover()));
    this.remote = createRemoteJWKSet(uri, {
      timeoutDuration: timeoutMs,
      cooldownDuration: coolDownMs,
      // Age is our matter (`keepFresh`): jose makes every caller wait for the fetch that is due.
      cacheMaxAge: Infinity,
      [customFetch]: (url, init) => this.fetchKeys(url, init),
    });
    return this.remote;
  }

  /** OpenID Connect Discovery 1.0 section 4. */
  private async discover(): Promise<string> {
    const { issuer, timeoutMs } = this.options;
    const address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const init: RequestInit = {
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
      headers: { accept: 'application/json' },
    };
    try {
      return await this.fetch(address, init, (text) => {
        const document = JSON.parse(text) as Record<string, unknown> | null;
        // Section 4.3: else another issuer could stand in for this one.
        if (document?.issuer !== issuer) throw new Error('the document is of another issuer');
        if (typeof document.jwks_uri !== 'string') throw new Error('the document has no jwks_uri');
        return document.jwks_uri;
      });
    } catch (error) {
      throw new IssuerUnavailable('discovery failed', { cause: error });
    }
  }

  private async fetchKeys(address: string, init: RequestInit): Promise<Response> {
    const keys = await this.fetch(address, init, (text) => {
      // Throws on what is no key set, which must not count as fetched.
      createLocalJWKSet(JSON.parse(text) as JSONWebKeySet);
      return text;
    });
    this.fetchedAt = performance.now();
    return new Response(keys);
  }

  private async fetch<T>(
    address: string,
    init: RequestInit,
    read: (text: string) => T,
  ): Promise<T> {
    if (performance.now() - this.failedAt < this.options.retryAfterMs) {
      throw new Error('the issuer was out of reach a moment ago');
    }
    try {
      const response = await fetch(address, init);
      if (response.status !== 200) throw new Error(`the issuer answered ${response.status}`);
      return read(await boundedText(response, BOUND));
    } catch (error) {
      this.failedAt = performance.now();
      throw error;
    }
  }
}

const isAboutTheToken = (error: unknown): boolean =>
  error instanceof errors.JWKSNoMatchingKey ||
  error instanceof errors.JWKSMultipleMatchingKeys ||
  error instanceof errors.JOSENotSupported;
