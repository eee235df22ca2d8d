// Scenarios on which megaflow once differed from Open vSwitch, with Open vSwitch's answers: each is replayed and must
// agree. test/differential/run.mjs makes and shrinks them; this needs no Open vSwitch.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { describeDifference } from './differential/compare.mjs';
import { replayAndCompare } from './differential/examine.mjs';

type Scenario = import('./differential/scenario.js').Scenario;

const folder = fileURLToPath(new URL('./regressions/', import.meta.url));
const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];
const load = (name: string): Scenario => JSON.parse(readFileSync(`${folder}${name}`, 'utf8'));

describe('what differed once agrees', () => {
  it('has an answer of Open vSwitch on every step of every file', () => {
    const incomplete = files.filter((name) => {
      const { recordedFrom, steps } = load(name);
      return (
        !recordedFrom?.startsWith('Open vSwitch 3.1') ||
        steps.length === 0 ||
        steps.some((step) => step.expect === undefined)
      );
    });
    expect(incomplete).toEqual([]);
  });

  it.each(files)('%s', async (name) => {
    const path = new URL('./replay-scenario.mjs', import.meta.url).href;
    const { replayScenario } = await import(path);
    const { differences } = await replayAndCompare(load(name), replayScenario);
    expect(differences.map(describeDifference).join('\n')).toBe('');
  });
});
