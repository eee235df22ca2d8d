// @ts-check
// npm run --silent replay -- FILE: the scenario in FILE, with what megaflow did in each step's `expect`, on standard output.
import { readFileSync } from 'node:fs';
import { replayScenario } from './replay-scenario.mjs';

const [file] = process.argv.slice(2);
if (!file) {
  console.error('usage: npm run --silent replay -- FILE');
  process.exit(2);
}
process.stdout.write(`${JSON.stringify(replayScenario(JSON.parse(readFileSync(file, 'utf8'))), null, 1)}\n`);
