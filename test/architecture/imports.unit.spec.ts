import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

/**
 * Proves that the rules of `.dependency-cruiser.cjs` bite: the same command with the same rules, in a
 * tree of small files that break them. (The work tree itself is checked by `npm run architecture`.)
 */

const root = fileURLToPath(new URL('../..', import.meta.url));
const depcruise = path.join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');

type Files = Readonly<Record<string, string>>;

interface Violation {
  readonly rule: string;
  readonly from: string;
  readonly to: string;
}

const trees: string[] = [];
afterAll(async () => {
  for (const tree of trees) await rm(tree, { recursive: true, force: true });
});

/** What the rules say of a tree of these files. */
async function cruise(files: Files): Promise<readonly Violation[]> {
  const tree = await mkdtemp(path.join(tmpdir(), 'token-status-imports-'));
  trees.push(tree);
  const tsconfig = JSON.stringify({
    compilerOptions: {
      module: 'NodeNext',
      moduleResolution: 'NodeNext',
      paths: { '@token-status/*': ['./libs/*/src/index.ts', './apps/*/src/index.ts'] },
    },
  });
  for (const [name, text] of Object.entries({ ...files, 'tsconfig.json': tsconfig })) {
    const file = path.join(tree, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
  }
  const config = path.join(root, '.dependency-cruiser.cjs');
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [depcruise, '--config', config, '--output-type', 'json', 'libs', 'apps', 'test'],
    { cwd: tree, timeout: 60_000, maxBuffer: 64 * 1024 * 1024 },
  ).catch((failed: unknown) => failed as { stdout: string }); // exits 1 when there are violations
  const { summary } = JSON.parse(stdout) as {
    summary: { violations: { rule: { name: string }; from: string; to: string }[] };
  };
  return summary.violations.map(({ rule, from, to }) => ({ rule: rule.name, from, to }));
}

const libs = [
  ...['domain', 'contracts', 'event-log', 'event-bus', 'read-model', 'token-guard', 'client'],
  ...['platform', 'personal-data'],
];
const apps = [
  ...['token-service', 'event-relay', 'projector', 'auth-gateway', 'auditor', 'console'],
  ...['demo-identity-provider', 'standalone'],
];

describe('who may import whom', () => {
  // The design's table. Each app may import any lib; personal data is for three of them.
  const everyLib = libs.filter((lib) => lib !== 'personal-data');
  const table: Readonly<Record<string, readonly string[]>> = {
    domain: [],
    contracts: [],
    'event-log': ['contracts'],
    'event-bus': ['contracts'],
    'read-model': ['domain', 'contracts', 'event-bus'],
    'token-guard': ['contracts', 'event-bus'],
    client: [],
    platform: [],
    'personal-data': [],
    'token-service': [...everyLib, 'personal-data'],
    'event-relay': everyLib,
    projector: [...everyLib, 'personal-data'],
    'auth-gateway': everyLib,
    auditor: everyLib,
    console: everyLib,
    'demo-identity-provider': everyLib,
    standalone: [...everyLib, 'personal-data', ...apps.filter((app) => app !== 'standalone')],
    test: [...libs, ...apps],
  };

  const rooms = [...libs.map((lib) => `libs/${lib}`), ...apps.map((app) => `apps/${app}`)];
  const nameOf = (room: string): string => room.split('/').at(-1)!;
  const pairs = [...rooms, 'test'].flatMap((from) =>
    rooms.filter((to) => to !== from).map((to) => [from, to] as const),
  );
  let refused: Set<string>;

  beforeAll(async () => {
    const violations = await cruise(
      Object.fromEntries<string>([
        ...rooms.map((room) => [`${room}/src/index.ts`, 'export const it = 1;\n'] as const),
        ...pairs.map(
          ([from, to]) =>
            [
              `${from}/src/imports-${nameOf(to)}.ts`,
              `import type { it } from '@token-status/${nameOf(to)}';\nexport type It = typeof it;\n`,
            ] as const,
        ),
      ]),
    );
    refused = new Set(
      violations
        .filter(({ rule }) => !['no-cycles', 'no-dead-code'].includes(rule))
        .map(({ from, to }) => `${from} → ${to}`),
    );
  }, 60_000);

  it.each([...rooms, 'test'])(
    '%s imports what its row of the table says, and nothing else',
    (from) => {
      const may = pairs
        .filter((pair) => pair[0] === from)
        .map(([, to]) => to)
        .filter((to) => !refused.has(`${from}/src/imports-${nameOf(to)}.ts → ${to}/src/index.ts`));
      expect(may.map(nameOf).sort()).toStrictEqual([...table[nameOf(from)]!].sort());
    },
  );
});

