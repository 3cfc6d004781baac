import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installed } from './programs.js';
import { proxyContract } from './proxy.contract.js';

/** Around the example, as Debian's nginx.conf is around conf.d: one process, and nothing outside its folder. */
const nginxConf = (folder: string): string => `
  daemon off;
  master_process off;
  pid ${folder}/nginx.pid;
  error_log stderr warn;
  events {}
  http {
    access_log off;
    client_body_temp_path ${folder}/temp/client;
    proxy_temp_path ${folder}/temp/proxy;
    fastcgi_temp_path ${folder}/temp/fastcgi;
    uwsgi_temp_path ${folder}/temp/uwsgi;
    scgi_temp_path ${folder}/temp/scgi;
    include token-gateway.conf;
  }
`;

proxyContract({
  name: 'nginx',
  files: ['token-gateway.conf'],
  // It can only name what it removes.
  removesByPrefix: false,
  launch(folder) {
    mkdirSync(join(folder, 'temp'));
    const file = join(folder, 'nginx.conf');
    writeFileSync(file, nginxConf(folder));
    return { command: installed('nginx'), args: ['-p', folder, '-e', 'stderr', '-c', file] };
  },
});
