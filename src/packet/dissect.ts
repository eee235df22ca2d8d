/**
 * The layers of a whole frame, the reverse of `buildFrame` in `build.ts`. Goes as deep as sound headers lead, through
 * VXLAN into the inner frame; fragments, chunks of SCTP and the packets in ICMP errors stay payload.
 */
import { plainBytes } from '../util/bytes.js';
import { Reason } from '../util/reason.js';
import * as arp from '../wire/arp.js';
import * as ethernet from '../wire/ethernet.js';
import * as icmp from '../wire/icmp.js';
import * as icmpv6 from '../wire/icmpv6.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as llc from '../wire/llc.js';
import * as sctp from '../wire/sctp.js';
import * as tcp from '../wire/tcp.js';
import * as udp from '../wire/udp.js';
import * as vlan from '../wire/vlan.js';
import * as vxlan from '../wire/vxlan.js';
import type { Layer } from './build.js';

const modules = { ethernet, vlan, llc, arp, ipv4, ipv6, udp, tcp, sctp, icmp, icmpv6, vxlan };

/** What comes next in a frame: a protocol that has a module, or bytes that are not taken apart. */
type Next = keyof typeof modules | 'payload';

/**
 * The layers of the frame in `bytes`, the outermost first; ends with a `payload` (with a `reason` where a header was
 * refused) and a `padding`, each only if it has bytes or a reason. UDP to one of `vxlanPorts` is taken for VXLAN. Never
 * throws; copies all it answers.
 */
export function dissect(bytes: Uint8Array, vxlanPorts: readonly number[] = vxlan.PORTS): Layer[] {
  const frame = plainBytes(bytes);
  const layers: Layer[] = [];
  let next: Next = 'ethernet';
  let at = 0;
  let end = frame.length;
  let reason: Reason = Reason.sound;
  while (next !== 'payload') {
    const module: (typeof modules)[Next & keyof typeof modules] = modules[next];
    reason = module.check(frame, at, end);
    if (reason !== Reason.sound) break;
    layers.push(module.parse(frame, at, end)!);
    const offset = at;
    [at, end] = dataRange(frame, next, offset, end);
    next = nextOf(frame, next, offset, at, end, vxlanPorts);
  }
  if (reason !== Reason.sound) layers.push({ type: 'payload', bytes: frame.slice(at, end), reason });
  else if (at < end) layers.push({ type: 'payload', bytes: frame.slice(at, end) });
  if (end < frame.length) layers.push({ type: 'padding', bytes: frame.slice(end) });
  return layers;
}

/** Where the data of the sound header at `offset` begin and end. */
function dataRange(frame: Uint8Array, type: Next, offset: number, end: number): [at: number, end: number] {
  switch (type) {
    case 'ethernet':
      return [offset + ethernet.HEADER_LENGTH, ethernet.payloadEnd(frame, offset, end)];
    case 'vlan':
      return [offset + vlan.HEADER_LENGTH, vlan.payloadEnd(frame, offset, end)];
    case 'llc':
      return [offset + llc.headerLength(frame, offset), end];
    case 'arp':
      // No header around it says where ARP ends: what follows is padding.
      return [offset + arp.HEADER_LENGTH, offset + arp.HEADER_LENGTH];
    case 'ipv4':
      return [ipv4.payloadOffset(frame, offset), ipv4.payloadEnd(frame, offset)];
    case 'ipv6':
      return [ipv6.payloadOffset(frame, offset), ipv6.payloadEnd(frame, offset)];
    case 'udp':
      return [offset + udp.HEADER_LENGTH, udp.payloadEnd(frame, offset)];
    case 'tcp':
      return [tcp.payloadOffset(frame, offset), end];
    case 'icmpv6':
      return [icmpv6.payloadOffset(frame, offset, end), end];
    default:
      return [offset + { sctp, icmp, vxlan, payload: { HEADER_LENGTH: 0 } }[type].HEADER_LENGTH, end];
  }
}

/** What the data from `at` to `end` are, by the sound header of type `type` at `offset`. */
function nextOf(
  frame: Uint8Array,
  type: Next,
  offset: number,
  at: number,
  end: number,
  vxlanPorts: readonly number[],
): Next {
  switch (type) {
    case 'ethernet':
      return nextOfType(ethernet.etherType(frame, offset));
    case 'vlan':
      return nextOfType(vlan.etherType(frame, offset));
    case 'llc': {
      const isType = llc.hasSnap(frame, offset) && llc.oui(frame, offset) === 0;
      const etherType = isType ? llc.protocol(frame, offset) : 0;
      return etherType < ethernet.FIRST_TYPE || vlan.isTag(etherType) ? 'payload' : nextOfType(etherType);
    }
    case 'ipv4':
      return ipv4.isFragment(frame, offset) ? 'payload' : nextOfProtocol(ipv4.protocol(frame, offset));
    case 'ipv6':
      return ipv6.isFragment(frame, offset) ? 'payload' : nextOfProtocol(ipv6.protocol(frame, offset));
    case 'udp':
      return vxlanPorts.includes(udp.destinationPort(frame, offset)) && at < end ? 'vxlan' : 'payload';
    case 'vxlan':
      return nextOfVxlan(vxlan.nextProtocol(frame, offset));
    default:
      return 'payload';
  }
}

function nextOfType(etherType: number): Next {
  if (etherType < ethernet.FIRST_TYPE) return 'llc';
  if (vlan.isTag(etherType)) return 'vlan';
  switch (etherType) {
    case ethernet.EtherType.arp:
    case ethernet.EtherType.rarp:
      return 'arp';
    case ethernet.EtherType.ipv4:
      return 'ipv4';
    case ethernet.EtherType.ipv6:
      return 'ipv6';
    default:
      return 'payload';
  }
}

function nextOfProtocol(protocol: number): Next {
  switch (protocol) {
    case ipv4.Protocol.udp:
      return 'udp';
    case ipv4.Protocol.tcp:
      return 'tcp';
    case ipv4.Protocol.sctp:
      return 'sctp';
    case ipv4.Protocol.icmp:
      return 'icmp';
    case ipv4.Protocol.icmpv6:
      return 'icmpv6';
    default:
      return 'payload';
  }
}

function nextOfVxlan(protocol: number): Next {
  switch (protocol) {
    case vxlan.NextProtocol.ethernet:
      return 'ethernet';
    case vxlan.NextProtocol.ipv4:
      return 'ipv4';
    case vxlan.NextProtocol.ipv6:
      return 'ipv6';
    default:
      return 'payload';
  }
}
