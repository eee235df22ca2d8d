/**
 * One readable line a frame, in the manner of `tcpdump -e -n`. It never fails: what a `check` refuses is printed with
 * the reason in brackets, and what is not known with its number. Checksums are not verified; payloads are not shown.
 */
import { formatIpv4, formatIpv6, formatMac } from '../util/address.js';
import { reasonName } from '../util/reason.js';
import * as arp from './arp.js';
import * as ethernet from './ethernet.js';
import * as icmp from './icmp.js';
import * as icmpv6 from './icmpv6.js';
import * as ipv4 from './ipv4.js';
import * as ipv6 from './ipv6.js';
import * as llc from './llc.js';
import * as sctp from './sctp.js';
import * as tcp from './tcp.js';
import * as udp from './udp.js';
import * as vlan from './vlan.js';
import * as vxlan from './vxlan.js';

const ETHER_TYPES: Readonly<Record<number, string>> = {
  0x0800: 'IPv4',
  0x0806: 'ARP',
  0x8035: 'RARP',
  0x8100: '802.1Q',
  0x86dd: 'IPv6',
  0x8847: 'MPLS unicast',
  0x8848: 'MPLS multicast',
  0x88a8: '802.1ad',
  0x88cc: 'LLDP',
  0x894f: 'NSH',
};

const PROTOCOLS: Readonly<Record<number, string>> = {
  1: 'ICMP',
  2: 'IGMP',
  6: 'TCP',
  17: 'UDP',
  47: 'GRE',
  50: 'ESP',
  58: 'ICMP6',
  59: 'no next header',
  89: 'OSPF',
  132: 'SCTP',
};

const TRANSPORTS: Readonly<Record<number, typeof tcp | typeof udp | typeof sctp | typeof icmp | typeof icmpv6>> = {
  [ipv4.Protocol.tcp]: tcp,
  [ipv4.Protocol.udp]: udp,
  [ipv4.Protocol.sctp]: sctp,
  [ipv4.Protocol.icmp]: icmp,
  [ipv4.Protocol.icmpv6]: icmpv6,
};

/** Frames within frames that are printed; deeper ones end the line. */
const MOST_DEPTH = 8;

/** What the printers of one line share. */
interface Line {
  readonly bytes: Uint8Array;
  readonly vxlanPorts: readonly number[];
  /** How many frames this one is in. */
  readonly depth: number;
}

/**
 * The frame from `offset` to `end` as one line of text without a line break. UDP to one of `vxlanPorts` is taken apart
 * as VXLAN, with the inner frame behind ` | `. Any bytes and any range give a line.
 */
export function printFrame(
  bytes: Uint8Array,
  offset = 0,
  end = bytes.length,
  vxlanPorts: readonly number[] = vxlan.PORTS,
): string {
  return printEthernet({ bytes, vxlanPorts, depth: 0 }, Math.max(offset, 0), Math.min(end, bytes.length));
}

function printEthernet(line: Line, offset: number, end: number): string {
  const { bytes } = line;
  const length = Math.max(end - offset, 0);
  if (length < ethernet.HEADER_LENGTH) return `Ethernet [truncated], length ${length}`;
  let text = `${formatMac(ethernet.source(bytes, offset))} > ${formatMac(ethernet.destination(bytes, offset))}`;
  let type = ethernet.etherType(bytes, offset);
  let at = offset + ethernet.HEADER_LENGTH;
  while (vlan.isTag(type)) {
    if (end - at < vlan.HEADER_LENGTH) return `${text}, ${nameType(type)} [truncated], length ${length}`;
    text += type === ethernet.EtherType.vlan ? ', vlan ' : ', 802.1ad vlan ';
    text += `${vlan.vid(bytes, at)}, p ${vlan.priority(bytes, at)}${vlan.dropEligible(bytes, at) ? ', DEI' : ''}`;
    type = vlan.etherType(bytes, at);
    at += vlan.HEADER_LENGTH;
  }
  if (type >= ethernet.FIRST_TYPE) {
    return `${text}, ethertype ${nameType(type)}, length ${length}: ${printNetwork(line, type, at, end)}`;
  }
  const problem = at + type > end ? ' [truncated]' : '';
  return `${text}, 802.3${problem}, length ${length}: ${printLlc(line, at, Math.min(at + type, end))}`;
}

