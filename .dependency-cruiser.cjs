// The architecture, as a program can check it: who may import whom ("Rooms" of the design), and how.
// `npx depcruise --config .dependency-cruiser.cjs libs apps test` checks it;
// `test/architecture/imports.unit.spec.ts` proves that each rule bites.

/** Each lib, and the rooms of ours that it may import. A lib that is not here may import nothing. */
const mayImport = {
  domain: [],
  contracts: [],
  'event-log': ['contracts'],
  'event-bus': ['contracts'],
  'read-model': ['domain', 'contracts', 'event-bus'],
  'token-guard': ['contracts', 'event-bus'],
  client: [],
  platform: [],
  'personal-data': [],
};

/** Who may read and forget personal data. Apps may import every other lib. */
const mayImportPersonalData = ['token-service', 'projector', 'standalone'];

/** A driver, and the only folders that may import it; `test/` may, too. */
const drivers = {
  mongodb: '^libs/(event-log|read-model|personal-data)/src/mongo/',
  kafkajs: '^libs/event-bus/src/kafka/',
  libsql: '^libs/(event-log|read-model|personal-data)/src/sqlite/',
};

/** A framework that token-guard has a middleware for, and the folder and only one that may import it. */
const frameworks = { express: 'express', fastify: 'fastify', '@nestjs/common': 'nest' };
const MIDDLEWARE = `^libs/token-guard/src/(${Object.values(frameworks).join('|')})/`;

const SPEC = '\\.spec\\.ts$';
const ENTRY = `^(libs|apps)/[^/]+/src/(index|main)\\.ts$|${MIDDLEWARE}index\\.ts$`;
const FRONT_DOOR = '^(libs|apps)/[^/]+/src/index\\.ts$';
const known = Object.keys(mayImport).join('|');

const rule = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

