// @ts-check
// What counts as agreement with a recording: the rules of FORMAT.md beside the recorded scenarios, as functions that
// answer with data. Nothing here prints.

/** @typedef {import('./scenario.js').Scenario} Scenario */
/** @typedef {import('./scenario.js').Step} Step */
/**
 * @typedef {object} Difference
 * @property {number} step index of the step
 * @property {string} what the command, or the port and what caused it to send
 * @property {string[]} expected lines or frames, as they were compared
 * @property {string[]} observed
 */

/**
 * What counts of a command's output: its lines in any order, without times.
 * @param {Step} step @param {string} text
 */
function canonicalText(step, text) {
  const lines = text
    .split('\n')
    // Identifiers of flows are made of a random number of the process.
    .map((line) => line.trimEnd().replace(/ufid:[0-9a-f-]{36}/, 'ufid:N'))
    .filter(Boolean);
  switch (step.appctl?.[0]) {
    case 'dpctl/dump-flows':
      return lines
        .filter((line) => !line.startsWith('flow-dump from'))
        .map((line) => line.replace(/used:[0-9.]+s/, 'used:T'))
        .sort();
    case 'dpctl/show':
      return lines.map((line) => line.trim()).filter((line) => /^(lookups|flows):/.test(line));
    case 'fdb/show':
      return lines.map((line) => line.replace(/\d+$/, 'N').trim().replace(/\s+/g, ' ')).sort();
    default:
      return lines.sort();
  }
}

/**
 * An ARP request or neighbour solicitation that a bridge sent for itself.
 * @param {string} frame @param {Set<string>} ownMacs
 */
function isOwnRequest(frame, ownMacs) {
  if (!ownMacs.has(frame.slice(12, 24))) return false;
  if (frame.startsWith('0806', 24)) return frame.startsWith('0001', 40);
  return frame.startsWith('86dd', 24) && frame.startsWith('3a', 40) && frame.startsWith('87', 108);
}

/**
 * The frames of one port in order; a request that a bridge repeats within the step counts once.
 * @param {string[]} frames @param {Set<string>} ownMacs
 */
function canonicalFrames(frames, ownMacs) {
  /** @type {string[]} */
  const out = [];
  for (const frame of frames) {
    const hex = String(frame).toLowerCase();
    if (!(isOwnRequest(hex, ownMacs) && out.includes(hex))) out.push(hex);
  }
  return out;
}

/** @param {string[]} a @param {string[]} b */
const same = (a, b) => a.length === b.length && a.every((value, i) => value === b[i]);

/**
 * Where two accounts of one scenario differ.
 * @param {Scenario} expected with Open vSwitch's answers @param {Scenario} observed with the answers of another
 * @returns {Difference[]}
 */
export function compareScenarios(expected, observed) {
  const ownMacs = new Set(expected.config.bridges.map((bridge) => bridge.mac.replaceAll(':', '').toLowerCase()));
  /** @type {Difference[]} */
  const differences = [];
  expected.steps.forEach((step, index) => {
    const want = step.expect;
    const got = observed.steps[index]?.expect;
    if (want === undefined) throw new Error(`${expected.name}: step ${index} has no expect`);
    if (got === undefined || got === null) {
      differences.push({ step: index, what: 'no answer', expected: [], observed: [] });
      return;
    }
    if (typeof want === 'string') {
      if (expected.compare === 'frames') return;
      const a = canonicalText(step, want);
      const b = canonicalText(step, String(got));
      if (!same(a, b)) differences.push({ step: index, what: (step.appctl ?? []).join(' '), expected: a, observed: b });
      return;
    }
    const sent = typeof got === 'string' ? {} : got;
    const cause = step.receive
      ? `${step.receive.port} <- ${step.receive.frame}`
      : JSON.stringify(step.change ?? { advance: step.advance });
    for (const port of new Set([...Object.keys(want), ...Object.keys(sent)])) {
      const a = canonicalFrames(want[port] ?? [], ownMacs);
      const b = canonicalFrames(sent[port] ?? [], ownMacs);
      if (!same(a, b))
        differences.push({ step: index, what: `out of ${port} after ${cause}`, expected: a, observed: b });
    }
  });
  return differences;
}

/**
 * A difference for people: what was missing and what came instead.
 * @param {Difference} difference
 */
export function describeDifference({ step, what, expected, observed }) {
  const missing = expected.filter((line) => !observed.includes(line));
  const extra = observed.filter((line) => !expected.includes(line));
  const lines = [
    `step ${step}: ${what}`,
    ...missing.map((line) => `  expected  ${line}`),
    ...extra.map((line) => `  observed  ${line}`),
  ];
  if (missing.length + extra.length === 0) {
    lines.push(`  the same, ${expected.length} and ${observed.length} times or in another order`);
    lines.push(...expected.map((line) => `  expected  ${line}`), ...observed.map((line) => `  observed  ${line}`));
  }
  return lines.join('\n');
}
