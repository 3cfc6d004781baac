// `npm run pack:<room> [-- --pack-destination <folder>]`, once it is built: one tarball of @token-status/<room> that
// installs anywhere, made of the room and of the rooms that it imports, which are published nowhere.
//
// The files are those that tsc wrote, with types as they are, each room in a folder of its own; only the names
// of our rooms in their imports become relative paths. A bundler would make fewer files of them and had to
// understand the types anew; this moves nothing but specifiers, as TypeScript's own scanner finds them.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { URL, fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
/** An adapter of ours relies on what was seen of this release of a package that is not maintained. */
const EXACT = ['kafkajs'];

const {
  values: options,
  positionals: [room],
} = parseArgs({
  allowPositionals: true,
  options: {
    'pack-destination': { type: 'string', default: path.join(root, 'dist') },
    explain: { type: 'boolean', default: false },
  },
});
if (options.explain) {
  console.error(`It needs rooms that npm can not pack with it: npm run pack:${room}, at the root.`);
  process.exit(1);
}

const readJson = (file) => JSON.parse(readFileSync(path.join(root, file), 'utf8'));
const manifestOf = (name) => readJson(`libs/${name}/package.json`);

/** `libs/<room>/dist/<rest>` → `<room>/<rest>`, in the package's dist. */
const placeOf = (file) => file.replace(/^libs\/([^/]+)\/dist\//, '$1/');

/** Files to publish by their place, and by room the outside packages that they import. */
const files = new Map();
const imported = new Map();

/** Takes a file, and all that it leads to. */
function take(file) {
  const place = placeOf(file);
  if (files.has(place)) return;
  files.set(place, '');
  const text = readFileSync(path.join(root, file), 'utf8').replace(
    /\n\/\/# sourceMappingURL=.*\n?$/,
    '\n',
  );
  const [, ofRoom] = /^libs\/([^/]+)\//.exec(file);
  const own = file.endsWith('.d.ts') ? '.d.ts' : '.js';
  let moved = '';
  let done = 0;
  for (const { fileName: specifier, pos } of ts.preProcessFile(text, true, true).importedFiles) {
    if (specifier.startsWith('node:')) continue;
    const ours = /^@token-status\/([^/]+)$/.exec(specifier);
    if (!ours && !specifier.startsWith('.')) {
      const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
      imported.set(name, (imported.get(name) ?? new Set()).add(ofRoom));
      continue;
    }
    const target = ours
      ? `libs/${ours[1]}/dist/index${own}`
      : path.posix.join(path.posix.dirname(file), specifier.replace(/\.js$/, own));
    take(target);
    if (!ours) continue;
    const at = text.indexOf(specifier, pos);
    const relative = path.posix.relative(path.posix.dirname(place), placeOf(target));
    moved += `${text.slice(done, at)}${relative.replace(/\.d\.ts$/, '.js')}`;
    done = at + specifier.length;
  }
  moved += text.slice(done);
  if (/(from|import\()\s*['"]@token-status\//.test(moved))
    throw new Error(`an import is left in ${file}`);
  files.set(place, moved);
}

const workspace = manifestOf(room);
const exports = {};
for (const [entry, conditions] of Object.entries(workspace.exports)) {
  exports[entry] = {};
  for (const [condition, file] of Object.entries(conditions)) {
    const built = path.posix.join('libs', room, file);
    take(built);
    exports[entry][condition] = `./dist/${placeOf(built)}`;
  }
}

const dependencies = {};
for (const [name, rooms] of [...imported].sort(([one], [other]) => (one < other ? -1 : 1))) {
  for (const each of rooms) {
    if (each === room && workspace.peerDependencies?.[name]) continue;
    const version = manifestOf(each).dependencies[name];
    if (!version) throw new Error(`${each} imports ${name}, which its package.json does not name`);
    dependencies[name] = EXACT.includes(name) ? version : `^${version}`;
  }
}

const { license, engines } = readJson('package.json');
const { name, version, description, type, peerDependencies, peerDependenciesMeta } = workspace;
const manifest = {
  name,
  version,
  description,
  license,
  type,
  engines,
  exports,
  files: ['dist'],
  dependencies,
  peerDependencies,
  peerDependenciesMeta,
};

const staged = mkdtempSync(path.join(tmpdir(), `${room}-`));
try {
  for (const [place, text] of files) {
    const file = path.join(staged, 'dist', place);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  writeFileSync(path.join(staged, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  writeFileSync(
    path.join(staged, 'README.md'),
    readFileSync(path.join(root, `libs/${room}/README.md`)),
  );
  const destination = path.resolve(options['pack-destination']);
  mkdirSync(destination, { recursive: true });
  const tarball = execFileSync('npm', ['pack', '--silent', '--pack-destination', destination], {
    cwd: staged,
    encoding: 'utf8',
    timeout: 60_000,
  }).trim();
  console.log(path.join(destination, tarball));
} finally {
  rmSync(staged, { recursive: true, force: true });
}