function nameType(type: number): string {
  return `${ETHER_TYPES[type] ?? 'unknown'} (0x${type.toString(16).padStart(4, '0')})`;
}

function printLlc(line: Line, offset: number, end: number): string {
  const { bytes } = line;
  const reason = llc.check(bytes, offset, end);
  if (reason !== 0) return `LLC [${reasonName(reason)}]`;
  if (!llc.hasSnap(bytes, offset)) {
    const addresses = `dsap ${hex(llc.dsap(bytes, offset), 2)}, ssap ${hex(llc.ssap(bytes, offset), 2)}`;
    const length = end - offset - llc.headerLength(bytes, offset);
    return `LLC, ${addresses}, ctrl ${hex(llc.control(bytes, offset), 2)}, length ${length}`;
  }
  const oui = llc.oui(bytes, offset);
  const type = llc.protocol(bytes, offset);
  const head = `SNAP, oui ${hex(oui, 6)}, ethertype ${nameType(type)}`;
  return oui === 0 && !vlan.isTag(type)
    ? `${head}: ${printNetwork(line, type, offset + llc.SNAP_LENGTH, end)}`
    : `${head}, length ${end - offset - llc.SNAP_LENGTH}`;
}

function hex(value: number, digits: number): string {
  return `0x${value.toString(16).padStart(digits, '0')}`;
}

function printNetwork(line: Line, type: number, offset: number, end: number): string {
  switch (type) {
    case ethernet.EtherType.arp:
      return printArp(line, 'ARP', offset, end);
    case ethernet.EtherType.rarp:
      return printArp(line, 'RARP', offset, end);
    case ethernet.EtherType.ipv4:
      return printIpv4(line, offset, end);
    case ethernet.EtherType.ipv6:
      return printIpv6(line, offset, end);
    default:
      return `payload ${end - offset} bytes`;
  }
}

function printArp({ bytes }: Line, name: string, offset: number, end: number): string {
  const reason = arp.check(bytes, offset, end);
  if (reason !== 0) return `${name} [${reasonName(reason)}]`;
  const senderMac = formatMac(arp.senderMac(bytes, offset));
  const targetMac = formatMac(arp.targetMac(bytes, offset));
  const senderIp = formatIpv4(arp.senderIp(bytes, offset));
  const targetIp = formatIpv4(arp.targetIp(bytes, offset));
  switch (arp.operation(bytes, offset)) {
    case arp.Operation.request:
      return `${name}, Request who-has ${targetIp} tell ${senderIp}`;
    case arp.Operation.reply:
      return `${name}, Reply ${senderIp} is-at ${senderMac}`;
    case arp.Operation.reverseRequest:
      return `${name}, Reverse Request who-is ${targetMac} tell ${senderMac}`;
    case arp.Operation.reverseReply:
      return `${name}, Reverse Reply ${targetMac} at ${targetIp}`;
    default:
      return `${name}, operation ${arp.operation(bytes, offset)}, ${senderIp} to ${targetIp}`;
  }
}

function printIpv4(line: Line, offset: number, end: number): string {
  const { bytes } = line;
  const reason = ipv4.check(bytes, offset, end);
  if (reason !== 0) return `IP [${reasonName(reason)}]`;
  const source = formatIpv4(ipv4.source(bytes, offset));
  const destination = formatIpv4(ipv4.destination(bytes, offset));
  const protocol = ipv4.protocol(bytes, offset);
  const start = ipv4.payloadOffset(bytes, offset);
  const limit = ipv4.payloadEnd(bytes, offset);
  if (!ipv4.isFragment(bytes, offset)) return printTransport(line, protocol, start, limit, source, destination);
  const fragment = `fragment id ${ipv4.identification(bytes, offset)}, offset ${ipv4.fragmentOffset(bytes, offset)}`;
  const more = ipv4.moreFragments(bytes, offset) ? ', more' : '';
  return `${source} > ${destination}: ${nameProtocol(protocol)}, ${fragment}, length ${limit - start}${more}`;
}

