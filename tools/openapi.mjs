// `npm run openapi`: writes apps/token-service/openapi.json from the controllers, and from that the types of
// libs/client. With `--print` it writes the document to standard output alone.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath, URL } from 'node:url';
import { tokenServiceOpenApi } from '../apps/token-service/dist/index.js';

const file = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const text = `${JSON.stringify(tokenServiceOpenApi(), null, 2)}\n`;
if (process.argv.includes('--print')) {
  process.stdout.write(text);
} else {
  writeFileSync(file('apps/token-service/openapi.json'), text);
  execFileSync(
    process.execPath,
    [
      file('tools/openapi-types/node_modules/openapi-typescript/bin/cli.js'),
      file('apps/token-service/openapi.json'),
      '--output',
      file('libs/client/src/generated/api.ts'),
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const types = file('libs/client/src/generated/api.ts');
  const head =
    '/* eslint-disable -- written by `npm run openapi`, in the style of its generator. */\n';
  writeFileSync(types, head + readFileSync(types, 'utf8'));
  const prettier = file('node_modules/prettier/bin/prettier.cjs');
  for (const written of ['apps/token-service/openapi.json', 'libs/client/src/generated/api.ts']) {
    execFileSync(process.execPath, [prettier, '--write', '--log-level', 'warn', file(written)]);
  }
}
