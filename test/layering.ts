// The floors of the house, and a checker that finds what breaks them. It reads the syntax of each source (imports,
// re-exports, `import()` of values and of types, `require`, `/// <reference>`), resolves relative paths among the files
// it was given, and touches no disk. It does not follow what a file does at run time.
import ts from 'typescript';

/** Floor of each folder of src/. A file may import from its own folder and from lower floors. */
export const floors: Readonly<Record<string, number>> = {
  util: 0,
  wire: 1,
  packet: 2,
  flow: 3,
  io: 3,
  classifier: 4,
  action: 4,
  datapath: 5,
  tunnel: 5,
  openflow: 5,
  switch: 6,
  control: 7,
  node: 8,
};

/** src/index.ts: above all, but for src/node, which is an entry point of its own. */
const entry = 'index.ts';

export interface Breach {
  /** Path below src/, with `/`. */
  file: string;
  /** Counts from 1. */
  line: number;
  /** What was imported, as written. */
  specifier: string;
  problem: string;
}

interface Import {
  /** `undefined` where it is not a literal. */
  specifier: string | undefined;
  line: number;
  /** The text of what names the module, for the report. */
  text: string;
}

/** Every way in which a TypeScript source names another module, in the order of the text. */
export function parseImports(path: string, text: string): Import[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, false);
  const imports: Import[] = [];
  const add = (node: ts.Node | undefined, fallback: ts.Node): void => {
    const at = node ?? fallback;
    imports.push({
      specifier: node && ts.isStringLiteralLike(node) ? node.text : undefined,
      line: source.getLineAndCharacterOfPosition(at.getStart(source)).line + 1,
      text: at.getText(source),
    });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      add(node.moduleSpecifier, node);
    } else if (ts.isExportDeclaration(node)) {
      if (node.moduleSpecifier) add(node.moduleSpecifier, node);
    } else if (ts.isImportEqualsDeclaration(node)) {
      if (ts.isExternalModuleReference(node.moduleReference)) add(node.moduleReference.expression, node);
    } else if (ts.isImportTypeNode(node)) {
      add(ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, node);
    } else if (ts.isCallExpression(node)) {
      const isRequire = ts.isIdentifier(node.expression) && node.expression.text === 'require';
      if (isRequire || node.expression.kind === ts.SyntaxKind.ImportKeyword) add(node.arguments[0], node);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  for (const reference of [...source.referencedFiles, ...source.typeReferenceDirectives]) {
    imports.push({
      specifier: reference.fileName,
      line: source.getLineAndCharacterOfPosition(reference.pos).line + 1,
      text: `/// <reference> ${reference.fileName}`,
    });
  }
  return imports;
}

/** `../util/bytes.js`, seen from `wire/udp.ts`, is `util/bytes.js`; `undefined` where it leaves src/. */
function resolveRelative(from: string, specifier: string): string | undefined {
  const parts = from.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '.' || part === '') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join('/');
}

/** The folder below src/; `''` for files of src/ itself. */
function roomOf(path: string): string {
  const slash = path.indexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

/** Why a file at `from` may not import `specifier`; `undefined` where it may. */
function checkImport(from: string, specifier: string, exists: (path: string) => boolean): string | undefined {
  const room = roomOf(from);
  if (specifier.startsWith('node:')) {
    return room === 'node' ? undefined : 'only src/node may import node:';
  }
  if (!/^\.{1,2}\//.test(specifier)) return 'there is no runtime dependency, and no built-in module without node:';
  if (!specifier.endsWith('.js')) return 'a relative import carries the .js ending';
  const target = resolveRelative(from, specifier)?.replace(/\.js$/, '.ts');
  if (target === undefined || !exists(target)) return 'there is no such file in src/';
  const targetRoom = roomOf(target);
  if (targetRoom === room) return undefined;
  if (targetRoom === '') return 'nothing imports the list of public names';
  const targetFloor = floors[targetRoom];
  if (targetFloor === undefined) return `${targetRoom} is on no floor`;
  if (from === entry) return targetRoom === 'node' ? 'megaflow/node is an entry point of its own' : undefined;
  const floor = floors[room];
  if (floor === undefined) return undefined; // Reported once for the file.
  if (targetFloor > floor) return `${room} is on floor ${floor}, ${targetRoom} above it on floor ${targetFloor}`;
  if (targetFloor === floor) return `${room} and ${targetRoom} are rooms on one floor`;
  return undefined;
}

/** All breaches of the floors among `files`: path below src/ (with `/`) to text. Empty for a sound house. */
export function checkLayering(files: ReadonlyMap<string, string>): Breach[] {
  const breaches: Breach[] = [];
  for (const [file, text] of files) {
    const room = roomOf(file);
    if (room === '' ? file !== entry : floors[room] === undefined) {
      const problem = room === '' ? `only ${entry} lies in src/ itself` : `${room} is on no floor`;
      breaches.push({ file, line: 1, specifier: '', problem });
    }
    for (const { specifier, line, text: written } of parseImports(file, text)) {
      const problem =
        specifier === undefined
          ? 'what is imported is not a literal, so it cannot be checked'
          : checkImport(file, specifier, (path) => files.has(path));
      if (problem !== undefined) breaches.push({ file, line, specifier: specifier ?? written, problem });
    }
  }
  return breaches;
}
