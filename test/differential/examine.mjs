// @ts-check
// One scenario put to both switches: recorded with Open vSwitch, replayed with megaflow, compared, and shrunk where
// they differ. Answers with data.
import { compareScenarios } from './compare.mjs';
import { generate } from './generate.mjs';
import { record } from './oracle.mjs';
import { shrinkScenario } from './shrink.mjs';

/** @typedef {import('./scenario.js').Scenario} Scenario */
/** @typedef {import('./compare.mjs').Difference} Difference */
/** @typedef {(scenario: Scenario) => Scenario | Promise<Scenario>} Replay */
/**
 * @typedef {object} Finding
 * @property {'agrees' | 'differs' | 'unsteady'} outcome unsteady: Open vSwitch's answers depend on real time
 * @property {Scenario} recorded with Open vSwitch's answers
 * @property {Difference[]} differences
 * @property {Error} [error] what the replay threw
 * @property {Scenario} [shrunk] the shortest that still differs, with Open vSwitch's answers
 * @property {Difference[]} [shrunkDifferences]
 */

/**
 * Replay and compare. A replay that throws, or none at all, is a difference too.
 * @param {Scenario} recorded @param {Replay} replay
 * @returns {Promise<{ differences: Difference[], error?: Error }>}
 */
export async function replayAndCompare(recorded, replay) {
  const bare = structuredClone(recorded);
  for (const step of bare.steps) delete step.expect;
  try {
    return { differences: compareScenarios(recorded, await replay(bare)) };
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    return {
      differences: [{ step: -1, what: `threw ${error.stack ?? error.message}`, expected: [], observed: [] }],
      error,
    };
  }
}

/**
 * Whether Open vSwitch gives the same answers again, and at another pace: it has threads of its own, a loaded machine
 * may be late, and what depends on that is nobody's fault.
 * @param {Scenario} recorded
 */
async function isSteady(recorded) {
  // More than once: the order of flows in Open vSwitch's tables follows a random number, and with it what a sweep sends.
  for (const eager of [true, false, false, false]) {
    if (compareScenarios(recorded, await record(recorded, { eager })).length > 0) return false;
  }
  return true;
}

/**
 * @param {Scenario} scenario @param {Replay} replay
 * @param {{ shrink?: boolean, questions?: number, milliseconds?: number }} [options] of shrinking
 * @returns {Promise<Finding>}
 */
export async function examine(scenario, replay, { shrink = true, ...budget } = {}) {
  const recorded = await record(scenario);
  const { differences, error } = await replayAndCompare(recorded, replay);
  const found = { recorded, differences, ...(error ? { error } : {}) };
  if (differences.length === 0) return { outcome: 'agrees', ...found };
  if (!(await isSteady(recorded))) return { outcome: 'unsteady', ...found };
  if (!shrink) return { outcome: 'differs', ...found };

  // The answers after the first difference follow from it: what comes later is left out from the start.
  const first = differences.reduce((earliest, { step }) => Math.min(earliest, step), Infinity);
  /** @type {{ recorded: Scenario, differences: Difference[] } | undefined} */
  let last;
  /** @param {Scenario} candidate */
  const differs = async (candidate) => {
    let answers;
    try {
      answers = await record(candidate);
    } catch {
      return false;
    }
    const comparison = await replayAndCompare(answers, replay);
    // A candidate that the other side refuses to configure shows nothing, unless throwing is what is being looked for.
    if (comparison.differences.length === 0 || (comparison.error !== undefined && error === undefined)) return false;
    if (!(await isSteady(answers))) return false;
    last = { recorded: answers, differences: comparison.differences };
    return true;
  };
  const head = { ...scenario, steps: scenario.steps.slice(0, first < 0 ? scenario.steps.length : first + 1) };
  const start = (await differs(head)) ? head : scenario;
  await shrinkScenario(start, differs, budget);
  return {
    outcome: 'differs',
    ...found,
    shrunk: last?.recorded ?? recorded,
    shrunkDifferences: last?.differences ?? differences,
  };
}

/**
 * @param {string} kind @param {number} seed @param {Replay} replay
 * @param {{ frames?: number | undefined, shrink?: boolean, questions?: number, milliseconds?: number }} [options]
 */
export const examineSeed = (kind, seed, replay, { frames, ...options } = {}) =>
  examine(generate(kind, seed, frames), replay, options);
