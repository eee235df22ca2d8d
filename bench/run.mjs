// npm run bench [-- --json | --baseline | --growth | --tables] [--quick]: what each stage of the fast path takes, in nanoseconds of processor time a packet.
//
//   --json      one JSON object instead of a table
//   --baseline  forward, encapsulate and decapsulate beside baseline.c, compiled here by the C compiler, in turn in the same rounds; the
//               ratios are what carries over to another machine
//   --growth    what a packet takes as frames, subtables and flows grow (growth.mjs), and what flows cost beside (tables.mjs)
//   --tables    that last part alone: memory, upcalls, sweeps
//   --ports     what the ports of megaflow/node carry, in frames a second (ports.mjs); root for macvtap
//   --peers     the pure functions beside other packages that decode frames (peers.mjs), which are installed in bench/peers/
//   --two       two switches in one process beside one alone
//   --multicore two workers beside one (multicore.mjs)
//   --quick     fewer packets and rounds
//
// Figures are medians over rounds in which the cases take turns, warm; the spread is that of the middle half of the rounds. Each end-to-end
// case runs in a process of its own, pinned to one core where `taskset` is there, as its users' datapath would.
// @ts-check
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FLOWS, STAGES, createBench } from './end-to-end.mjs';
import { FRAME_BYTES, SUBTABLES, createFrameBench, createSubtableBench } from './growth.mjs';
import { createStages } from './stages.mjs';

const flags = new Set(process.argv.slice(2));
const known = [
  '--json',
  '--baseline',
  '--growth',
  '--tables',
  '--peers',
  '--two',
  '--multicore',
  '--ports',
  '--quick',
  '--one',
  '--stages',
];
const isQuick = flags.has('--quick');
const ROUNDS = isQuick ? 5 : 9;
const PACKETS = isQuick ? 1 << 18 : 1 << 20;
const self = fileURLToPath(import.meta.url);

/**
 * @typedef {{ stage: string, flows: number, subtables: number, frameBytes: number, nsPerPacket: number, spread: number }} Result
 */

/** @param {readonly number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

/** The middle half of the values, as a part of their median. @param {readonly number[]} values */
function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const quarter = sorted.length >> 2;
  return (sorted[sorted.length - 1 - quarter] - sorted[quarter]) / sorted[sorted.length >> 1];
}

const pin = spawnSync('taskset', ['--version']).status === 0 ? ['taskset', '-c', String(cpus().length - 1)] : [];

/** Runs a command pinned; answers what it prints. @param {readonly string[]} words @param {Record<string, string>} [env] */
function runPinned(words, env = {}) {
  const [command, ...rest] = [...pin, ...words];
  return execFileSync(command, rest, { encoding: 'utf8', env: { ...process.env, ...env } });
}

/** One round of an end-to-end case, in a process of its own. @param {string} stage @param {number} flows */
function runOne(stage, flows) {
  const quick = isQuick ? ['--quick'] : [];
  return Number(runPinned([process.execPath, self, '--one', stage, String(flows), ...quick]));
}

/** `--ports`: in a process of its own, pinned. */
function ports() {
  const file = fileURLToPath(new URL('ports.mjs', import.meta.url));
  const [command, ...rest] = [...pin, process.execPath, file, ...(isQuick ? ['--quick'] : [])];
  process.exitCode = spawnSync(command, rest, { stdio: 'inherit' }).status ?? 1;
}

/** `--one STAGE FLOWS`: the process of a case: warm, then the median of a few rounds. */
async function one() {
  const at = process.argv.indexOf('--one');
  const bench = await createCase(process.argv[at + 1], Number(process.argv[at + 2]));
  for (let warm = 0; warm < 3; warm++) bench.run(PACKETS);
  console.log(median(Array.from({ length: 5 }, () => bench.run(PACKETS))));
  // Its port never runs dry: left open, the datapath would go on taking turns.
  bench.datapath.close();
}

/** `--one subtables N`, `--one frame N`: the same of what grows. @param {string} kind @param {number} size */
function createCase(kind, size) {
  if (kind === 'subtables') return createSubtableBench(size);
  if (kind === 'frame') return createFrameBench(size);
  if (kind.startsWith('two-')) return createPair(/** @type {typeof STAGES[number]} */ (kind.slice(4)), size);
  return createBench(/** @type {typeof STAGES[number]} */ (kind), size);
}

