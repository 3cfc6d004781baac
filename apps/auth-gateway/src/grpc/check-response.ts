import { grpcCode, httpAnswer } from '@token-status/token-guard';
import type { Decision, HttpAnswer } from '@token-status/token-guard';
import { MALFORMED } from '../check.js';

/** That part of `envoy.service.auth.v3.CheckResponse` which gateways use. */
export type CheckResponse =
  | {
      /** Of `google.rpc.Status`; its message stays empty: nobody is told more than over HTTP. */
      readonly status: { readonly code: number };
      readonly ok_response: {
        /** Set on the request that goes on to the API. */
        readonly headers: readonly HeaderOption[];
        readonly headers_to_remove: readonly string[];
      };
    }
  | {
      readonly status: { readonly code: number };
      readonly denied_response: {
        readonly status: { readonly code: number };
        readonly headers: readonly HeaderOption[];
      };
    };

export interface HeaderOption {
  readonly header: { readonly key: string; readonly value: string };
  readonly append_action: typeof OVERWRITE_IF_EXISTS_OR_ADD;
}

/**
 * Of `HeaderValueOption.HeaderAppendAction`. `append`, which older Envoys know instead, is left out: in these
 * messages it is false by default, and that says the same.
 */
const OVERWRITE_IF_EXISTS_OR_ADD = 2;
/** Of `google.rpc.Code`. */
const INVALID_ARGUMENT = 3;

/** What the API is told, of the headers of a pass; the others are for who asked. */
const SAYS_WHO = 'x-token-';

/**
 * A decision as Envoy's answer, with the very headers of the one over HTTP. A refusal is an answer, too,
 * and no error of the call: what an Envoy does on errors (`failure_mode_allow`) is not for those.
 *
 * @param claims names of headers that the caller sent and that only the gateway may; those that
 *   it doesn't set are removed, as is the credential, which so stays at the proxy.
 */
export function checkResponse(decision: Decision, claims: readonly string[]): CheckResponse {
  const answer = httpAnswer(decision);
  if (decision.outcome !== 'pass') return denied(grpcCode(decision), answer);
  const headers = headerOptions(answer).filter(({ header }) => header.key.startsWith(SAYS_WHO));
  const set = new Set(headers.map(({ header }) => header.key));
  return {
    status: { code: grpcCode(decision) },
    ok_response: {
      headers,
      // Envoy removes after it has set.
      headers_to_remove: [
        'authorization',
        ...claims.filter((name) => !set.has(name.toLowerCase())),
      ],
    },
  };
}

const denied = (code: number, answer: HttpAnswer): CheckResponse => ({
  status: { code },
  denied_response: { status: { code: answer.status }, headers: headerOptions(answer) },
});

const headerOptions = ({ headers }: HttpAnswer): HeaderOption[] =>
  Object.entries(headers).map(([key, value]) => ({
    header: { key, value },
    append_action: OVERWRITE_IF_EXISTS_OR_ADD,
  }));

/** To a question that can't be understood. */
export const MALFORMED_RESPONSE = denied(INVALID_ARGUMENT, MALFORMED);
