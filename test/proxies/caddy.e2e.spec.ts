import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installed } from './programs.js';
import { proxyContract } from './proxy.contract.js';

proxyContract({
  name: 'caddy',
  files: ['Caddyfile'],
  fault: { hung: 504, dead: 502 },
  // Its copy_headers, before 2.10.
  placeholder: /^\{http\.reverse_proxy\.header\.X-Token-\w+\}$/,
  launch(folder) {
    const file = join(folder, 'Caddyfile.test');
    // Its port for administration is one for all, and it keeps what it ran last in the home folder.
    writeFileSync(file, '{\n\tadmin off\n}\nimport Caddyfile\n');
    return {
      command: '/usr/bin/env',
      args: [
        ...[`XDG_CONFIG_HOME=${folder}`, `XDG_DATA_HOME=${folder}`, installed('caddy')],
        ...['run', '--adapter', 'caddyfile', '--config', file],
      ],
    };
  },
});
