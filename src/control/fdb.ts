/**
 * `fdb/*`: the MAC table of a bridge. Ports are named by their names in what is read, and by their OpenFlow numbers in
 * what is printed, as in Open vSwitch.
 */
import type { Bridge } from '../switch/model.js';
import { STATIC } from '../switch/mac-table.js';
import type { VSwitch } from '../switch/vswitch.js';
import { formatMac } from '../util/address.js';
import { fail, findBridge, portText, readInteger, readMac, type Commands } from './command.js';

/** `fdb/show BRIDGE`: least recently used first. */
export function showFdb(vswitch: VSwitch, bridgeName: string): string {
  const { macTable } = findBridge(vswitch, bridgeName);
  const lines = [' port  VLAN  MAC                Age'];
  for (const entry of macTable) {
    const age = entry.expiresSecond === STATIC ? ' static' : String(macTable.ageSeconds(entry)).padStart(4);
    lines.push(
      `${portText(entry.port).padStart(5)}  ${String(entry.vlan).padStart(4)}  ${formatMac(entry.mac)} ${age}`,
    );
  }
  return lines.join('\n') + '\n';
}

/** `fdb/flush [BRIDGE]`: forgets what was learned, not what is static. */
export function flushFdb(vswitch: VSwitch, bridgeName?: string): string {
  for (const { macTable } of bridgesOf(vswitch, bridgeName)) macTable.flush();
  vswitch.run();
  return 'table successfully flushed\n';
}

/**
 * `fdb/add BRIDGE PORT VLAN MAC`: adds a static entry, or makes an entry one; says so where there was another entry.
 */
export function addFdbEntry(vswitch: VSwitch, bridgeName: string, portName: string, vlan: number, mac: string): string {
  const bridge = findBridge(vswitch, bridgeName);
  const address = checkMac(mac);
  const port = bridge.ports.find(({ name }) => name === portName);
  if (!port)
    return fail(
      'software error, odp port is present but no ofp port',
      portName,
      bridge.ports.map(({ name }) => name).join(', '),
    );
  const before = bridge.macTable.addStatic(address, vlan & 0xffff, port);
  vswitch.run();
  if (!before || (before.isStatic && before.port === port)) return '';
  return `Overriding already existing ${before.isStatic ? 'static' : 'dynamic'} entry on ${portText(before.port)}\n`;
}

/** `fdb/del BRIDGE VLAN MAC`: removes a static entry. */
export function deleteFdbEntry(vswitch: VSwitch, bridgeName: string, vlan: number, mac: string): string {
  const { macTable } = findBridge(vswitch, bridgeName);
  if (!macTable.removeStatic(checkMac(mac), vlan & 0xffff))
    fail('could not find static mac entry', mac, 'a static entry');
  vswitch.run();
  return '';
}

/** `fdb/stats-show BRIDGE`: what has become of the entries. */
export function showFdbStatistics(vswitch: VSwitch, bridgeName: string): string {
  const { name, macTable } = findBridge(vswitch, bridgeName);
  const { learned, expired, evicted, moved } = macTable.statistics;
  return [
    `Statistics for bridge "${name}":`,
    `  Current/maximum MAC entries in the table: ${macTable.count}/${macTable.size}`,
    `  Current static MAC entries in the table : ${macTable.staticCount}`,
    `  Total number of learned MAC entries     : ${learned}`,
    `  Total number of expired MAC entries     : ${expired}`,
    `  Total number of evicted MAC entries     : ${evicted}`,
    `  Total number of port moved MAC entries  : ${moved}`,
    '',
  ].join('\n');
}

/** `fdb/stats-clear [BRIDGE]`: the totals are 0 again. */
export function clearFdbStatistics(vswitch: VSwitch, bridgeName?: string): string {
  for (const { macTable } of bridgesOf(vswitch, bridgeName)) {
    Object.assign(macTable.statistics, { learned: 0, expired: 0, evicted: 0, moved: 0 });
  }
  return 'statistics successfully cleared\n';
}

function bridgesOf(vswitch: VSwitch, name: string | undefined): readonly Bridge[] {
  return name === undefined ? vswitch.bridges() : [findBridge(vswitch, name)];
}

function checkMac(text: string): number {
  return readMac(text) ?? fail('bad MAC address', text, 'six hexadecimal bytes with colons');
}

export const fdbCommands: Commands = {
  'fdb/add': {
    usage: 'bridge port vlan mac',
    least: 4,
    most: 4,
    run: (vswitch, [bridge, port, vlan, mac]) => addFdbEntry(vswitch, bridge, port, readInteger(vlan), mac),
  },
  'fdb/del': {
    usage: 'bridge vlan mac',
    least: 3,
    most: 3,
    run: (vswitch, [bridge, vlan, mac]) => deleteFdbEntry(vswitch, bridge, readInteger(vlan), mac),
  },
  'fdb/flush': { usage: '[bridge]', least: 0, most: 1, run: (vswitch, [bridge]) => flushFdb(vswitch, bridge) },
  'fdb/show': { usage: 'bridge', least: 1, most: 1, run: (vswitch, [bridge]) => showFdb(vswitch, bridge) },
  'fdb/stats-clear': {
    usage: '[bridge]',
    least: 0,
    most: 1,
    run: (vswitch, [bridge]) => clearFdbStatistics(vswitch, bridge),
  },
  'fdb/stats-show': {
    usage: 'bridge',
    least: 1,
    most: 1,
    run: (vswitch, [bridge]) => showFdbStatistics(vswitch, bridge),
  },
};
