// @ts-check
// Shrinks a scenario on which two switches differ to a short one on which they still do: fewer steps first (delta
// debugging), then fewer bridges, ports, mirrors, flows, addresses, options. It asks a function whether a candidate
// still differs, within a budget; it knows neither of the switches.

/** @typedef {import('./scenario.js').Scenario} Scenario */
/** @typedef {import('./scenario.js').Step} Step */
/**
 * Whether the two still differ on a scenario; false also where it cannot be configured.
 * @callback Differs
 * @param {Scenario} scenario
 * @returns {Promise<boolean>}
 */

/**
 * The parts of a scenario without which it may still differ, as candidates made anew from the scenario of the moment.
 * @param {Scenario} scenario
 * @returns {Scenario[]}
 */
function simplerConfigs(scenario) {
  /** @type {Scenario[]} */
  const out = [];
  /** @param {(copy: Scenario) => void} edit */
  const without = (edit) => {
    const copy = structuredClone(scenario);
    edit(copy);
    out.push(copy);
  };
  const { config } = scenario;
  config.bridges.forEach((bridge, b) => {
    without((copy) => copy.config.bridges.splice(b, 1));
    if (bridge.openflow) {
      without((copy) => delete copy.config.bridges[b].openflow);
      bridge.openflow.forEach((_, i) => without((copy) => copy.config.bridges[b].openflow?.splice(i, 1)));
    }
    if (bridge.floodVlans) without((copy) => delete copy.config.bridges[b].floodVlans);
    for (const key of Object.keys(bridge.otherConfig ?? {}))
      without((copy) => delete copy.config.bridges[b].otherConfig?.[key]);
    bridge.mirrors?.forEach((_, i) => without((copy) => copy.config.bridges[b].mirrors?.splice(i, 1)));
    bridge.ports.forEach((port, p) => {
      without((copy) => copy.config.bridges[b].ports.splice(p, 1));
      for (const key of /** @type {const} */ (['tag', 'trunks', 'vlanMode', 'cvlans', 'protected', 'otherConfig'])) {
        if (port[key] !== undefined) without((copy) => delete copy.config.bridges[b].ports[p][key]);
      }
      for (const key of Object.keys(port.interface?.options ?? {})) {
        if (key !== 'remote_ip' && key !== 'peer')
          without((copy) => delete copy.config.bridges[b].ports[p].interface?.options?.[key]);
      }
    });
  });
  for (const list of /** @type {const} */ (['neighbors', 'routes', 'addresses'])) {
    config[list]?.forEach((_, i) => without((copy) => copy.config[list]?.splice(i, 1)));
  }
  return out;
}

/**
 * @param {Scenario} scenario one on which they differ @param {Differs} differs
 * @param {{ questions?: number, milliseconds?: number }} [budget] at most so many questions, default 150, and so long
 * @returns {Promise<Scenario>} the shortest found; it differs as the first did or in another way
 */
export async function shrinkScenario(scenario, differs, { questions = 150, milliseconds = 120_000 } = {}) {
  const until = Date.now() + milliseconds;
  let best = scenario;
  /** @param {Scenario} candidate */
  const accept = async (candidate) => {
    if (questions <= 0 || Date.now() > until) return false;
    questions--;
    if (!(await differs(candidate))) return false;
    best = candidate;
    return true;
  };

  const minimizeSteps = async () => {
    for (let size = Math.ceil(best.steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let end = best.steps.length; end > 0; end -= size) {
        // From the end: what comes after the difference goes first, what leads to it stays longest.
        const start = Math.max(0, end - size);
        const steps = [...best.steps.slice(0, start), ...best.steps.slice(end)];
        if (steps.length > 0) await accept({ ...best, steps });
      }
    }
  };
  const minimizeConfig = async () => {
    let again = true;
    while (again) {
      again = false;
      for (let i = 0; ; i++) {
        const candidates = simplerConfigs(best);
        if (i >= candidates.length || questions <= 0 || Date.now() > until) break;
        if (await accept(candidates[i])) {
          again = true;
          i--;
        }
      }
    }
  };

  let before = -1;
  while (before !== JSON.stringify(best).length && questions > 0 && Date.now() < until) {
    before = JSON.stringify(best).length;
    await minimizeSteps();
    await minimizeConfig();
  }
  return best;
}
