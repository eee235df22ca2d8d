// The build: both entry points as ES modules and as CommonJS, with types for each. The modules share chunks, so that a
// switch made by `megaflow` and a port made by `megaflow/node` agree on what a class is.
import { defineConfig } from 'tsup';

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
});
