// The build: both entry points as ES modules and as CommonJS, with types for each. The modules share chunks, so that a
// switch made by `megaflow` and a port made by `megaflow/node` agree on what a class is.
import { defineConfig, type Options } from 'tsup';

/**
 * `export * as udp from './wire/udp.js'` becomes, in a bundle, an object of getters, which V8 keeps as a dictionary: reading the headers of
 * a frame through it took 318 ns, through plain objects 105 (bench/NOTES.md). Here such objects take the place of the others, at the end
 * of the chunk, when all that they hold is there.
 */
const plainNamespaces: NonNullable<Options['plugins']>[number] = {
  name: 'plain-namespaces',
  renderChunk(code) {
    const objects = [...code.matchAll(/^__export\((\w+), \{([^]*?)\n\}\);$/gm)].map(
      ([, name, getters]) => `${name} = {${getters.replaceAll(': () => ', ': ')}\n};`,
    );
    return objects.length === 0 ? undefined : { code: beforeExports(code, `// Namespaces\n${objects.join('\n')}`) };
  },
};

/**
 * The fast path: what these functions return are closures, whose captured arrays V8 takes for constants as long as the function has run once. A
 * second datapath would make both half as fast (23 ns to forward a packet, 52 with two; bench/NOTES.md).
 */
const factories = [
  'createFreeSlots',
  'createExtractor',
  'createRareExtractor',
  'createClassifier',
  'createExactMatchCache',
  'createFlowStore',
  'createTupleSpace',
  'createSearch',
  'createSetter',
  'createPush',
  'createPop',
  'createExecutor',
  'createEngine',
];
const COPIES = 4;

/** So each of the first datapaths of a process gets code of its own: the text of the factories, repeated, one copy for each call in turn. */
const codePerDatapath: NonNullable<Options['plugins']>[number] = {
  name: 'code-per-datapath',
  renderChunk(code) {
    if (!/^var Datapath = class/m.test(code)) return undefined;
    const copies = factories.map((name) => {
      const text = new RegExp(`^function ${name}\\([^]*?\\n\\}$`, 'm').exec(code)?.[0];
      if (text === undefined) throw new Error(`tsup.config.ts: there is no function ${name} in the chunk of Datapath`);
      return `${name} = inTurn(${[name, ...Array<string>(COPIES - 1).fill(text)].join(', ')});`;
    });
    const inTurn = `function inTurn(...copies) {
  let calls = 0;
  return (...parameters) => copies[calls++ % copies.length](...parameters);
}`;
    return { code: beforeExports(code, `// Code per datapath\n${inTurn}\n${copies.join('\n')}`) };
  },
};

/** A chunk with more text at its end: what stands before keeps its lines, for the source map. */
function beforeExports(code: string, text: string): string {
  const at = code.lastIndexOf('\nexport {');
  if (at < 0) throw new Error('tsup.config.ts: a chunk that exports nothing');
  return `${code.slice(0, at)}\n\n${text}${code.slice(at)}`;
}

export default defineConfig({
  entry: { index: 'src/index.ts', 'node/index': 'src/node/index.ts' },
  format: ['esm', 'cjs'],
  target: 'es2022',
  platform: 'neutral',
  external: [/^node:/],
  removeNodeProtocol: false,
  // The types speak of `Symbol.dispose`, which the library of TypeScript's ES2022 lacks.
  dts: { banner: '/// <reference lib="esnext.disposable" />' },
  splitting: true,
  sourcemap: true,
  clean: true,
  treeshake: false,
  plugins: [plainNamespaces, codePerDatapath],
});
