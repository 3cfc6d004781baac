/* eslint-disable no-console -- the library warns on the console, and offers no other way. */
import type * as OidcProvider from 'oidc-provider';

/**
 * What the library prints about our use of it, each known and meant: it supports Node 22 and later
 * but its own tests' features work on 20, which we run too; and a demo keeps its sessions in memory.
 */
const KNOWN = /Unsupported runtime|in-memory adapter is used/;

/** Runs `work` without the library's warnings that we know; it writes them to the console at once. */
async function withoutKnownWarnings<T>(work: () => T | Promise<T>): Promise<T> {
  const { warn } = console;
  console.warn = (...words: unknown[]) => {
    if (!(typeof words[0] === 'string' && KNOWN.test(words[0]))) warn(...words);
  };
  try {
    return await work();
  } finally {
    console.warn = warn;
  }
}

export const loadOidcProvider = (): Promise<typeof OidcProvider> =>
  withoutKnownWarnings(() => import('oidc-provider'));

export const newProvider = (
  library: typeof OidcProvider,
  issuer: string,
  configuration: OidcProvider.Configuration,
): Promise<OidcProvider.Provider> =>
  withoutKnownWarnings(() => new library.Provider(issuer, configuration));
