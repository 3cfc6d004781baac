/** A kind of problem: its HTTP status and what a person reads (RFC 9457). The code is its name. */
export interface ProblemType {
  readonly status: number;
  readonly title: string;
}

export type ProblemTable = Readonly<Record<string, ProblemType>>;

/** One thing that is wrong with a request: where (RFC 6901, in the body) or which query parameter. */
export interface ProblemDetail {
  readonly pointer?: string;
  readonly parameter?: string;
  readonly detail: string;
}

export interface ProblemOptions {
  /** About this occurrence; for the caller, so nothing that they must not know. */
  readonly detail?: string;
  readonly errors?: readonly ProblemDetail[];
  readonly headers?: Readonly<Record<string, string>>;
  /** What else stands in the answer, beside the members that RFC 9457 names. */
  readonly members?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** An answer in `application/problem+json`: throw it anywhere below a controller. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  readonly title: string;
  readonly detail: string | undefined;
  readonly errors: readonly ProblemDetail[];
  readonly headers: Readonly<Record<string, string>>;
  readonly members: Readonly<Record<string, unknown>>;

  constructor(
    readonly code: string,
    type: ProblemType,
    options: ProblemOptions = {},
  ) {
    super(options.detail ?? type.title, { cause: options.cause });
    this.status = type.status;
    this.title = type.title;
    this.detail = options.detail;
    this.errors = options.errors ?? [];
    this.headers = options.headers ?? {};
    this.members = options.members ?? {};
  }
}

/** `const problem = problemsFrom(PROBLEMS); throw problem('token-revoked', { detail })`: codes are checked. */
export const problemsFrom =
  <T extends ProblemTable>(table: T) =>
  (code: keyof T & string, options?: ProblemOptions): Problem => {
    const type: ProblemType | undefined = table[code];
    if (type === undefined) throw new Error(`There is no problem called ${code}`);
    return new Problem(code, type, options);
  };

/** What a server answers by itself, whatever the app is. An app's table may give other titles. */
export const PLATFORM_PROBLEMS = {
  'invalid-request': { status: 400, title: 'The request is malformed' },
  unauthenticated: { status: 401, title: 'A valid access token is needed' },
  forbidden: { status: 403, title: 'This is not permitted' },
  'not-found': { status: 404, title: 'There is nothing at this address' },
  'method-not-allowed': { status: 405, title: 'This method is not offered here' },
  'request-timeout': { status: 408, title: 'The request took too long to arrive' },
  'too-large': { status: 413, title: 'The request is too large' },
  'uri-too-long': { status: 414, title: 'The address is too long' },
  'unsupported-media-type': { status: 415, title: 'The body must be application/json' },
  'too-many-requests': { status: 429, title: 'Too many requests' },
  'headers-too-large': { status: 431, title: 'The header fields are too large' },
  internal: { status: 500, title: 'Something went wrong on our side' },
  unavailable: {
    status: 503,
    title: 'A part that is needed is out of reach; nothing was recorded',
  },
  'issuer-unavailable': { status: 503, title: 'The issuer of access tokens is out of reach' },
} as const satisfies ProblemTable;

export const platformProblem = problemsFrom(PLATFORM_PROBLEMS);
