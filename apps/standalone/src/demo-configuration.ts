import { createHash } from 'node:crypto';

/** For trying things out: what a gateway's configuration says of the demo client that may introspect. */
export const DEMO_CONFIGURATION = {
  introspection: {
    clients: [
      {
        id: 'demo-gateway-client',
        secretSha256: createHash('sha256').update('demo-gateway-secret').digest('hex'),
      },
    ],
  },
};
