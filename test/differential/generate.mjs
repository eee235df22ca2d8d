// @ts-check
// From a kind and a seed, a scenario without answers: a configuration and traffic that try that side of the switch. The
// same kind, seed and size give the same scenario. What the kinds are is in kinds/.
import { createRandom } from './random.mjs';
import { fdb, flood, l2, malformed, mirror, mtu, patch, protectedPorts } from './kinds/bridges.mjs';
import { chaos, commands, fields, spoiled } from './kinds/mixed.mjs';
import { change, openflow, tables } from './kinds/rules.mjs';
import { inherit, ipv6Underlay, kernel, keys, rx, seed, tx } from './kinds/tunnels.mjs';
import { ageing, churn, local, moves, neighbors, routes } from './kinds/underlay.mjs';
import { overlay, qinq, vlan } from './kinds/vlans.mjs';

/** @typedef {import('./scenario.js').Scenario} Scenario */
/** @typedef {import('./random.mjs').Random} Random */
/**
 * @typedef {(random: Random, frames?: number) => Pick<Scenario, 'config' | 'steps' | 'compare'>} Kind
 * makes one scenario with about so many frames, or as many as suit the kind
 */

/** The kinds that were recorded beside FORMAT.md. @type {Readonly<Record<string, Kind>>} */
const recordedKinds = {
  seed,
  l2,
  tx,
  rx,
  kernel,
  churn,
  ipv6: ipv6Underlay,
  vlan,
  qinq,
  malformed,
  openflow,
  change,
};

/** What those leave out, each one thing. @type {Readonly<Record<string, Kind>>} */
const moreKinds = {
  patch,
  keys,
  mirror,
  fdb,
  protected: protectedPorts,
  flood,
  ageing,
  moves,
  neighbors,
  routes,
  inherit,
  local,
  mtu,
  overlay,
  tables,
  fields,
  spoiled,
  commands,
  chaos,
};

/** @type {Readonly<Record<string, Kind>>} */
export const kinds = { ...recordedKinds, ...moreKinds };
export const recordedKindNames = Object.keys(recordedKinds);
export const moreKindNames = Object.keys(moreKinds);

/**
 * @param {string} kind @param {number} seed @param {number} [frames] about how many frames; absent: as suits the kind
 * @returns {Scenario}
 */
export function generate(kind, seed, frames) {
  const make = kinds[kind];
  if (!make) throw new Error(`no such kind: ${kind}; there are ${Object.keys(kinds).join(', ')}`);
  const { compare, config, steps } = make(createRandom(`${kind}-${seed}`), frames);
  return { name: `${kind}-${seed}`, ...(compare ? { compare } : {}), config, steps };
}
