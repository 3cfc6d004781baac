import { join } from 'node:path';
import { installed } from './programs.js';
import { proxyContract } from './proxy.contract.js';

proxyContract({
  name: 'haproxy',
  files: ['haproxy.cfg', 'token-gateway.lua'],
  unique: ['abns@token-gateway'],
  launch: (folder) => ({
    command: installed('haproxy'),
    args: ['-db', '-f', join(folder, 'haproxy.cfg')],
  }),
});
