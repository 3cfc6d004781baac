// `npm run check`: format, lint, types, architecture and unit tests, in under a minute. The parts run
// two at a time; each one's output is shown whole once it ends, and every failure is named at the end.
import { Buffer } from 'node:buffer';
import { spawn } from 'node:child_process';

const parts = [
  ['lint', 'npx eslint .'],
  ['types', 'npx tsc -p tsconfig.json'],
  ['unit tests', 'npm run --silent unit'],
  ['format', 'npx prettier --check --log-level warn .'],
  ['architecture', 'npm run --silent architecture'],
];

const run = ([name, command]) =>
  new Promise((resolve) => {
    const started = Date.now();
    const output = [];
    const child = spawn(command, { shell: true, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => output.push(chunk));
    }
    child.on('close', (code) => {
      const seconds = ((Date.now() - started) / 1000).toFixed(1);
      console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
      if (code !== 0 || name === 'unit tests') process.stdout.write(Buffer.concat(output));
      resolve(code === 0 ? [] : [name]);
    });
  });

const waiting = [...parts];
const worker = async () => {
  const failed = [];
  for (let part = waiting.shift(); part; part = waiting.shift()) failed.push(...(await run(part)));
  return failed;
};
const failed = (await Promise.all([worker(), worker()])).flat();
if (failed.length > 0) {
  console.error(`check failed: ${failed.join(', ')}`);
  process.exit(1);
}
