/**
 * The layers of a whole frame, the reverse of `buildFrame` in `build.ts`. Goes as deep as sound headers lead, through
 * VXLAN into the inner frame; fragments, chunks of SCTP and the packets in ICMP errors stay payload.
 */
import { copyBytes, plainBytes } from '../util/bytes.js';
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

/** How far a frame has been taken apart: what lies from `at` to `end`. */
interface Rest {
  next: Next;
  at: number;
  end: number;
}

/**
 * The layers of the frame in `bytes`, the outermost first; ends with a `payload` (with a `reason` where a header was
 * refused) and a `padding`, each only if it has bytes or a reason. UDP to one of `vxlanPorts` is taken for VXLAN. Never
 * throws; copies all it answers.
 */
export function dissect(bytes: Uint8Array, vxlanPorts: readonly number[] = vxlan.PORTS): Layer[] {
  const frame = plainBytes(bytes);
  const layers: Layer[] = [];
  const rest: Rest = { next: 'ethernet', at: 0, end: frame.length };
  let reason: Reason = Reason.sound;
  while (rest.next !== 'payload') {
    const header = takeHeader(frame, rest, vxlanPorts);
    if (header === undefined) {
      reason = modules[rest.next].check(frame, rest.at, rest.end);
      break;
    }
    layers.push(header);
  }
  const { at, end } = rest;
  if (reason !== Reason.sound) layers.push({ type: 'payload', bytes: copyBytes(frame, at, end), reason });
  else if (at < end) layers.push({ type: 'payload', bytes: copyBytes(frame, at, end) });
  if (end < frame.length) layers.push({ type: 'padding', bytes: copyBytes(frame, end, frame.length) });
  return layers;
}

/**
 * The header that `rest` begins with, which is left out of it then; undefined, and nothing has changed, when it is refused. One switch for
 * all: three of them, and calls through `modules`, took three times as long (bench/NOTES.md).
 */
function takeHeader(frame: Uint8Array, rest: Rest, vxlanPorts: readonly number[]): Layer | undefined {
  const { at, end } = rest;
  switch (rest.next) {
    case 'ethernet': {
      const header = ethernet.parse(frame, at, end);
      if (header)
        leave(rest, at + ethernet.HEADER_LENGTH, ethernet.payloadEnd(frame, at, end), nextOfType(header.etherType));
      return header;
    }
    case 'ipv4': {
      const header = ipv4.parse(frame, at, end);
      if (header) {
        const next = ipv4.isFragment(frame, at) ? 'payload' : nextOfProtocol(header.protocol);
        leave(rest, ipv4.payloadOffset(frame, at), ipv4.payloadEnd(frame, at), next);
      }
      return header;
    }
    case 'udp': {
      const header = udp.parse(frame, at, end);
      if (header) {
        const isVxlan = header.length > udp.HEADER_LENGTH && vxlanPorts.includes(header.destinationPort);
        leave(rest, at + udp.HEADER_LENGTH, udp.payloadEnd(frame, at), isVxlan ? 'vxlan' : 'payload');
      }
      return header;
    }
    case 'tcp': {
      const header = tcp.parse(frame, at, end);
      if (header) leave(rest, tcp.payloadOffset(frame, at), end, 'payload');
      return header;
    }
    case 'vxlan': {
      const header = vxlan.parse(frame, at, end);
      if (header) leave(rest, at + vxlan.HEADER_LENGTH, end, nextOfVxlan(vxlan.nextProtocol(frame, at)));
      return header;
    }
    case 'ipv6': {
      const header = ipv6.parse(frame, at, end);
      if (header) {
        const next = ipv6.isFragment(frame, at) ? 'payload' : nextOfProtocol(ipv6.protocol(frame, at));
        leave(rest, ipv6.payloadOffset(frame, at), ipv6.payloadEnd(frame, at), next);
      }
      return header;
    }
    case 'vlan': {
      const header = vlan.parse(frame, at, end);
      if (header)
        leave(rest, at + vlan.HEADER_LENGTH, vlan.payloadEnd(frame, at, end), nextOfType(vlan.etherType(frame, at)));
      return header;
    }
    case 'llc': {
      const header = llc.parse(frame, at, end);
      if (header) leave(rest, at + llc.headerLength(frame, at), end, nextOfLlc(frame, at));
      return header;
    }
    case 'arp': {
      const header = arp.parse(frame, at, end);
      // No header around it says where ARP ends: what follows is padding.
      if (header) leave(rest, at + arp.HEADER_LENGTH, at + arp.HEADER_LENGTH, 'payload');
      return header;
    }
    case 'icmpv6': {
      const header = icmpv6.parse(frame, at, end);
      if (header) leave(rest, icmpv6.payloadOffset(frame, at, end), end, 'payload');
      return header;
    }
    case 'icmp': {
      const header = icmp.parse(frame, at, end);
      if (header) leave(rest, at + icmp.HEADER_LENGTH, end, 'payload');
      return header;
    }
    case 'sctp': {
      const header = sctp.parse(frame, at, end);
      if (header) leave(rest, at + sctp.HEADER_LENGTH, end, 'payload');
      return header;
    }
    case 'payload':
      return undefined;
  }
}

function leave(rest: Rest, at: number, end: number, next: Next): void {
  rest.at = at;
  rest.end = end;
  rest.next = next;
}

function nextOfLlc(frame: Uint8Array, offset: number): Next {
  const isType = llc.hasSnap(frame, offset) && llc.oui(frame, offset) === 0;
  const etherType = isType ? llc.protocol(frame, offset) : 0;
  return etherType < ethernet.FIRST_TYPE || vlan.isTag(etherType) ? 'payload' : nextOfType(etherType);
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