describe('how it may be imported', () => {
  const declared = (name: string, dependencies: object, devDependencies = {}): string =>
    JSON.stringify({ name, type: 'module', dependencies, devDependencies });
  const outside = [
    ...['mongodb', 'kafkajs', 'libsql', 'ajv', 'lodash', 'a-tool'],
    ...['express', 'fastify', '@nestjs/common'],
  ];
  const all = Object.fromEntries(outside.map((name) => [name, '1.0.0']));
  const room = '@token-status';

  /** Each breaks one rule: what is wrong, the rule, the file, its text. */
  const broken: readonly (readonly [string, string, string, string])[] = [
    [
      'a file of another room by a relative path',
      'front-doors-only',
      'apps/event-relay/src/deep.ts',
      `import '../../../libs/event-bus/src/kafka/bus.js';`,
    ],
    [
      "a file of another room below that room's name",
      'front-doors-only',
      'apps/event-relay/src/below.ts',
      `import '${room}/event-bus/src/kafka/bus.js';`,
    ],
    [
      "what was built of another room, below that room's name",
      'front-doors-only',
      'apps/event-relay/src/built.ts',
      `import '${room}/event-bus/dist/index.js';`,
    ],
    [
      'a file of another room from test/',
      'front-doors-only',
      'test/scenarios/deep.ts',
      `import '../../libs/event-bus/src/kafka/bus.js';`,
    ],
    [
      'a file of another room from a spec',
      'front-doors-only',
      'apps/event-relay/src/deep.unit.spec.ts',
      `import '../../../libs/event-bus/src/kafka/bus.js';`,
    ],
    [
      "another room's front door by a relative path",
      'rooms-by-their-names',
      'apps/event-relay/src/door.ts',
      `import '../../../libs/event-bus/src/index.js';`,
    ],
    [
      "another room's front door by a relative path from test/",
      'rooms-by-their-names',
      'test/scenarios/door.ts',
      `import '../../libs/event-bus/src/index.js';`,
    ],
    [
      'a file of test/ from what is no spec',
      'test-for-specs-alone',
      'apps/event-relay/src/tested.ts',
      `import '../../../test/contracts/bus.contract.js';`,
    ],
    [
      'a spec from what is no spec',
      'specs-for-specs-alone',
      'libs/event-bus/src/specified.ts',
      `import './bus.unit.spec.js';`,
    ],
    [
      'another room from a lib without a row in the table',
      'every-lib-has-a-row',
      'libs/newcomer/src/index.ts',
      `import '${room}/domain';`,
    ],
    [
      'another room in a spec of the domain',
      'domain-imports-no-room',
      'libs/domain/src/a.unit.spec.ts',
      `import '${room}/contracts';`,
    ],
    [
      'a module of Node in the domain',
      'domain-imports-nothing',
      'libs/domain/src/clock.ts',
      `import 'node:os';`,
    ],
    [
      'a package in the domain',
      'domain-imports-nothing',
      'libs/domain/src/lodash.ts',
      `import 'lodash';`,
    ],
    [
      'a package that is no validator in contracts',
      'contracts-imports-a-validator',
      'libs/contracts/src/lodash.ts',
      `import 'lodash';`,
    ],
    [
      'I/O in contracts',
      'contracts-imports-a-validator',
      'libs/contracts/src/io.ts',
      `import 'node:fs';`,
    ],
    [
      'mongodb in a lib, beside its adapter',
      'mongodb-in-its-adapters',
      'libs/event-log/src/port.ts',
      `import type { Db } from 'mongodb'; export type It = Db;`,
    ],
    [
      'mongodb in an app, even in a folder of that name',
      'mongodb-in-its-adapters',
      'apps/projector/src/mongo/store.ts',
      `import 'mongodb';`,
    ],
    [
      "mongodb in another driver's adapter",
      'mongodb-in-its-adapters',
      'libs/event-log/src/sqlite/mongo.ts',
      `import 'mongodb';`,
    ],
    [
      'mongodb in a spec of an app',
      'mongodb-in-its-adapters',
      'apps/projector/src/a.int.spec.ts',
      `import 'mongodb';`,
    ],
    [
      'kafkajs in an app',
      'kafkajs-in-its-adapters',
      'apps/event-relay/src/kafka.ts',
      `import 'kafkajs';`,
    ],
    [
      'kafkajs in a lib that has no adapter for it',
      'kafkajs-in-its-adapters',
      'libs/token-guard/src/kafka/bus.ts',
      `import 'kafkajs';`,
    ],
    [
      'libsql in a lib, beside its adapter',
      'libsql-in-its-adapters',
      'libs/event-log/src/db.ts',
      `import 'libsql';`,
    ],
    [
      'a framework in the guard itself',
      'token-guard-fastify-in-its-folder',
      'libs/token-guard/src/request.ts',
      `import 'fastify';`,
    ],
    [
      "a framework in another one's middleware",
      'token-guard-nest-in-its-folder',
      'libs/token-guard/src/fastify/index.ts',
      `import '@nestjs/common';`,
    ],
    [
      'a middleware from the guard itself',
      'token-guard-needs-no-middleware',
      'libs/token-guard/src/deep.ts',
      `import './nest/index.js';`,
    ],
    [
      'a package that is there for development alone',
      'no-dev-dependencies',
      'libs/platform/src/tool.ts',
      `import 'a-tool';`,
    ],
    [
      "a package that only other rooms' package.json names",
      'declared-dependencies',
      'libs/client/src/lodash.ts',
      `import 'lodash';`,
    ],
    [
      'a file that is not there',
      'resolvable',
      'libs/platform/src/missing.ts',
      `import './nowhere.js';`,
    ],
    [
      'a package that is not there',
      'resolvable',
      'libs/platform/src/gone.ts',
      `import 'never-installed';`,
    ],
    [
      'what imports it',
      'no-cycles',
      'libs/platform/src/egg.ts',
      `import type { Hen } from './hen.js'; export type Egg = Hen | 1;`,
    ],
    ['nothing, and is imported by nothing', 'no-orphans', 'test/scenarios/orphan.ts', 'export {};'],
    [
      'something, and is reached from no front door',
      'no-dead-code',
      'libs/platform/src/dead.ts',
      `import './alive.js';`,
    ],
  ];

  /** None of these breaks a rule, though each is near to one. */
  const sound: Files = {
    'libs/event-bus/src/kafka/bus.ts': `import 'kafkajs'; export const bus = 1;`,
    'libs/event-bus/src/bus.unit.spec.ts': `import '../../../test/contracts/bus.contract.js'; import './kafka/bus.js';`,
    'libs/token-guard/src/express/index.ts': `import 'express';`,
    'libs/token-guard/src/nest/index.ts': `import '@nestjs/common';`,
    'test/scenarios/guarded.ts': `import '${room}/token-guard/express';`,
    'libs/event-log/src/mongo/store.ts': `import 'mongodb';`,
    'libs/event-log/src/sqlite/store.ts': `import 'libsql';`,
    'libs/contracts/src/digest.ts': `import 'ajv'; import 'node:crypto'; import 'node:zlib';`,
    'libs/contracts/src/digest.unit.spec.ts': `import 'node:fs'; import 'a-tool';`,
    'libs/platform/src/hen.ts': `import type { Egg } from './egg.js'; export type Hen = Egg | 2;`,
    'libs/platform/src/alive.ts': `import 'node:http'; import 'lodash';`,
    'apps/event-relay/src/publish.ts': `import '${room}/event-bus'; import '${room}/event-log';`,
    'apps/event-relay/src/main.ts': `import './publish.js';`,
    'test/contracts/bus.contract.ts': `import 'kafkajs'; import 'mongodb'; import 'libsql'; import '${room}/event-bus';`,
    'libs/event-log/dist/index.js': `import '../../event-bus/src/kafka/bus.js';`,
  };

  let violations: readonly Violation[];
  beforeAll(async () => {
    const files: Record<string, string> = {};
    for (const name of outside) {
      files[`node_modules/${name}/package.json`] = declared(name, {});
      files[`node_modules/${name}/index.js`] = 'export {};';
    }
    for (const lib of libs) files[`libs/${lib}/src/index.ts`] = '';
    for (const app of apps) files[`apps/${app}/src/index.ts`] = '';
    for (const one of [
      ...libs.map((lib) => `libs/${lib}`),
      ...apps.map((app) => `apps/${app}`),
      'test',
    ]) {
      files[`${one}/package.json`] = declared(one, all);
    }
    files['libs/client/package.json'] = declared('client', {});
    files['libs/platform/package.json'] = declared(
      'platform',
      { lodash: '1.0.0' },
      { 'a-tool': '1.0.0' },
    );
    Object.assign(files, sound);
    for (const [, , file, text] of broken) files[file] = text;
    // Each front door leads to every file of its room but the dead one, so that none is dead by chance.
    for (const file of Object.keys(files)) {
      const inside = /^((?:libs|apps)\/[^/]+\/src)\/(.+)\.ts$/.exec(file);
      if (!inside || /\.spec\.ts$|\/(index|main|dead)\.ts$/.test(file)) continue;
      const door = `${inside[1]!}/index.ts`;
      files[door] = `${files[door] ?? ''}import './${inside[2]!}.js';\n`;
    }
    violations = await cruise(files);
  }, 60_000);

  it.each(broken)('not %s (%s)', (_, rule, file) => {
    const own = violations.filter(({ from }) => from === file).map((violation) => violation.rule);
    expect([...new Set(own)]).toStrictEqual([rule]);
  });

  it('and nothing else is refused', () => {
    const files = new Set(broken.map(([, , file]) => file));
    const others = violations.filter(({ from, rule }) => !files.has(from) && rule !== 'no-cycles');
    expect(others).toStrictEqual([]);
  });
});

