/** What a `CheckRequest` asks, as far as a gateway cares: nothing else of it is looked at or kept. */
export interface HttpQuestion {
  readonly kind: 'http';
  /** Undefined where there is none. */
  readonly authorization: readonly string[] | undefined;
  readonly minPosition: readonly string[];
  /** Headers that claim to be the gateway's, by the names that came. */
  readonly claims: readonly string[];
  /** From Envoy's configuration of the route, `context_extensions`; no caller can name one. */
  readonly route: string | null;
  /** From where Envoy's connection comes; undefined where it is no IP socket. */
  readonly address: string | undefined;
}

export type Question =
  | HttpQuestion
  /** A message that asks about no HTTP request: from Envoy's filter for plain connections, say. */
  | { readonly kind: 'no-http' }
  /** No `CheckRequest`. */
  | { readonly kind: 'undecodable' };

/** @param message a decoded `envoy.service.auth.v3.CheckRequest`, of whatever shape. */
export function readQuestion(message: unknown): Question {
  const attributes = at(message, 'attributes');
  const http = at(attributes, 'request', 'http');
  if (!isRecord(http)) return { kind: 'no-http' };
  const authorization: string[] = [];
  const minPosition: string[] = [];
  const claims = new Set<string>();
  for (const [sent, value] of headersOf(http)) {
    const name = sent.toLowerCase();
    if (name === 'authorization') authorization.push(value);
    else if (name === 'x-min-position') minPosition.push(value);
    // CGI, WSGI and others read `_` as `-`.
    else if (/^x[-_]token[-_]/.test(name)) claims.add(sent);
  }
  const route = at(attributes, 'context_extensions', 'route');
  const address = at(attributes, 'source', 'address', 'socket_address', 'address');
  return {
    kind: 'http',
    authorization: authorization.length > 0 ? authorization : undefined,
    minPosition,
    claims: [...claims],
    route: typeof route === 'string' && route !== '' ? route : null,
    address: typeof address === 'string' && address !== '' ? address : undefined,
  };
}

/**
 * `headers` is a map, in which Envoy has joined several values of a name by commas. With its
 * `encode_raw_headers` it is `header_map` instead: one entry for each value, in bytes.
 */
function* headersOf(http: Readonly<Record<string, unknown>>): Generator<readonly [string, string]> {
  if (isRecord(http.headers)) {
    for (const [name, value] of Object.entries(http.headers)) {
      if (typeof value === 'string') yield [name, value];
    }
  }
  const listed = at(http, 'header_map', 'headers');
  if (!Array.isArray(listed)) return;
  for (const entry of listed as unknown[]) {
    const name = at(entry, 'key');
    if (typeof name !== 'string') continue;
    const bytes = at(entry, 'raw_value');
    const text = at(entry, 'value');
    // As Node reads headers over HTTP: a byte is a character.
    if (Buffer.isBuffer(bytes) && bytes.length > 0) yield [name, bytes.toString('latin1')];
    else yield [name, typeof text === 'string' ? text : ''];
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

/** What lies at the path, own properties alone; undefined where nothing does. */
function at(value: unknown, ...path: readonly string[]): unknown {
  let reached = value;
  for (const name of path) {
    if (!isRecord(reached) || !Object.hasOwn(reached, name)) return undefined;
    reached = reached[name];
  }
  return reached;
}
