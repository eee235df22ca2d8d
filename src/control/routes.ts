/**
 * `ovs/route/*`: the routes that tunnels take. Text is read as Open vSwitch reads it: an IPv4 prefix without a length
 * is a host, and what follows a mark is not looked at.
 */
import type { VSwitch } from '../switch/vswitch.js';
import { formatIp } from '../util/address.js';
import { MegaflowError } from '../util/errors.js';
import { fail, readIp, type Commands } from './command.js';

/** `ovs/route/show`: in the order in which they are tried. */
export function showRoutes(vswitch: VSwitch): string {
  const lines = ['Route Table:'];
  for (const route of vswitch.router.routes()) {
    const mark = route.mark === 0 ? '' : ` MARK ${route.mark}`;
    const gateway = route.gateway ? ` GW ${formatIp(route.gateway)}` : '';
    const kind = route.kind === 'user' ? 'User' : 'Cached';
    lines.push(
      `${kind}: ${formatIp(route.prefix)}/${route.prefixLength}${mark} dev ${route.device}${gateway}` +
        ` SRC ${formatIp(route.source)}${route.local ? ' local' : ''}`,
    );
  }
  return lines.join('\n') + '\n';
}

/** `ovs/route/add IP/LENGTH DEVICE [GATEWAY] [pkt_mark=MARK]`. */
export function addRoute(vswitch: VSwitch, words: readonly string[]): string {
  const [text, device, third, fourth] = words;
  const prefix = checkPrefix(text);
  const isIpv4 = !text.includes(':');
  let gateway: string | undefined;
  let mark = third === undefined ? 0 : readMark(third);
  if (third !== undefined && mark === undefined) {
    const ip = readIp(third);
    if (!ip || (ip.length === 4) !== isIpv4 || (isIpv4 && third.includes(':'))) {
      fail(
        `Invalid pkt_mark or ${isIpv4 ? '' : 'IPv6 '}gateway`,
        third,
        'a gateway of the family of the prefix, or pkt_mark=MARK',
      );
    }
    // No address is no gateway.
    if (ip.some((byte) => byte !== 0)) gateway = formatIp(ip);
  }
  if (fourth !== undefined) mark = checkMark(fourth);
  try {
    vswitch.addRoute(prefix, device, gateway, mark);
  } catch (error) {
    if (!(error instanceof MegaflowError) || error.code !== 'bad-config') throw error;
    fail('Error while inserting route.', device, error.allowed);
  }
  vswitch.run();
  return 'OK\n';
}

/** `ovs/route/del IP/LENGTH [pkt_mark=MARK]`: deletes a route that was added, not one of the system's. */
export function deleteRoute(vswitch: VSwitch, words: readonly string[]): string {
  const [text, mark] = words;
  const prefix = checkPrefix(text);
  if (!vswitch.removeRoute(prefix, mark === undefined ? 0 : checkMark(mark)))
    fail('Not found', text, 'a route that was added');
  vswitch.run();
  return 'OK\n';
}

/** `ovs/route/lookup IP [pkt_mark=MARK]`: source, gateway and device for a destination. */
export function lookupRoute(vswitch: VSwitch, words: readonly string[]): string {
  const [text, mark] = words;
  const ip = readIp(text) ?? fail('Invalid parameters', text, 'an IPv4 or IPv6 address');
  const route =
    vswitch.router.lookup(ip, mark === undefined ? 0 : checkMark(mark)) ??
    fail('Not found', text, 'a destination that a route leads to');
  const gateway = route.gateway ? formatIp(route.gateway) : '::';
  return `src ${formatIp(route.source)}\ngateway ${gateway}\ndev ${route.device}\n`;
}

/** A prefix in canonical form; without a length it is a host. */
function checkPrefix(text: string): string {
  const refuse = (): never => fail('Invalid parameters', text, 'an address with prefix length');
  const [address, length, ...rest] = text.split('/');
  const isIpv4 = !address.includes(':');
  const ip = readIp(address) ?? refuse();
  const most = isIpv4 ? 32 : 128;
  if (rest.length > 0 || (length !== undefined && !(/^\d+$/.test(length) && Number(length) <= most))) refuse();
  return `${isIpv4 ? formatIp(ip) : address}/${length ?? most}`;
}

function readMark(text: string): number | undefined {
  const match = /^pkt_mark=\s*([+-]?)(0[xX][0-9a-fA-F]+|\d+)/.exec(text);
  if (!match) return undefined;
  const [, sign, digits] = match;
  const value = BigInt(/^0\d/.test(digits) ? `0o${/^0[0-7]*/.exec(digits)![0].slice(1) || '0'}` : digits);
  return Number(BigInt.asUintN(32, sign === '-' ? -value : value));
}

function checkMark(text: string): number {
  return readMark(text) ?? fail('Invalid pkt_mark', text, 'pkt_mark=MARK');
}

export const routeCommands: Commands = {
  'ovs/route/add': { usage: 'ip_addr/prefix_len out_br_name [gw] [pkt_mark=mark]', least: 2, most: 4, run: addRoute },
  'ovs/route/del': { usage: 'ip_addr/prefix_len [pkt_mark=mark]', least: 1, most: 2, run: deleteRoute },
  'ovs/route/lookup': { usage: 'ip_addr [pkt_mark=mark]', least: 1, most: 2, run: lookupRoute },
  'ovs/route/show': { usage: '', least: 0, most: 0, run: showRoutes },
};
