import { status } from '@grpc/grpc-js';
import type { handleUnaryCall } from '@grpc/grpc-js';
import type { Logger } from '@token-status/platform';
import { check } from '../check.js';
import type { CheckPorts } from '../check.js';
import { checkResponse, MALFORMED_RESPONSE } from './check-response.js';
import type { CheckResponse } from './check-response.js';
import type { Question } from './check-request.js';

export interface AuthorizationOptions extends CheckPorts {
  readonly logger: Logger;
}

/**
 * `Check`: whether a credential passes, as `/verify` answers. The call itself fails on what is no
 * question at all, and on a fault of ours, which closes: Envoy then says what its `status_on_error` says.
 */
export const handleCheck =
  (options: AuthorizationOptions): handleUnaryCall<Question, CheckResponse> =>
  ({ request, cancelled }, callback) => {
    // Past its deadline, or who asked has gone.
    if (cancelled) return;
    if (request.kind === 'undecodable') {
      callback({ code: status.INVALID_ARGUMENT, details: 'not a CheckRequest' });
      return;
    }
    let response: CheckResponse;
    try {
      response = answer(request, options);
    } catch (fault) {
      options.logger.error({ err: fault }, 'a check over gRPC failed: closed');
      callback({ code: status.INTERNAL, details: 'the gateway failed' });
      return;
    }
    callback(null, response);
  };

function answer(
  question: Exclude<Question, { kind: 'undecodable' }>,
  options: AuthorizationOptions,
): CheckResponse {
  if (question.kind === 'no-http') return MALFORMED_RESPONSE;
  const decision = check(question, options);
  return decision ? checkResponse(decision, question.claims) : MALFORMED_RESPONSE;
}
