/**
 * `tnl/neigh/*`, also called `tnl/arp/*`: the neighbours that tunnels use.
 */
import type { VSwitch } from '../switch/vswitch.js';
import { formatIp, formatMac } from '../util/address.js';
import { fail, readInteger, readIp, readMac, type Command, type Commands } from './command.js';

/** Longest lifetime that can be asked for, in seconds. */
const MOST_SECONDS = 3600;

/** `tnl/neigh/show`. */
export function showNeighbours(vswitch: VSwitch): string {
  const lines = ['IP                                            MAC                 Bridge', '='.repeat(74)];
  for (const { ip, mac, bridge } of vswitch.neighbours)
    lines.push(`${formatIp(ip).padEnd(46)}${formatMac(mac)}   ${bridge}`);
  return lines.join('\n') + '\n';
}

/** `tnl/neigh/set BRIDGE IP MAC`. Whether there is such a bridge is not checked. */
export function setNeighbour(vswitch: VSwitch, bridge: string, ip: string, mac: string): string {
  const address = readIp(ip) ?? fail('bad IP address', ip, 'an IPv4 or IPv6 address');
  vswitch.neighbours.set(
    bridge,
    address,
    readMac(mac) ?? fail('bad MAC address', mac, 'six hexadecimal bytes with colons'),
  );
  vswitch.run();
  return 'OK\n';
}

/** `tnl/neigh/flush`: forgets all of them. */
export function flushNeighbours(vswitch: VSwitch): string {
  vswitch.neighbours.flush();
  vswitch.run();
  return 'OK\n';
}

/** `tnl/neigh/aging [SECS]`: sets or tells how long an unused entry lives, 1 to 3600 seconds. */
export function ageNeighbours(vswitch: VSwitch, seconds?: number): string {
  const { neighbours } = vswitch;
  if (seconds === undefined) return `${neighbours.ageMs / 1000}\n`;
  if (!(seconds > 0 && seconds <= MOST_SECONDS)) fail('bad aging value', seconds, `1 to ${MOST_SECONDS} seconds`);
  neighbours.ageMs = seconds * 1000;
  return 'OK\n';
}

const verbs: Commands = {
  aging: {
    usage: '[SECS]',
    least: 0,
    most: 1,
    run: (vswitch, [seconds]) => ageNeighbours(vswitch, seconds === undefined ? undefined : readInteger(seconds)),
  },
  flush: { usage: '', least: 0, most: 0, run: flushNeighbours },
  set: {
    usage: 'BRIDGE IP MAC',
    least: 3,
    most: 3,
    run: (vswitch, [bridge, ip, mac]) => setNeighbour(vswitch, bridge, ip, mac),
  },
  show: { usage: '', least: 0, most: 0, run: showNeighbours },
};

export const neighbourCommands: Commands = Object.fromEntries(
  ['tnl/arp', 'tnl/neigh'].flatMap((room) =>
    Object.entries(verbs).map(([verb, command]): [string, Command] => [`${room}/${verb}`, command]),
  ),
);