function printIpv6(line: Line, offset: number, end: number): string {
  const { bytes } = line;
  const reason = ipv6.check(bytes, offset, end);
  if (reason !== 0) return `IP6 [${reasonName(reason)}]`;
  const source = formatIpv6(ipv6.source(bytes, offset));
  const destination = formatIpv6(ipv6.destination(bytes, offset));
  const protocol = ipv6.protocol(bytes, offset);
  const start = ipv6.payloadOffset(bytes, offset);
  const limit = ipv6.payloadEnd(bytes, offset);
  if (!ipv6.isFragment(bytes, offset)) return printTransport(line, protocol, start, limit, source, destination);
  const id = hex(ipv6.identification(bytes, offset), 8);
  const fragment = `fragment id ${id}, offset ${ipv6.fragmentOffset(bytes, offset)}`;
  const more = ipv6.moreFragments(bytes, offset) ? ', more' : '';
  return `${source} > ${destination}: ${nameProtocol(protocol)}, ${fragment}, length ${limit - start}${more}`;
}

function nameProtocol(protocol: number): string {
  return PROTOCOLS[protocol] ?? `protocol ${protocol}`;
}

function printTransport(line: Line, protocol: number, at: number, end: number, from: string, to: string): string {
  const { bytes } = line;
  const module = TRANSPORTS[protocol];
  if (module === undefined) return `${from} > ${to}: ${nameProtocol(protocol)}, length ${end - at}`;
  const reason = module.check(bytes, at, end);
  if (reason !== 0) return `${from} > ${to}: ${nameProtocol(protocol)} [${reasonName(reason)}]`;
  if (module === icmp) return `${from} > ${to}: ${printIcmp(line, at)}, length ${end - at}`;
  if (module === icmpv6) return `${from} > ${to}: ICMP6, ${printIcmpv6(line, at, end)}, length ${end - at}`;
  // TCP, UDP and SCTP have their ports in the same place.
  const head = `${from}.${udp.sourcePort(bytes, at)} > ${to}.${udp.destinationPort(bytes, at)}`;
  if (module === tcp) return `${head}: ${printTcp(line, at, end)}`;
  if (module === udp) return `${head}: ${printUdp(line, at)}`;
  const tag = hex(sctp.verificationTag(bytes, at), 8);
  return `${head}: SCTP, tag ${tag}, length ${end - at - sctp.HEADER_LENGTH}`;
}

const FLAG_LETTERS = 'FSRP.UEW';

function printTcp({ bytes }: Line, offset: number, end: number): string {
  const flags = tcp.flags(bytes, offset);
  const letters = [...FLAG_LETTERS].filter((_, bit) => flags & (1 << bit)).join('');
  const acknowledgment = flags & tcp.Flag.ack ? `, ack ${tcp.acknowledgment(bytes, offset)}` : '';
  const length = end - tcp.payloadOffset(bytes, offset);
  const head = `Flags [${letters || 'none'}], seq ${tcp.sequence(bytes, offset)}${acknowledgment}`;
  return `${head}, win ${tcp.window(bytes, offset)}, length ${length}`;
}

function printUdp(line: Line, offset: number): string {
  const { bytes, vxlanPorts, depth } = line;
  const end = udp.payloadEnd(bytes, offset);
  const at = offset + udp.HEADER_LENGTH;
  if (!vxlanPorts.includes(udp.destinationPort(bytes, offset))) return `UDP, length ${end - at}`;
  const reason = vxlan.check(bytes, at, end);
  if (reason !== 0) return `VXLAN [${reasonName(reason)}], length ${end - at}`;
  const head = `VXLAN, vni ${vxlan.vni(bytes, at)}`;
  const inner = at + vxlan.HEADER_LENGTH;
  if (depth === MOST_DEPTH) return `${head}, length ${end - inner}`;
  const deeper = { ...line, depth: depth + 1 };
  switch (vxlan.nextProtocol(bytes, at)) {
    case vxlan.NextProtocol.ipv4:
      return `${head} | ${printIpv4(deeper, inner, end)}`;
    case vxlan.NextProtocol.ipv6:
      return `${head} | ${printIpv6(deeper, inner, end)}`;
    case vxlan.NextProtocol.ethernet:
      return `${head} | ${printEthernet(deeper, inner, end)}`;
    default:
      return `${head} | NSH, length ${end - inner}`;
  }
}

const UNREACHABLE = ['net unreachable', 'host unreachable', 'protocol unreachable', 'port unreachable'];
const UNREACHABLE6 = ['no route', 'prohibited', 'beyond scope', 'address unreachable', 'port unreachable'];

