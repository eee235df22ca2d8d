// Checks the package as its users get it: packs what was built (`npm run build` first), lets publint and attw judge the
// tarball, installs it in an empty project, loads every entry point there as an ES module and as CommonJS, and compiles
// a strict consumer of each, one with Node's types and one with a browser's. It publishes nothing.
// @ts-check
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const project = mkdtempSync(join(tmpdir(), 'megaflow-package-'));

/**
 * @param {string} directory
 * @param {string} program
 * @param {string[]} parameters
 */
function show(directory, program, ...parameters) {
  console.log(`$ ${[program, ...parameters].join(' ').replaceAll(project, 'PROJECT')}`);
  execFileSync(program, parameters, { cwd: directory, stdio: ['ignore', 'inherit', 'inherit'] });
}

/**
 * @param {string} file
 * @param {unknown} content
 */
function writeJson(file, content) {
  writeFileSync(join(project, file), JSON.stringify(content, null, 2));
}

/** The tarball's path. @returns {string} */
function pack() {
  const parameters = ['pack', '--ignore-scripts', '--json', '--pack-destination', project];
  const [packed] = JSON.parse(execFileSync('npm', parameters, { cwd: root, encoding: 'utf8' }));
  /** @type {string[]} */
  const paths = packed.files.map((/** @type {{ path: string }} */ file) => file.path);
  const stray = paths.filter((path) => !/^(dist|src)\/|^(package\.json|README\.md|LICENSE|CHANGELOG\.md)$/.test(path));
  if (stray.length > 0) throw new Error(`packed, but not wanted: ${stray.join(', ')}`);
  for (const path of ['LICENSE', 'README.md', 'dist/index.js', 'dist/index.cjs', 'src/index.ts']) {
    if (!paths.includes(path)) throw new Error(`not packed: ${path}`);
  }
  console.log(`${packed.filename}: ${paths.length} files, ${packed.unpackedSize} bytes`);
  return join(project, packed.filename);
}

/** @param {string} tarball */
function install(tarball) {
  writeJson('package.json', { private: true });
  show(project, 'npm', 'install', '--offline', '--no-audit', '--no-fund', tarball);
}

function load() {
  for (const specifier of ['megaflow', 'megaflow/node']) {
    const script =
      `const same = (a, b) => a.filter((name) => name !== 'default' && name !== 'module.exports').sort().join()` +
      ` === b.sort().join();` +
      `import('${specifier}').then((module) => {` +
      `  const names = Object.keys(module);` +
      `  if (names.length === 0) throw new Error('${specifier} exports nothing');` +
      `  if (!same(names, Object.keys(require('${specifier}')))) throw new Error('import and require differ');` +
      `});`;
    console.log(`loads: ${specifier}`);
    execFileSync(process.execPath, ['-e', script], { cwd: project, stdio: ['ignore', 'inherit', 'inherit'] });
  }
}

/** What the build does for speed has been done: tsup.config.ts. */
function inspect() {
  const script = `
    const check = ({ udp, ipv4, vxlan }) => {
      for (const namespace of [udp, ipv4, vxlan]) {
        for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(namespace))) {
          if (value === undefined) throw new Error('a namespace has a getter for ' + name);
        }
      }
    };
    check(require('megaflow'));
    import('megaflow').then(check);
  `;
  execFileSync(process.execPath, ['-e', script], { cwd: project, stdio: ['ignore', 'inherit', 'inherit'] });
  for (const ending of ['js', 'cjs']) {
    const texts = readdirSync(join(root, 'dist'))
      .filter((name) => name.endsWith(`.${ending}`))
      .map((name) => readFileSync(join(root, 'dist', name), 'utf8'));
    if (!texts.some((text) => text.includes('createEngine = inTurn(')))
      throw new Error(`one engine for all in .${ending}`);
  }
}

function compile() {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const options = { strict: true, target: 'ES2022', module: 'NodeNext', noEmit: true };
  writeFileSync(join(project, 'node.mts'), `export * from 'megaflow';\nexport * as node from 'megaflow/node';\n`);
  writeFileSync(join(project, 'node.cts'), `export * from 'megaflow';\nexport * as node from 'megaflow/node';\n`);
  writeFileSync(join(project, 'browser.mts'), `export * from 'megaflow';\n`);
  const typeRoots = [join(root, 'node_modules/@types')];
  writeJson('tsconfig.node.json', {
    compilerOptions: { ...options, lib: ['ES2022'], types: ['node'], typeRoots },
    files: ['node.mts', 'node.cts'],
  });
  writeJson('tsconfig.browser.json', {
    compilerOptions: { ...options, lib: ['ES2022', 'DOM'], types: [] },
    files: ['browser.mts'],
  });
  for (const name of ['node', 'browser']) show(project, process.execPath, compiler, '-p', `tsconfig.${name}.json`);
}

try {
  const tarball = pack();
  show(root, 'npx', '--yes', 'publint@0.3.25', 'run', tarball, '--strict');
  show(root, 'npx', '--yes', '@arethetypeswrong/cli@0.18.5', tarball, '--profile', 'node16', '--no-emoji');
  install(tarball);
  load();
  inspect();
  compile();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(project, { recursive: true, force: true });
}
