// A browser without a browser: bundles a module as for a page, and gives it a realm of its own in which there is what
// the language has and what every browser adds, and nothing of Node. It has no DOM and draws nothing.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createContext, Script } from 'node:vm';
import { build } from 'tsup';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The global variable under which a bundle leaves its exports. */
export const bundleName = 'bundle';

/**
 * One classic script that sets the global `bundle` to the exports of the TypeScript module at `entry` (a path).
 * Rejects if it, or anything that it imports, imports what is not a file: a module of Node, or a package.
 */
export async function bundleForBrowser(entry: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'megaflow-browser-'));
  try {
    await build({
      config: false,
      entry: { [bundleName]: entry },
      format: 'iife',
      globalName: bundleName,
      platform: 'browser',
      target: 'es2022',
      tsconfig: join(root, 'tsconfig.json'),
      outDir: folder,
      silent: true,
      removeNodeProtocol: false,
      esbuildPlugins: [
        {
          name: 'nothing-from-outside',
          setup: ({ onResolve }) =>
            onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
              kind === 'entry-point' ? undefined : { errors: [{ text: `${path} is not in a browser` }] },
            ),
        },
      ],
      esbuildOptions: (options) => {
        options.logLevel = 'silent';
      },
    });
    return readFileSync(join(folder, `${bundleName}.global.js`), 'utf8');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A page: `run` evaluates a classic script in it and answers its value. */
export interface Page {
  run(script: string): unknown;
}

/** A new page. As under a strict content security policy, it refuses to make code from text (`eval`, `Function`). */
export function openPage(): Page {
  const browser = {
    TextEncoder,
    TextDecoder,
    AbortController,
    AbortSignal,
    setTimeout: (callback: () => void, delayMs: number): number => Number(setTimeout(callback, delayMs)),
    clearTimeout: (handle: number): void => clearTimeout(handle),
    queueMicrotask,
    performance,
  };
  const context = createContext({ ...browser }, { codeGeneration: { strings: false, wasm: false } });
  // Only pages that are isolated from other origins have it.
  new Script('delete globalThis.SharedArrayBuffer').runInContext(context);
  return { run: (script) => new Script(script).runInContext(context) };
}
