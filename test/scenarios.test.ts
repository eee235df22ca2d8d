// The recorded scenarios of test/scenarios: replayed, each step must be what Open vSwitch 3.1 did, by the rules of the
// FORMAT.md beside them; and with the exact-match cache off everything must be what it is with it, byte for byte.
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { compareScenarios, describeDifference } from './differential/compare.mjs';
import { replayScenario } from './replay-scenario.mjs';

type Scenario = import('./differential/scenario.js').Scenario;

const folder = fileURLToPath(new URL('./scenarios/', import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
const load = (name: string): Scenario => JSON.parse(readFileSync(`${folder}${name}`, 'utf8'));

/** A scenario without the answers, so that none can be copied. */
function bare(scenario: Scenario): Scenario {
  const questions = structuredClone(scenario);
  for (const step of questions.steps) delete step.expect;
  return questions;
}

describe('recorded scenarios', () => {
  it('are all there, with an answer of Open vSwitch 3.1 on every step', () => {
    const kinds = ['change', 'churn', 'ipv6', 'kernel', 'l2', 'malformed', 'qinq', 'rx', 'seed', 'tx', 'vlan'];
    expect(kinds.filter((kind) => !files.some((name) => name.startsWith(kind)))).toEqual([]);
    for (const name of files) {
      const { recordedFrom, steps } = load(name);
      expect([name, recordedFrom]).toEqual([name, 'Open vSwitch 3.1.0']);
      expect(steps.length).toBeGreaterThan(10);
      expect(steps.filter((step) => step.expect === undefined)).toEqual([]);
    }
  });

  it.each(files)('%s agrees', (name) => {
    const recorded = load(name);
    const differences = compareScenarios(recorded, replayScenario(bare(recorded)));
    expect(differences.map(describeDifference).join('\n')).toBe('');
  });

  it.each(files)('%s is the same without the exact-match cache', (name) => {
    const questions = bare(load(name));
    const cached: Scenario = replayScenario(questions);
    expect(replayScenario(questions, { exactMatchEntries: 0 })).toEqual(cached);
    // And once more with it: nothing depends on what was before.
    expect(replayScenario(questions)).toEqual(cached);
  });
});
