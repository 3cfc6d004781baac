import { findOrStartServers } from '../servers/index.js';
import { benchAppend } from './append.bench.js';
import { benchCommands } from './commands.bench.js';
import { benchGateway } from './gateway.bench.js';
import { report } from './report.js';
import type { Figure } from './report.js';

/** `npm run bench` runs all, `npm run bench <name> …` some; `-- --json` prints objects for programs. */
const BENCHMARKS: Readonly<
  Record<
    string,
    (servers: {
      readonly mongoUri: string;
      readonly kafkaBrokers: string;
    }) => Promise<readonly Figure[]>
  >
> = { append: benchAppend, gateway: benchGateway, commands: benchCommands };

const args = process.argv.slice(2);
const json = args.includes('--json');
const names = args.filter((arg) => !arg.startsWith('-'));
const unknown = names.filter((name) => !(name in BENCHMARKS));
if (unknown.length > 0) {
  console.error(
    `No such benchmark: ${unknown.join(', ')}. There are: ${Object.keys(BENCHMARKS).join(', ')}`,
  );
  process.exit(2);
}

const servers = await findOrStartServers();
try {
  for (const [name, bench] of Object.entries(BENCHMARKS)) {
    if (names.length > 0 && !names.includes(name)) continue;
    console.error(`Measuring ${name} …`);
    const { mongodbUri: mongoUri, kafkaBrokers } = servers;
    report(name, await bench({ mongoUri, kafkaBrokers }), json);
  }
} finally {
  await servers.stop();
}
