import type { Outcome } from './decision.js';

/** Those of gRPC's status codes (`google.rpc.Code`) that are answers of a gateway. */
const OK = 0;
const RESOURCE_EXHAUSTED = 8;
const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;

/** The one table from outcome to gRPC, beside that to HTTP: an answer over gRPC says both. */
const CODES: Readonly<Record<Outcome, number>> = {
  pass: OK,
  challenge: UNAUTHENTICATED,
  stranger: UNAUTHENTICATED,
  disabled: UNAUTHENTICATED,
  unavailable: UNAVAILABLE,
  limited: RESOURCE_EXHAUSTED,
};

/** A decision's gRPC status code; its words and times are in `httpAnswer`'s headers. */
export const grpcCode = ({ outcome }: { readonly outcome: Outcome }): number => CODES[outcome];