/**
 * Two switches that take turns of 64 bursts, each with ports of its own code, as two users have: a loop that two instances share is half as fast.
 * @param {typeof STAGES[number]} stage @param {number} flows
 */
async function createPair(stage, flows) {
  const { createMemoryPort } = await import(`${'./memory-port.mjs'}?second`);
  const pair = [createBench(stage, flows), createBench(stage, flows, { createPort: createMemoryPort })];
  const turn = 64 * 32;
  return {
    run(/** @type {number} */ packets) {
      let time = 0;
      for (let done = 0; done < packets; done += 2 * turn) for (const { run } of pair) time += run(turn) * turn;
      return time / packets;
    },
    datapath: { close: () => pair.forEach(({ datapath }) => datapath.close()) },
  };
}

/** `--stages`: the single steps, as JSON. */
async function stages() {
  const steps = await createStages();
  for (const step of steps) for (let warm = 0; warm < 3; warm++) step.run(PACKETS);
  const times = steps.map(() => /** @type {number[]} */ ([]));
  for (let round = 0; round < ROUNDS; round++) steps.forEach((step, index) => times[index].push(step.run(PACKETS)));
  /** @type {Result[]} */
  const results = steps.map(({ stage, frameBytes }, index) => ({
    stage,
    flows: 1,
    subtables: 1,
    frameBytes,
    nsPerPacket: median(times[index]),
    spread: spread(times[index]),
  }));
  console.log(JSON.stringify(results));
}

/** The classifier alone (lookup.mjs): its table of figures. */
async function lookups() {
  const { measureLookup } = await import('./lookup.mjs');
  /** @type {Result[]} */
  const results = [];
  await measureLookup({
    full: false,
    report: (/** @type {any} */ figure) => {
      const { kind, flows, subtables, nsPerPacket, spread: part } = figure;
      // The tuple space is what is meant by look-up where flows differ in their masks; the cache answers the single megaflow.
      if (kind === 'exact match' || subtables > 1)
        results.push({ stage: 'lookup', flows, subtables, frameBytes: 64, nsPerPacket, spread: part });
    },
  });
  return results;
}

/** @returns {Result[]} */
function endToEnd() {
  return STAGES.flatMap((stage) =>
    FLOWS.map((flows) => {
      const times = Array.from({ length: isQuick ? 1 : 3 }, () => runOne(stage, flows));
      const frameBytes = stage === 'decapsulate' ? 114 : 64;
      return { stage, flows, subtables: 1, frameBytes, nsPerPacket: median(times), spread: spread(times) };
    }),
  );
}

/** @param {readonly Result[]} results */
function printTable(results) {
  console.log('stage         flows  subtables  frame    ns/packet    Mpps  spread');
  for (const { stage, flows, subtables, frameBytes, nsPerPacket, spread: part } of results) {
    const columns = [
      stage.padEnd(12),
      String(flows).padStart(6),
      String(subtables).padStart(10),
      String(frameBytes || '').padStart(6),
      nsPerPacket.toFixed(1).padStart(12),
      (1000 / nsPerPacket).toFixed(1).padStart(7),
      `${(part * 100).toFixed(0)}%`.padStart(7),
    ];
    console.log(columns.join(' '));
  }
}

