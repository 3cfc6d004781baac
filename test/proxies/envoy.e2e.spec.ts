import { join } from 'node:path';
import { fetchEnvoy } from './programs.js';
import { proxyContract } from './proxy.contract.js';

proxyContract({
  name: 'envoy',
  files: ['envoy.yaml'],
  addsToForwardedFor: true,
  launch: async (folder) => ({
    command: await fetchEnvoy(),
    // Hot restart shares memory between all Envoys of a machine.
    args: [
      ...['--disable-hot-restart', '--concurrency', '2', '--log-level', 'warning'],
      ...['-c', join(folder, 'envoy.yaml')],
    ],
  }),
});
