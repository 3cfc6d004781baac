import { grpcPort } from '@token-status/auth-gateway';
import { LOG_LEVELS, nonEmpty, oneOf, port } from '@token-status/platform';

/** Everything in one process needs no setting at all; these are for those who want another port or place. */
export const standaloneSettings = {
  DATA_DIR: nonEmpty({ description: 'Folder of the SQLite files and keys', default: './data' }),
  HOST: nonEmpty({ description: 'Address to listen on', default: '127.0.0.1' }),
  API_PORT: port({ description: 'Port of the API', default: 3000 }),
  GATEWAY_PORT: port({ description: 'Port of the auth gateway', default: 3001 }),
  GATEWAY_GRPC_PORT: grpcPort('Port of the auth gateway for gRPC; `off` for none'),
  ISSUER_PORT: port({ description: 'Port of the demo identity provider', default: 3002 }),
  LEAK_REPORT_KEYS_FILE: nonEmpty({
    description:
      'The public keys that reports of leaked secrets are signed with; without it none is taken',
    optional: true,
  }),
  LOG_LEVEL: oneOf(LOG_LEVELS, {
    description: 'The least severe that is logged (to standard error)',
    default: 'warn',
  }),
};