describe('what was built', () => {
  // The rules leave `dist` out, and with it each import of it; so those are looked for in the text.
  const importsBuilt = (text: string): boolean =>
    /(?:from|import)\s*\(?\s*['"](?:\.{1,2}\/|@token-status\/)[^'"]*\bdist\//.test(text);

  it('is told apart in the text of a source', () => {
    expect(importsBuilt(`import { a } from '../../domain/dist/index.js';`)).toBe(true);
    expect(importsBuilt(`await import('@token-status/domain/dist/index.js')`)).toBe(true);
    expect(importsBuilt(`export * from "./dist/x.js"`)).toBe(true);
    expect(importsBuilt(`import { Ajv2020 } from 'ajv/dist/2020.js';`)).toBe(false);
    expect(importsBuilt(`import { dist } from './distance.js';`)).toBe(false);
  });

  it('is imported by no source', async () => {
    const offenders: string[] = [];
    for (const top of ['libs', 'apps', 'test']) {
      const names = await readdir(path.join(root, top), { recursive: true });
      for (const name of names) {
        if (!name.endsWith('.ts') || /(^|\/)(dist|node_modules)\//.test(name)) continue;
        if (top === 'test' && name === 'architecture/imports.unit.spec.ts') continue; // the samples above
        const text = await readFile(path.join(root, top, name), 'utf8');
        if (importsBuilt(text)) offenders.push(`${top}/${name}`);
      }
    }
    expect(offenders).toStrictEqual([]);
  });
});
