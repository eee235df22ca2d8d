// The differential test with fixed seeds: for each kind of scenario, Open vSwitch and megaflow do the same. More seeds:
// `node test/differential/run.mjs --help`. What differed once and was put right stays in test/regressions/.
import { describe, expect, it } from 'vitest';
import { describeDifference } from './compare.mjs';
import { examineSeed } from './examine.mjs';
import { kinds } from './generate.mjs';
import { missing } from './oracle.mjs';

/** Three seeds of every kind are 81 scenarios and about 3600 frames: two at a time, some two minutes. */
const seeds = [1, 2, 3];

const reason = missing();
if (reason) console.warn(`\n*** The differential test is SKIPPED: Open vSwitch cannot be asked, ${reason} ***\n`);

describe.skipIf(reason !== null)('Open vSwitch and megaflow do the same', { concurrent: true }, () => {
  const cases = seeds.flatMap((seed) => Object.keys(kinds).map((kind) => ({ kind, seed })));
  it.each(cases)('$kind-$seed', async ({ kind, seed }) => {
    const path = new URL('../replay-scenario.mjs', import.meta.url).href;
    const { replayScenario } = await import(path);
    const found = await examineSeed(kind, seed, replayScenario, { milliseconds: 60_000 });
    if (found.outcome === 'unsteady') console.warn(`${kind}-${seed}: Open vSwitch did not do the same twice`);
    const differences = (found.shrunkDifferences ?? found.differences).map(describeDifference).join('\n');
    const shortest = JSON.stringify({ config: found.shrunk?.config, steps: found.shrunk?.steps });
    expect(found.outcome, `${differences}\nin the scenario ${shortest}`).not.toBe('differs');
  });
});
