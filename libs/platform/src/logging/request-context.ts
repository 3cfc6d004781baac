import { AsyncLocalStorage } from 'node:async_hooks';

/** What belongs to the request that is being answered, readable anywhere below its handler. */
export interface RequestContext {
  /** The caller's `x-request-id`, or ours. Safe to print. */
  readonly requestId: string;
  /** W3C Trace Context, as the caller sent it; only if well formed. */
  readonly traceparent: string | undefined;
  /** Joins every log line of this request, its final one too. */
  readonly log: Record<string, unknown>;
}

const contexts = new AsyncLocalStorage<RequestContext>();

/** The request being answered; undefined outside of one. */
export const currentRequest = (): RequestContext | undefined => contexts.getStore();

/** Adds to all further log lines of the current request: `annotateRequest({ commandId, eventIds })`. */
export function annotateRequest(fields: Readonly<Record<string, unknown>>): void {
  const context = contexts.getStore();
  if (context !== undefined) Object.assign(context.log, fields);
}

/** Runs `work`, and everything that it starts, as part of a request. */
export const runInRequest = <T>(context: RequestContext, work: () => T): T =>
  contexts.run(context, work);
