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
    const end = code.lastIndexOf('\nexport {');
    if (objects.length === 0 || end < 0) return undefined;
    return { code: `${code.slice(0, end)}\n\n// Namespaces\n${objects.join('\n')}${code.slice(end)}` };
  },
};

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
  plugins: [plainNamespaces],
});