/** Rounds in which baseline.c and megaflow take turns: the ratios of their times. */
function baseline() {
  const folder = mkdtempSync(join(tmpdir(), 'megaflow-bench-'));
  try {
    const program = join(folder, 'baseline');
    // Processor time on both sides: other processes must not count.
    const source = readFileSync(new URL('baseline.c', import.meta.url), 'utf8').replace(
      'CLOCK_MONOTONIC',
      'CLOCK_PROCESS_CPUTIME_ID',
    );
    execFileSync('cc', ['-O3', '-march=native', '-x', 'c', '-o', program, '-'], { input: source });
    const rounds = isQuick ? 3 : 5;
    console.log('megaflow ÷ baseline.c: median over rounds, and the range');
    STAGES.forEach((stage, mode) => {
      for (const flows of FLOWS) {
        const ratios = [];
        const ours = [];
        const theirs = [];
        for (let round = 0; round < rounds; round++) {
          theirs.push(Number(runPinned([program], { ONE: `${mode},${flows}` })));
          ours.push(runOne(stage, flows));
          ratios.push(ours[round] / theirs[round]);
        }
        const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
        const times = `${median(ours).toFixed(1)} ns beside ${median(theirs).toFixed(1)} ns`;
        console.log(
          `${stage.padEnd(12)} ${String(flows).padStart(6)}   ${median(ratios).toFixed(2)}   (${range})   ${times}`,
        );
      }
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Each case in turn, a few rounds, and its ratio to the first of its kind. */
function growth() {
  /** @type {[kind: string, sizes: readonly number[]][]} */
  const kinds = [
    ['frame', FRAME_BYTES],
    ['subtables', SUBTABLES],
    ['forward', FLOWS],
  ];
  for (const [kind, sizes] of kinds) {
    const times = sizes.map(() => /** @type {number[]} */ ([]));
    for (let round = 0; round < (isQuick ? 1 : 5); round++)
      sizes.forEach((size, index) => times[index].push(runOne(kind, size)));
    sizes.forEach((size, index) => {
      const time = median(times[index]);
      console.log(
        `${kind.padEnd(10)} ${String(size).padStart(6)}   ${time.toFixed(1).padStart(7)} ns   ${(time / median(times[0])).toFixed(2)}`,
      );
    });
  }
  tables();
}

/** What flows cost beside: memory, upcalls, sweeps. */
function tables() {
  console.log(
    runPinned([
      process.execPath,
      '--expose-gc',
      fileURLToPath(new URL('tables.mjs', import.meta.url)),
      ...(isQuick ? ['--quick'] : []),
    ]).trimEnd(),
  );
}

/** One switch and two of them in turn, each in processes of their own. */
function two() {
  console.log('two switches in one process ÷ one alone, a packet each: median over rounds, and the range');
  for (const stage of STAGES) {
    for (const flows of FLOWS) {
      /** @type {number[]} */
      const alone = [];
      /** @type {number[]} */
      const both = [];
      for (let round = 0; round < (isQuick ? 1 : 5); round++) {
        alone.push(runOne(stage, flows));
        both.push(runOne(`two-${stage}`, flows));
      }
      const ratios = both.map((time, round) => time / alone[round]);
      const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
      const times = `${median(both).toFixed(1)} ns beside ${median(alone).toFixed(1)} ns`;
      console.log(
        `${stage.padEnd(12)} ${String(flows).padStart(6)}   ${median(ratios).toFixed(2)}   (${range})   ${times}`,
      );
    }
  }
}

/** A benchmark that is a file of its own. @param {string} file @param {readonly string[]} [before] Words before the command: pinned by default. */
function runFile(file, before = pin) {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const [command, ...rest] = [...before, process.execPath, path, ...(isQuick ? ['--quick'] : [])];
  execFileSync(command, rest, { stdio: 'inherit' });
}

/** What each flag does; the first that is given. Without any, all figures are printed. */
const modes = {
  '--one': one,
  '--stages': stages,
  '--baseline': baseline,
  '--growth': growth,
  '--tables': tables,
  '--ports': ports,
  '--peers': () => runFile('peers.mjs'),
  '--two': two,
  '--multicore': () => runFile('multicore.mjs', []),
};

if (process.argv.slice(2).some((word) => !known.includes(word)) && !flags.has('--one')) {
  const shown = known.filter((flag) => flag !== '--one' && flag !== '--stages').map((flag) => `[${flag}]`);
  console.error(`usage: npm run bench -- ${shown.join(' ')}`);
  process.exit(2);
}
const mode = Object.entries(modes).find(([flag]) => flags.has(flag));
if (mode !== undefined) await mode[1]();
else {
  const single = JSON.parse(runPinned([process.execPath, self, '--stages', ...(isQuick ? ['--quick'] : [])]));
  const results = [...single, ...(await lookups()), ...endToEnd()];
  if (flags.has('--json')) console.log(JSON.stringify({ node: process.version, cpu: cpus()[0].model, results }));
  else printTable(results);
}
