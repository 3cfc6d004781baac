import type {
  CheckInput,
  Decision,
  Finding,
  HttpAnswer,
  OnStale,
  TokenGuard,
} from '@token-status/token-guard';

/** What a proxy asks, on whatever surface. */
export interface Question {
  /** Every value of the request's `Authorization`. */
  readonly authorization: CheckInput['authorization'];
  /** Every value of `X-Min-Position`. */
  readonly minPosition: string | readonly string[] | undefined;
  /** By its name; null for a request that names none. */
  readonly route: string | null;
  /** Of who asked the proxy; asked for failures only. */
  readonly address: CheckInput['address'];
}

/** How a question ended, for counting. */
export type CheckResult = Finding | 'malformed-position' | 'limited';

export interface CheckObserver {
  checked(result: CheckResult, seconds: number): void;
  /** Somebody passed by a view that is too old, since the route allows it. */
  allowedStale(route: string): void;
}

export interface CheckPorts {
  readonly guard: Pick<TokenGuard, 'check'>;
  readonly observer: CheckObserver;
  readonly onStale: (route: string | null) => OnStale;
}

/** Asks the guard, and counts. @returns null for what can't be understood: see {@link MALFORMED}. */
export function check(
  { authorization, minPosition, route, address }: Question,
  { guard, observer, onStale }: CheckPorts,
): Decision | null {
  const start = performance.now();
  const position = readMinPosition(minPosition);
  const decision =
    position === null
      ? null
      : guard.check({
          authorization,
          minPosition: position,
          onStale: onStale(route),
          address,
        });
  const result = resultOf(decision);
  if (result === 'active-stale') observer.allowedStale(route ?? '');
  observer.checked(result, (performance.now() - start) / 1000);
  return decision;
}

function resultOf(decision: Decision | null): CheckResult {
  if (decision === null) return 'malformed-position';
  return decision.outcome === 'limited' ? 'limited' : decision.finding;
}

/** What `X-Min-Position` asks for: a position of the log; 0 where it is left out; null where it is malformed. */
export function readMinPosition(values: string | readonly string[] | undefined): number | null {
  if (typeof values === 'object' && values.length > 1) return null;
  const value = typeof values === 'object' ? values[0] : values;
  if (value === undefined) return 0;
  if (!/^\d{1,16}$/.test(value)) return null;
  const position = Number(value);
  return Number.isSafeInteger(position) ? position : null;
}

/** To a question that can't be understood; nothing is looked up for it. */
export const MALFORMED: HttpAnswer = { status: 400, headers: { 'cache-control': 'no-store' } };