module.exports = {
  forbidden: [
    /* ------------------------------------------------- who may import whom */
    ...Object.entries(mayImport).map(([lib, others]) =>
      rule(
        `${lib}-imports-${others.join('-and-') || 'no-room'}`,
        `libs/${lib} may import ${others.join(', ') || 'no other room of ours'}.`,
        { path: `^libs/${lib}/` },
        { path: '^(libs|apps)/', pathNot: `^libs/(${[lib, ...others].join('|')})/` },
      ),
    ),
    rule(
      'every-lib-has-a-row',
      'A new lib gets its row in `mayImport` (and in the design) before it imports anything.',
      { path: `^libs/(?!(${known})/)[^/]+/` },
      { pathNot: '^libs/$1/' },
    ),
    rule(
      'apps-import-no-app',
      'An app is one process of ours; what two of them need is a lib. Only standalone wires apps.',
      { path: '^apps/([^/]+)/', pathNot: '^apps/standalone/' },
      { path: '^apps/', pathNot: '^apps/$1/' },
    ),
    rule(
      'personal-data-for-few',
      `Only ${mayImportPersonalData.join(', ')} and tests may open what is sealed.`,
      { path: '^apps/', pathNot: `^apps/(${mayImportPersonalData.join('|')})/` },
      { path: '^libs/personal-data/' },
    ),
    rule(
      'test-for-specs-alone',
      'What runs in production imports nothing from test/; a spec may.',
      { path: '^(libs|apps)/', pathNot: SPEC },
      { path: '^test/' },
    ),
    rule(
      'specs-for-specs-alone',
      'A spec is not there in production.',
      { path: '^(libs|apps)/', pathNot: SPEC },
      { path: SPEC },
    ),

    /* ---------------------------------------------------- front doors only */
    rule(
      'front-doors-only',
      "Another room is entered by its src/index.ts; the rest is that room's own business.",
      { path: '^(?:(libs|apps)/([^/]+)|test)/' },
      {
        path: ['^(libs|apps)/[^/]+/', '^@token-status/[^/]+/'],
        // Published, each with a door of its own, so that nobody needs a framework that isn't theirs.
        pathNot: ['^$1/$2/', FRONT_DOOR, '^@token-status/token-guard/(express|fastify|nest)$'],
      },
    ),
    rule(
      'rooms-by-their-names',
      'Another room is imported as @token-status/<room>: a relative path breaks once rooms are built.',
      { path: '^(?:(libs|apps)/([^/]+)|test)/' },
      { path: FRONT_DOOR, pathNot: '^$1/$2/', dependencyTypesNot: ['aliased'] },
    ),

    /* ---------------------------------------------------- outside packages */
    rule(
      'domain-imports-nothing',
      'No Nest, no clock, no I/O: decisions are pure.',
      { path: '^libs/domain/', pathNot: SPEC },
      { pathNot: '^libs/domain/' },
    ),
    rule(
      'contracts-imports-a-validator',
      'What is on the wire needs a validator and digests; whoever reads it should need no more.',
      { path: '^libs/contracts/', pathNot: SPEC },
      {
        pathNot: [
          '^(libs|apps|test)/',
          '(^|/)node_modules/(ajv|ajv-formats)/',
          '^(node:)?(crypto|zlib)$',
        ],
      },
    ),
    ...Object.entries(drivers).map(([driver, folders]) =>
      rule(
        `${driver}-in-its-adapters`,
        `${driver} is imported in its adapters' folders and nowhere else.`,
        { path: '^(libs|apps)/', pathNot: folders },
        { path: `(^|/)node_modules/(@types/)?${driver}/|^${driver}(/|$)` },
      ),
    ),
    ...Object.entries(frameworks).map(([framework, folder]) =>
      rule(
        `token-guard-${folder}-in-its-folder`,
        `${framework} is imported by its middleware alone: who uses another must not need it.`,
        { path: '^libs/token-guard/src/', pathNot: [SPEC, `^libs/token-guard/src/${folder}/`] },
        { path: `(^|/)node_modules/(@types/)?${framework}/|^${framework}(/|$)` },
      ),
    ),
    rule(
      'token-guard-needs-no-middleware',
      'The front door leads to no framework.',
      { path: '^libs/token-guard/src/', pathNot: [SPEC, MIDDLEWARE] },
      { path: MIDDLEWARE },
    ),
    rule(
      'no-dev-dependencies',
      'What runs in production is installed in production.',
      { path: '^(libs|apps)/[^/]+/src/', pathNot: SPEC },
      { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    ),
    rule(
      'declared-dependencies',
      "A room names what it imports in its own package.json: another room's install proves nothing.",
      { path: '^(libs|apps)/[^/]+/src/', pathNot: SPEC },
      // It takes `peerDependenciesMeta` for an unknown kind of dependencies, beside `npm-peer`.
      { dependencyTypes: ['npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['npm-peer'] },
    ),
    rule(
      'resolvable',
      'What is imported is there.',
      {},
      { couldNotResolve: true, pathNot: '^@token-status/[^/]+/' },
    ),

    /* --------------------------------------------------------------- shape */
    rule(
      'no-cycles',
      'Also of types: two files that need each other are one idea.',
      {},
      { circular: true },
    ),
    rule(
      'no-orphans',
      'Nothing imports it and it imports nothing.',
      { orphan: true, pathNot: [SPEC, ENTRY, '\\.d\\.ts$'] },
      {},
    ),
    rule(
      'no-dead-code',
      'Every file of a room is reached from a front door or an entry point.',
      { path: ENTRY },
      {
        path: '^(libs|apps)/[^/]+/src/',
        pathNot: [SPEC, ENTRY, '\\.d\\.ts$'],
        reachable: false,
      },
    ),
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    // Types are imports, too: a room that knows another's types depends on it.
    tsPreCompilationDeps: true,
    doNotFollow: { path: '(^|/)node_modules/' },
    // An import of dist would be left out with it: the spec looks for those in the text.
    exclude: { path: '^(libs/[^/]+|apps/[^/]+|test)/dist/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['types', 'import', 'node', 'default'],
      mainFields: ['types', 'main'],
    },
  },
};
