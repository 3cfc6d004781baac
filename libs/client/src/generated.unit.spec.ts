import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';

const run = promisify(execFile);
const file = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

/** Layout is another program's. */
const words = (text: string): string =>
  text
    .replace(/^\/\* eslint-disable.*$/m, '')
    .replaceAll('"', "'")
    .replaceAll(/[\s,;|()]+/g, '');

it("has the types of the API's document: `npm run openapi` writes them", async () => {
  const generator = file('tools/openapi-types/node_modules/openapi-typescript/bin/cli.js');
  const document = file('apps/token-service/openapi.json');
  const { stdout } = await run(process.execPath, [generator, document], {
    maxBuffer: 16 * 1024 * 1024,
    timeout: 60_000,
  });
  expect(words(await readFile(file('libs/client/src/generated/api.ts'), 'utf8'))).toBe(
    words(stdout),
  );
}, 90_000);
