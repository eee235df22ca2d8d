#!/usr/bin/env node
// @ts-check
// The differential test as a command: invents scenarios, asks Open vSwitch and megaflow, prints a line each and, where
// they differ, shrinks the scenario and writes it with Open vSwitch's answers, ready for test/regressions/.
// What the options are: run.mjs --help. Exit 0 when all agree, 1 when not, 2 on bad usage.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeDifference } from './compare.mjs';
import { examineSeed } from './examine.mjs';
import { generate, kinds, moreKindNames, recordedKindNames } from './generate.mjs';
import { missing, record } from './oracle.mjs';

/** @typedef {import('./scenario.js').Scenario} Scenario */

const usage = `usage: node test/differential/run.mjs [options]
  --kinds a,b      which kinds, or "recorded", "more", "all" (default all):
                   ${Object.keys(kinds).join(', ')}
  --seeds 1-20     which seeds: numbers and ranges, by commas (default 1-3)
  --frames N       about how many frames a scenario has (default: as suits the kind)
  --out DIR        where the shrunk scenarios go that differ (default differences)
  --record-only DIR  ask Open vSwitch only and write what it did to DIR/KIND-SEED.json
  --no-shrink      write what differs as it is
  --jobs N         so many scenarios at a time (default 2)
  --max N          print at most N differences of a scenario (default 3)`;

/** @param {string} problem @returns {never} */
function refuse(problem) {
  console.error(`${problem}\n${usage}`);
  process.exit(2);
}

function parseOptions() {
  try {
    return parseArgs({
      options: {
        kinds: { type: 'string', default: 'all' },
        seeds: { type: 'string', default: '1-3' },
        frames: { type: 'string' },
        out: { type: 'string', default: 'differences' },
        'record-only': { type: 'string' },
        'no-shrink': { type: 'boolean', default: false },
        jobs: { type: 'string', default: '2' },
        max: { type: 'string', default: '3' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

/** @param {string} name @param {string} text */
function parseCount(name, text) {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) refuse(`--${name}: not a number from 1: ${text}`);
  return count;
}

/** @param {string} text */
function parseSeeds(text) {
  return text.split(',').flatMap((part) => {
    const range = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (!range) return refuse(`--seeds: neither a number nor a range: ${part}`);
    const low = Number(range[1]);
    const high = Number(range[2] ?? range[1]);
    return Array.from({ length: Math.max(0, high - low + 1) }, (_, i) => low + i);
  });
}

/** @param {string} text */
function parseKinds(text) {
  return text.split(',').flatMap((name) => {
    if (name === 'all') return Object.keys(kinds);
    if (name === 'recorded') return recordedKindNames;
    if (name === 'more') return moreKindNames;
    return kinds[name] ? [name] : refuse(`--kinds: no such kind: ${name}`);
  });
}

const options = parseOptions();
if (options.help) {
  console.log(usage);
  process.exit(0);
}
const reason = missing();
if (reason) refuse(`Open vSwitch cannot be asked: ${reason}`);
const frames = options.frames === undefined ? undefined : parseCount('frames', options.frames);
const max = parseCount('max', options.max);
const jobs = parseCount('jobs', options.jobs);
const recordOnly = options['record-only'];
const out = recordOnly ?? options.out;
const chosenKinds = parseKinds(options.kinds);
const work = parseSeeds(options.seeds).flatMap((seed) => chosenKinds.map((kind) => ({ kind, seed })));
// An interrupt ends the process through `exit`, where the oracles are cleared away.
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) process.on(signal, () => process.exit(130));

/** @param {Scenario} scenario */
const framesOf = (scenario) => scenario.steps.filter((step) => step.receive).length;
/** @param {Scenario} scenario */
const sizeOf = (scenario) => `${scenario.steps.length} steps, ${framesOf(scenario)} frames`;
const total = { scenarios: 0, frames: 0, agrees: 0, differs: 0, unsteady: 0, failed: 0 };

/** @param {string} name @param {Scenario} scenario */
function write(name, scenario) {
  mkdirSync(out, { recursive: true });
  const path = join(out, `${name}.json`);
  writeFileSync(path, `${JSON.stringify(scenario, null, 1)}\n`);
  return path;
}

/** @type {(scenario: Scenario) => Scenario | Promise<Scenario>} */
let replay = (scenario) => scenario;
if (!recordOnly) {
  const path = new URL('../replay-scenario.mjs', import.meta.url).href;
  ({ replayScenario: replay } = await import(path));
}

/** @param {{ kind: string, seed: number }} item */
async function examineItem({ kind, seed }) {
  const name = `${kind}-${seed}`;
  const began = Date.now();
  const seconds = () => `${((Date.now() - began) / 1000).toFixed(1)} s`;
  total.scenarios++;
  try {
    if (recordOnly) {
      const recorded = await record(generate(kind, seed, frames));
      total.frames += framesOf(recorded);
      console.log(`${name}: recorded, ${sizeOf(recorded)}, ${seconds()} -> ${write(name, recorded)}`);
      return;
    }
    const found = await examineSeed(kind, seed, replay, { frames, shrink: !options['no-shrink'] });
    total.frames += framesOf(found.recorded);
    total[found.outcome]++;
    const size = `${sizeOf(found.recorded)}, ${seconds()}`;
    if (found.outcome === 'agrees') console.log(`${name}: agrees, ${size}`);
    else if (found.outcome === 'unsteady')
      console.log(`${name}: unsteady, what Open vSwitch does depends on real time, ${size}`);
    else {
      const kept = found.shrunk ?? found.recorded;
      const differences = found.shrunkDifferences ?? found.differences;
      const path = write(name, kept);
      console.log(`${name}: DIFFERS ${found.differences.length} times, ${size}; ${kept.steps.length} steps -> ${path}`);
      for (const difference of differences.slice(0, max))
        console.log(describeDifference(difference).replace(/^/gm, '    '));
    }
  } catch (error) {
    total.failed++;
    console.log(`${name}: FAILED after ${seconds()}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const queue = [...work];
await Promise.all(
  Array.from({ length: jobs }, async () => {
    for (let item = queue.shift(); item; item = queue.shift()) await examineItem(item);
  }),
);
const verdict = recordOnly ? 'recorded' : `${total.agrees} agree, ${total.differs} differ, ${total.unsteady} unsteady`;
console.log(`${total.scenarios} scenarios, ${total.frames} frames: ${verdict}, ${total.failed} failed`);
process.exit(total.differs + total.failed > 0 ? 1 : 0);
