// The differential test with fixed seeds: for each kind of scenario, Open vSwitch and megaflow do the same. More seeds:
// `node test/differential/run.mjs --help`. What differed once and was put right stays in test/regressions/.
import { describe, expect, it } from 'vitest';
import { describeDifference } from './compare.mjs';
import { examineSeed } from './examine.mjs';
import { kinds } from './generate.mjs';
import { missing } from './oracle.mjs';

/** Of every kind: as many as two minutes take. */
const seeds = [1, 2];

const reason = missing();
if (reason) console.warn(`\n*** The differential test is SKIPPED: Open vSwitch cannot be asked, ${reason} ***\n`);

describe.skipIf(reason !== null)('Open vSwitch and megaflow do the same', { concurrent: true }, () => {
  const cases = seeds.flatMap((seed) => Object.keys(kinds).map((kind): [string, number] => [kind, seed]));
  it.each(cases)('%s-%i', async (kind, seed) => {
    const path = new URL('../replay-scenario.mjs', import.meta.url).href;
    const { replayScenario } = await import(path);
    const found = await examineSeed(kind, seed, replayScenario, { milliseconds: 60_000 });
    if (found.outcome === 'unsteady')
      console.warn(`${kind}-${seed}: what Open vSwitch does depends on real time, not compared`);
    const differences = (found.shrunkDifferences ?? found.differences).map(describeDifference).join('\n');
    const shortest = JSON.stringify({ config: found.shrunk?.config, steps: found.shrunk?.steps });
    expect(found.outcome, `${differences}\nin the scenario ${shortest}`).not.toBe('differs');
  });
});
