// The house stands: no lower floor imports an upper one, no room its neighbour. And the checker that says so can say
// otherwise: each kind of breach is shown to it.
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { checkLayering, floors, parseImports } from './layering.js';

const source = fileURLToPath(new URL('../src/', import.meta.url));

function readSources(): Map<string, string> {
  const paths = readdirSync(source, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts'))
    .sort();
  return new Map(paths.map((path) => [path, readFileSync(source + path, 'utf8')]));
}

/** A sound house with one more file in it, and the problems that the checker then finds. */
function problemsOf(file: string, text: string): string[] {
  const files = new Map(Object.keys(floors).map((room) => [`${room}/a.ts`, 'export const a = 1;']));
  files.set('index.ts', `export { a } from './util/a.js';`);
  files.set(file, text);
  return checkLayering(files).map((breach) => `${breach.file}:${breach.line} ${breach.specifier}: ${breach.problem}`);
}

describe('the sources', () => {
  it('keep to the floors', () => {
    const files = readSources();
    expect(files.has('index.ts')).toBe(true);
    expect(files.has('util/bytes.ts')).toBe(true);
    expect(checkLayering(files)).toEqual([]);
  });
});

describe('parseImports', () => {
  it('finds every way to name a module, with its line', () => {
    const text = [
      `import a from './a.js';`,
      `import type { B } from './b.js';`,
      `import './c.js';`,
      `export * from './d.js';`,
      `export { e } from './e.js';`,
      `export type { F } from './f.js';`,
      `const g = await import('./g.js');`,
      `let h: import('./h.js').H;`,
      `const i = require('./i.js');`,
      `import j = require('./j.js');`,
      'function k() { return () => import(`./k.js`); }',
      `// import './not.js'`,
      `const text = "import './not.js'";`,
      `export const l = 1;`,
    ].join('\n');
    expect(parseImports('x.ts', text).map(({ specifier, line }) => [line, specifier])).toEqual(
      [...'abcdefghijk'].map((letter, index) => [index + 1, `./${letter}.js`]),
    );
  });

  it('finds references and what is not a literal', () => {
    const references = '/// <reference path="./a.ts" />\n/// <reference types="node" />\n';
    const text = references + 'import(name);\nimport(`./${b}.js`);';
    const imports = parseImports('x.ts', text);
    expect(imports.map(({ specifier }) => specifier)).toEqual([undefined, undefined, './a.ts', 'node']);
    expect(imports.map(({ line }) => line)).toEqual([3, 4, 1, 2]);
  });
});

describe('checkLayering', () => {
  it('lets a file import from its room, from any lower floor, and from node: in src/node', () => {
    expect(problemsOf('wire/udp.ts', `import { a } from './a.js'; import { b } from '../util/a.js';`)).toEqual([]);
    expect(problemsOf('control/b.ts', `export * from '../switch/a.js'; import '../util/a.js';`)).toEqual([]);
    expect(problemsOf('node/b.ts', `import { open } from 'node:fs/promises'; import '../control/a.js';`)).toEqual([]);
    expect(problemsOf('node/deep/b.ts', `import '../a.js'; import '../../io/a.js'; import 'node:net';`)).toEqual([]);
    expect(problemsOf('index.ts', `export * from './control/a.js'; export * from './util/a.js';`)).toEqual([]);
  });

  it('refuses an upper floor, in whatever way it is imported', () => {
    const problem = (line: number): string =>
      `util/b.ts:${line} ../wire/a.js: util is on floor 0, wire above it on floor 1`;
    const ways = [
      `import { a } from '../wire/a.js';`,
      `import type { a } from '../wire/a.js';`,
      `export * from '../wire/a.js';`,
      `const a = await import('../wire/a.js');`,
      `let a: typeof import('../wire/a.js');`,
    ];
    for (const way of ways) expect(problemsOf('util/b.ts', `\n${way}`)).toEqual([problem(2)]);
    expect(problemsOf('util/b.ts', ways.join('\n'))).toEqual([1, 2, 3, 4, 5].map(problem));
  });

  it('refuses each pair of rooms that is not a way down', () => {
    for (const [room, floor] of Object.entries(floors)) {
      for (const [other, otherFloor] of Object.entries(floors)) {
        const problems = problemsOf(`${room}/b.ts`, `import '../${other}/a.js';`);
        expect(problems.length, `${room} imports ${other}`).toBe(room === other || otherFloor < floor ? 0 : 1);
      }
    }
  });

  it('refuses the neighbour on one floor', () => {
    expect(problemsOf('flow/b.ts', `import '../io/a.js';`)).toEqual([
      'flow/b.ts:1 ../io/a.js: flow and io are rooms on one floor',
    ]);
  });

  it('refuses Node outside src/node', () => {
    expect(problemsOf('switch/b.ts', `import 'node:fs';`)).toEqual([
      'switch/b.ts:1 node:fs: only src/node may import node:',
    ]);
    expect(problemsOf('index.ts', `export * from './node/a.js';`)).toHaveLength(1);
    expect(problemsOf('util/b.ts', `/// <reference types="node" />\n`)).toHaveLength(1);
  });

  it('refuses packages, and built-in modules by their old names, even in src/node', () => {
    expect(problemsOf('node/b.ts', `import 'fs';\nimport 'vitest';`)).toHaveLength(2);
  });

  it('refuses the list of public names as a source', () => {
    expect(problemsOf('control/b.ts', `import '../index.js';`)).toHaveLength(1);
    expect(problemsOf('node/b.ts', `import '../index.js';`)).toHaveLength(1);
  });

  it('refuses what does not resolve, or leaves src/', () => {
    expect(problemsOf('wire/b.ts', `import '../util/missing.js';`)).toHaveLength(1);
    expect(problemsOf('wire/b.ts', `import '../util/a';`)).toHaveLength(1);
    expect(problemsOf('wire/b.ts', `import '../util/a.ts';`)).toHaveLength(1);
    expect(problemsOf('wire/b.ts', `import '../../util/a.js';`)).toHaveLength(1);
    expect(problemsOf('wire/b.ts', `import '../..';`)).toHaveLength(1);
  });

  it('refuses what it cannot read', () => {
    expect(problemsOf('wire/b.ts', `export const load = (name: string) => import(name);`)).toEqual([
      'wire/b.ts:1 name: what is imported is not a literal, so it cannot be checked',
    ]);
  });

  it('refuses folders and files that the table does not know', () => {
    expect(problemsOf('attic/b.ts', `export {};`)).toEqual(['attic/b.ts:1 : attic is on no floor']);
    expect(problemsOf('wire/b.ts', `import '../attic/a.js';`)).toHaveLength(1);
    expect(problemsOf('other.ts', `export {};`)).toEqual(['other.ts:1 : only index.ts lies in src/ itself']);
  });
});
