// `npm run --silent example -- NAME ARGUMENTS...` runs examples/NAME.mjs in this process, with ARGUMENTS as its own.
// Without a NAME, or with one that does not exist, it lists those that do. package.json starts it with `exec`, so that
// a signal that npm is sent, and passes on, reaches the example and not a shell between the two.
// @ts-check
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = new URL('../examples/', import.meta.url);
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.mjs'))
  .map((file) => file.slice(0, -'.mjs'.length))
  .sort();

const name = process.argv[2];
if (name === undefined || !names.includes(name)) {
  if (name !== undefined) console.error(`there is no example named ${JSON.stringify(name)}`);
  console.error(`usage: npm run --silent example -- NAME ARGUMENTS...\nexamples: ${names.join(', ')}`);
  process.exit(2);
}

const example = new URL(`${name}.mjs`, folder);
process.argv.splice(1, 2, fileURLToPath(example));
if (!existsSync(new URL('../dist/index.js', import.meta.url))) {
  console.error('the library is not built: run `npm ci` or `npm run build` first');
  process.exit(2);
}
await import(example.href);
