import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { MethodDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { readQuestion } from './check-request.js';
import type { Question } from './check-request.js';
import type { CheckResponse } from './check-response.js';

export const AUTHORIZATION = 'envoy.service.auth.v3.Authorization';

export interface AuthorizationService {
  readonly Check: MethodDefinition<Question, CheckResponse>;
}

/**
 * Envoy's own definitions, as `@grpc/grpc-js-xds` ships them. Only these files of that package are used:
 * its code is never loaded.
 */
const PROTOS = join(
  dirname(createRequire(import.meta.url).resolve('@grpc/grpc-js-xds/package.json')),
  'deps',
);

const loadDefinitions = (): ReturnType<typeof loadSync> =>
  loadSync('envoy/service/auth/v3/external_auth.proto', {
    // The names of the definitions; what was not sent is not there.
    keepCase: true,
    includeDirs: ['envoy-api', 'xds', 'googleapis', 'protoc-gen-validate'].map((folder) =>
      join(PROTOS, folder),
    ),
  });

/** Reads the definitions from disk, some 60 ms; what is decoded is narrowed here, to a question. */
export function loadAuthorizationService(): AuthorizationService {
  const definition = loadDefinitions()[AUTHORIZATION];
  if (!definition || 'format' in definition || !definition.Check) {
    throw new Error(`the definitions have no ${AUTHORIZATION}`);
  }
  const check = definition.Check;
  const decode = check.requestDeserialize as (bytes: Buffer) => unknown;
  return {
    Check: {
      path: check.path,
      requestStream: false,
      responseStream: false,
      requestSerialize: check.requestSerialize,
      requestDeserialize: (bytes) => {
        let message: unknown;
        try {
          message = decode(bytes);
        } catch {
          // Thrown from here, it would be told as a fault of ours.
          return { kind: 'undecodable' };
        }
        return readQuestion(message);
      },
      responseSerialize: check.responseSerialize,
      responseDeserialize: check.responseDeserialize as (bytes: Buffer) => CheckResponse,
    },
  };
}
