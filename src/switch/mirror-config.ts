/**
 * From configured mirrors to what translation asks them: which ports they choose, and which of them send to the same place.
 */
import { MegaflowError } from '../util/errors.js';
import { findPort, type Bridge, type Mirror, type MirrorConfig } from './model.js';

/** Most mirrors of a bridge: they are handled as bits of one number. */
const MAX_MIRRORS = 31;

/** Makes the mirrors of a bridge. Throws `bad-config`. Ports that are not there (yet) choose nothing. */
export function createMirrors(bridge: Bridge, configs: readonly MirrorConfig[]): Mirror[] {
  if (configs.length > MAX_MIRRORS) {
    throw new MegaflowError(
      'bad-config',
      `bridge ${bridge.name} has ${configs.length} mirrors`,
      configs.length,
      `at most ${MAX_MIRRORS}`,
    );
  }
  const mirrors = configs.map((config, index): Mirror => {
    const { name, outputPort, outputVlan } = config;
    if ((outputPort === undefined) === (outputVlan === undefined)) {
      throw new MegaflowError(
        'bad-config',
        `mirror ${name} must have one destination`,
        config,
        'either outputPort or outputVlan',
      );
    }
    for (const vlan of [...(config.selectVlan ?? []), outputVlan ?? 0]) {
      if (!Number.isInteger(vlan) || vlan < 0 || vlan > 4095) {
        throw new MegaflowError('bad-config', `mirror ${name}: VLAN ${vlan}`, vlan, 'a whole number from 0 to 4095');
      }
    }
    const sources = new Set(config.selectSrcPort);
    const destinations = new Set(config.selectDstPort);
    return {
      name,
      bit: 1 << index,
      duplicates: 0,
      selectsSource: (port) => config.selectAll === true || sources.has(port.name),
      selectsDestination: (port) => config.selectAll === true || destinations.has(port.name),
      vlans: config.selectVlan?.length ? new Set(config.selectVlan) : undefined,
      outputPort,
      outputVlan,
    };
  });
  for (const mirror of mirrors) {
    for (const other of mirrors) {
      if (other.outputPort === mirror.outputPort && other.outputVlan === mirror.outputVlan)
        mirror.duplicates |= other.bit;
    }
  }
  return mirrors.filter((mirror) => mirror.outputPort === undefined || findPort(bridge, mirror.outputPort));
}
