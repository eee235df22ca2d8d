// Loads a TypeScript module of the project, bundled for this process by the bundler that comes with tsup. Benchmarks use
// it to reach what is not in the public entry points. Nothing is type-checked here.
import { build } from 'esbuild';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The module at `path`, relative to the project's root. Each call makes instances of its own. */
export async function load(path) {
  const folder = await mkdtemp(join(tmpdir(), 'megaflow-bench-'));
  try {
    const outfile = join(folder, 'module.mjs');
    await build({
      entryPoints: [join(root, path)],
      outfile,
      bundle: true,
      format: 'esm',
      target: 'es2022',
      platform: 'neutral',
      external: ['node:*'],
      logLevel: 'error',
    });
    return await import(pathToFileURL(outfile).href);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
