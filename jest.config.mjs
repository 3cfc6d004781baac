// Three tiers by suffix: `.unit.spec.ts` needs nothing; `.int.spec.ts` needs the real servers;
// `.e2e.spec.ts` starts our apps as processes against them. The servers are found or started once
// for all files by the global set-up.
const shared = {
  rootDir: import.meta.dirname,
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  modulePathIgnorePatterns: ['/dist/'],
  moduleNameMapper: {
    '^@token-status/([^/]+)$': ['<rootDir>/libs/$1/src/index.ts', '<rootDir>/apps/$1/src/index.ts'],
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2023',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
};

const tier = (name, options = {}) => ({
  ...shared,
  displayName: name,
  testMatch: [`<rootDir>/{libs,apps,test}/**/*.${name}.spec.ts`],
  ...options,
});

const servers = {
  globalSetup: '<rootDir>/test/servers/global-setup.mjs',
  globalTeardown: '<rootDir>/test/servers/global-teardown.mjs',
};

export default {
  maxWorkers: 2,
  // For every tier, and here: a project of its own cannot set it. A hang is all that it is to end; how long
  // a condition may take is said where it is waited for.
  testTimeout: 120_000,
  reporters: ['default', '<rootDir>/tools/count-reporter.mjs'],
  projects: [tier('unit'), tier('int', servers), tier('e2e', servers)],
};
