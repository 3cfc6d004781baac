import type { components } from './generated/api.js';

type ProblemJson = components['schemas']['Problem'];

/** A later server may know more: decide by those that you know, and by `status` else. */
export type ProblemCode = ProblemJson['code'] | (string & {});

export interface ProblemDetail {
  /** Where in the body (RFC 6901), or which parameter. */
  readonly pointer?: string;
  readonly parameter?: string;
  readonly detail: string;
}

/** What the API answered when it did not do what was asked (RFC 9457). */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly code: ProblemCode;
  readonly status: number;
  readonly detail: string | undefined;
  readonly errors: readonly ProblemDetail[];
  /** Names the request, as the server's logs do. */
  readonly instance: string | undefined;
  /** All that was answered, members of single problems included. */
  readonly body: Readonly<Record<string, unknown>>;

  constructor(status: number, body: Readonly<Record<string, unknown>>) {
    const text = (name: string): string | undefined => {
      const value = body[name];
      return typeof value === 'string' ? value : undefined;
    };
    super(text('detail') ?? text('title') ?? `the API answered ${status}`);
    this.code = text('code') ?? 'unknown';
    this.status = status;
    this.detail = text('detail');
    this.errors = Array.isArray(body.errors) ? (body.errors as readonly ProblemDetail[]) : [];
    this.instance = text('instance');
    this.body = body;
  }
}

/** Of any answer that is no success; what stands in between may answer in other forms. */
export async function problemOf(response: Response): Promise<ProblemError> {
  const body: unknown = await response.json().catch(() => null);
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body);
  return new ProblemError(response.status, isObject ? (body as Record<string, unknown>) : {});
}