function printIcmp({ bytes }: Line, offset: number): string {
  const code = icmp.code(bytes, offset);
  const echo = `id ${icmp.identifier(bytes, offset)}, seq ${icmp.sequence(bytes, offset)}`;
  switch (icmp.icmpType(bytes, offset)) {
    case icmp.Type.echoRequest:
      return `ICMP echo request, ${echo}`;
    case icmp.Type.echoReply:
      return `ICMP echo reply, ${echo}`;
    case icmp.Type.timestamp:
      return `ICMP time stamp query, ${echo}`;
    case icmp.Type.timestampReply:
      return `ICMP time stamp reply, ${echo}`;
    case icmp.Type.unreachable:
      if (code === 4) return `ICMP unreachable, need to frag (mtu ${icmp.mtu(bytes, offset)})`;
      return `ICMP ${UNREACHABLE[code] ?? `unreachable, code ${code}`}`;
    case icmp.Type.redirect:
      return `ICMP redirect, code ${code}, gateway ${formatIpv4(icmp.rest(bytes, offset))}`;
    case icmp.Type.timeExceeded:
      return `ICMP time exceeded ${code === 0 ? 'in-transit' : `code ${code}`}`;
    case icmp.Type.parameterProblem:
      return `ICMP parameter problem, octet ${icmp.rest(bytes, offset) >>> 24}`;
    default:
      return `ICMP type ${icmp.icmpType(bytes, offset)}, code ${code}`;
  }
}

function printIcmpv6({ bytes }: Line, offset: number, end: number): string {
  const type = icmpv6.icmpType(bytes, offset);
  const code = icmpv6.code(bytes, offset);
  const rest = icmpv6.rest(bytes, offset);
  switch (type) {
    case icmpv6.Type.echoRequest:
    case icmpv6.Type.echoReply: {
      const name = type === icmpv6.Type.echoRequest ? 'echo request' : 'echo reply';
      return `${name}, id ${icmpv6.identifier(bytes, offset)}, seq ${icmpv6.sequence(bytes, offset)}`;
    }
    case icmpv6.Type.unreachable:
      return `destination unreachable, ${UNREACHABLE6[code] ?? `code ${code}`}`;
    case icmpv6.Type.packetTooBig:
      return `packet too big, mtu ${rest}`;
    case icmpv6.Type.timeExceeded:
      return `time exceeded ${code === 0 ? 'in-transit' : `code ${code}`}`;
    case icmpv6.Type.parameterProblem:
      return `parameter problem, code ${code}, octet ${rest}`;
  }
  const message = icmpv6.isNeighborDiscovery(bytes, offset) ? icmpv6.parse(bytes, offset, end) : undefined;
  if (message === undefined) return `type ${type}, code ${code}`;
  return printDiscovery(message, rest) + message.options!.map(printOption).join('');
}

function printDiscovery(message: icmpv6.Icmpv6, rest: number): string {
  const { router, solicited, override } = icmpv6.AdvertisementFlag;
  switch (message.icmpType) {
    case icmpv6.Type.routerSolicitation:
      return 'router solicitation';
    case icmpv6.Type.routerAdvertisement:
      return `router advertisement, hop limit ${message.hopLimit}, lifetime ${message.lifetimeS}s`;
    case icmpv6.Type.neighborSolicitation:
      return `neighbor solicitation, who has ${message.target}`;
    case icmpv6.Type.neighborAdvertisement: {
      const flags = [rest & router && 'router', rest & solicited && 'solicited', rest & override && 'override'];
      return `neighbor advertisement, tgt is ${message.target}, Flags [${flags.filter(Boolean).join(', ') || 'none'}]`;
    }
    default:
      return `redirect, ${message.destination} to ${message.target}`;
  }
}

function printOption(option: icmpv6.NdOption): string {
  switch (option.type) {
    case 'source-link-layer':
      return `, source link-address ${option.mac}`;
    case 'target-link-layer':
      return `, destination link-address ${option.mac}`;
    case 'prefix':
      return `, prefix ${option.prefix}/${option.prefixLength}`;
    case 'mtu':
      return `, mtu ${option.mtu}`;
    case 'other':
      return `, option ${option.kind}`;
  }
}
