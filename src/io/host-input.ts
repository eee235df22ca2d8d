/**
 * The receiving side of an `IpHost`: a frame is checked from the outside in, and refused with a reason at the first
 * thing that is wrong, or answered, or handed on. Nothing in a frame can make it throw.
 *
 * Fragments are refused, since a host does not reassemble them; so are tagged frames. ICMP errors are not sent about
 * fragments, groups and broadcasts (RFC 1122, section 3.2.2; RFC 4443, section 2.4).
 */
import { get48, put32 } from '../util/bytes.js';
import { Reason } from '../util/reason.js';
import * as arp from '../wire/arp.js';
import * as ethernet from '../wire/ethernet.js';
import * as icmp from '../wire/icmp.js';
import * as icmpv6 from '../wire/icmpv6.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as udp from '../wire/udp.js';
import {
  isMulticast,
  isUnspecified,
  multicastMac,
  sameAddress,
  solicitedNode,
  type Address,
  type AddressBook,
} from './host-address.js';
import { isGroupMac, isHostMac, type HostOutput } from './host-output.js';

/** An IP packet on its way up. Offsets are into `bytes`. */
export interface ReceivedPacket {
  readonly bytes: Uint8Array;
  /** Where the IP header begins. */
  readonly ip: number;
  /** Where its payload begins and ends. */
  readonly start: number;
  readonly end: number;
  readonly source: Address;
  readonly destination: Address;
  readonly tos: number;
  readonly ttl: number;
  /** To this host alone, on the link and in IP. */
  readonly isUnicast: boolean;
}

export interface InputOptions {
  readonly mac: number;
  readonly book: AddressBook;
  readonly output: HostOutput;
  /** An echo reply for this host. */
  acceptEcho(packet: ReceivedPacket, identifier: number, sequence: number): void;
  /** Whether somebody listens on a UDP port; `zero` when also to IPv6 datagrams without a checksum. */
  lookupListener(port: number): 'none' | 'checked' | 'zero';
  /** A sound datagram for a port with a listener. The UDP header is at `packet.start`. */
  acceptUdp(packet: ReceivedPacket): void;
}

const ECHO_TTL = 64;
/** What Linux puts into ICMP errors: internetwork control. */
const ERROR_TOS = 0xc0;
/**
 * An error with what it is about is at most that long with its IP header (RFC 1812, section 4.3.2.3; RFC 4443, section
 * 2.4).
 */
const ERROR_LENGTH_IPV4 = 576;
const ERROR_LENGTH_IPV6 = 1280;

/** Answers a function that takes a frame, `length` bytes from `offset`, and answers 0 or why it was refused. */
export function createHostInput(options: InputOptions): (bytes: Uint8Array, offset: number, length: number) => Reason {
  const { mac, book, output } = options;

  const acceptFrame = (bytes: Uint8Array, offset: number, length: number): Reason => {
    const end = offset + length;
    const reason = ethernet.check(bytes, offset, end);
    if (reason !== Reason.sound) return reason;
    if (!isGroupMac(bytes, offset) && ethernet.destination(bytes, offset) !== mac) return Reason.notForUs;
    if (!isHostMac(bytes, offset + 6)) return Reason.badSource;
    const at = offset + ethernet.HEADER_LENGTH;
    switch (ethernet.etherType(bytes, offset)) {
      case ethernet.EtherType.arp:
        return acceptArp(bytes, at, end);
      case ethernet.EtherType.ipv4:
        return acceptIpv4(bytes, at, end, !isGroupMac(bytes, offset));
      case ethernet.EtherType.ipv6:
        return acceptIpv6(bytes, at, end, !isGroupMac(bytes, offset));
      default:
        return Reason.badType;
    }
  };

  /** Notes who has which MAC. An entry is made for those on the link only. */
  const learn = (address: Address, neighbourMac: number, create: boolean, override: boolean): void => {
    if (isUnspecified(address) || isMulticast(address) || book.has(address)) return;
    const route = book.route(address);
    if (route !== undefined && sameAddress(route.nextHop, address)) {
      output.neighbours.learn(address, neighbourMac, { create, override });
    }
  };

  const acceptArp = (bytes: Uint8Array, at: number, end: number): Reason => {
    const reason = arp.check(bytes, at, end);
    if (reason !== Reason.sound) return reason;
    if (!isHostMac(bytes, at + 8)) return Reason.badSource;
    const sender = bytes.slice(at + 14, at + 18);
    const target = bytes.slice(at + 24, at + 28);
    const senderMac = arp.senderMac(bytes, at);
    const isForUs = book.has(target);
    const operation = arp.operation(bytes, at);
    const isRequest = operation === arp.Operation.request;
    if (!isRequest && operation !== arp.Operation.reply) return Reason.badType;
    learn(sender, senderMac, isForUs && isRequest, true);
    if (!isForUs) return Reason.notForUs;
    if (isRequest) output.sendArp(arp.Operation.reply, target, senderMac, sender, senderMac);
    return Reason.sound;
  };

  const acceptIpv4 = (bytes: Uint8Array, ip: number, end: number, isLinkUnicast: boolean): Reason => {
    let reason = ipv4.check(bytes, ip, end);
    if (reason === Reason.sound) reason = ipv4.checkChecksum(bytes, ip);
    if (reason !== Reason.sound) return reason;
    const source = bytes.slice(ip + 12, ip + 16);
    const destination = bytes.slice(ip + 16, ip + 20);
    const isOurs = book.has(destination);
    if (!isOurs && !book.isBroadcast(destination)) return Reason.notForUs;
    if (isUnspecified(source) || isMulticast(source) || book.isBroadcast(source) || book.has(source))
      return Reason.badSource;
    if (ipv4.isFragment(bytes, ip)) return Reason.fragmented;
    const packet: ReceivedPacket = {
      bytes,
      ip,
      start: ipv4.payloadOffset(bytes, ip),
      end: ipv4.payloadEnd(bytes, ip),
      source,
      destination,
      tos: ipv4.tos(bytes, ip),
      ttl: ipv4.ttl(bytes, ip),
      isUnicast: isOurs && isLinkUnicast,
    };
    const protocol = ipv4.protocol(bytes, ip);
    if (protocol === ipv4.Protocol.udp) return acceptUdp(packet);
    return protocol === ipv4.Protocol.icmp ? acceptIcmp(packet) : Reason.badType;
  };

  const acceptIpv6 = (bytes: Uint8Array, ip: number, end: number, isLinkUnicast: boolean): Reason => {
    const reason = ipv6.check(bytes, ip, end);
    if (reason !== Reason.sound) return reason;
    const source = ipv6.source(bytes, ip).slice();
    const destination = ipv6.destination(bytes, ip).slice();
    const isOurs = book.has(destination);
    if (!isOurs && !book.isMember(destination)) return Reason.notForUs;
    if (isMulticast(source) || book.has(source)) return Reason.badSource;
    if (ipv6.isFragment(bytes, ip)) return Reason.fragmented;
    const packet: ReceivedPacket = {
      bytes,
      ip,
      start: ipv6.payloadOffset(bytes, ip),
      end: ipv6.payloadEnd(bytes, ip),
      source,
      destination,
      tos: ipv6.trafficClass(bytes, ip),
      ttl: ipv6.hopLimit(bytes, ip),
      isUnicast: isOurs && isLinkUnicast,
    };
    const protocol = ipv6.protocol(bytes, ip);
    if (protocol === ipv4.Protocol.icmpv6) return acceptIcmpv6(packet);
    // Only neighbour solicitations may come from nobody.
    if (isUnspecified(source)) return Reason.badSource;
    return protocol === ipv4.Protocol.udp ? acceptUdp(packet) : Reason.badType;
  };

  const acceptUdp = (packet: ReceivedPacket): Reason => {
    const { bytes, ip, start, end } = packet;
    const reason = udp.check(bytes, start, end);
    if (reason !== Reason.sound) return reason;
    const listener = options.lookupListener(udp.destinationPort(bytes, start));
    const isIpv4 = packet.source.length === 4;
    const pseudoSum = (isIpv4 ? ipv4 : ipv6).pseudoSum(bytes, ip, ipv4.Protocol.udp, udp.length(bytes, start));
    const sum = udp.checkChecksum(bytes, start, pseudoSum, isIpv4 || listener === 'zero');
    if (sum !== Reason.sound) return sum;
    if (listener !== 'none') {
      options.acceptUdp(packet);
      return Reason.sound;
    }
    if (packet.isUnicast) sendPortUnreachable(packet);
    return Reason.noListener;
  };

  const sendPortUnreachable = (packet: ReceivedPacket): void => {
    const route = book.route(packet.source);
    if (route === undefined) return;
    const isIpv4 = packet.source.length === 4;
    const header = icmp.HEADER_LENGTH;
    const most = isIpv4
      ? ERROR_LENGTH_IPV4 - ipv4.HEADER_LENGTH - header
      : ERROR_LENGTH_IPV6 - ipv6.HEADER_LENGTH - header;
    const quoted = Math.min(packet.end - packet.ip, most);
    const handle = output.begin(
      {
        source: packet.destination,
        destination: packet.source,
        protocol: isIpv4 ? ipv4.Protocol.icmp : ipv4.Protocol.icmpv6,
        tos: isIpv4 ? ERROR_TOS : 0,
        ttl: ECHO_TTL,
        dontFragment: false,
      },
      header + quoted,
    );
    if (handle < 0) return;
    const { bytes } = output;
    const at = output.payloadOf(handle);
    // Type, code, checksum 0; an unused word. Code 3 of type 3, and code 4 of type 1, say: no such port.
    put32(bytes, at, isIpv4 ? 0x0303_0000 : 0x0104_0000);
    put32(bytes, at + 4, 0);
    bytes.set(packet.bytes.subarray(packet.ip, packet.ip + quoted), at + header);
    writeIcmpChecksum(bytes, at, at + header + quoted, isIpv4);
    output.finish(handle, route.nextHop);
  };

  const acceptIcmp = (packet: ReceivedPacket): Reason => {
    const { bytes, start, end } = packet;
    const reason = icmp.check(bytes, start, end);
    if (reason !== Reason.sound) return reason;
    if (icmp.checkChecksum(bytes, start, end) !== Reason.sound) return Reason.badChecksum;
    const type = icmp.icmpType(bytes, start);
    // Pings to everybody go unanswered, as Linux has it.
    if (type === icmp.Type.echoRequest)
      return packet.isUnicast ? sendEchoReply(packet, packet.destination) : Reason.notForUs;
    if (type !== icmp.Type.echoReply) return Reason.badType;
    options.acceptEcho(packet, icmp.identifier(bytes, start), icmp.sequence(bytes, start));
    return Reason.sound;
  };

  /** The echo as it came, with the other type. */
  const sendEchoReply = (packet: ReceivedPacket, source: Address): Reason => {
    const route = book.route(packet.source);
    if (route === undefined) return output.refuse(Reason.noRoute);
    const isIpv4 = source.length === 4;
    const length = packet.end - packet.start;
    const protocol = isIpv4 ? ipv4.Protocol.icmp : ipv4.Protocol.icmpv6;
    const header = {
      source,
      destination: packet.source,
      protocol,
      tos: packet.tos,
      ttl: ECHO_TTL,
      dontFragment: false,
    };
    const handle = output.begin(header, length);
    if (handle < 0) return Reason.sound;
    const { bytes } = output;
    const at = output.payloadOf(handle);
    bytes.set(packet.bytes.subarray(packet.start, packet.end), at);
    bytes[at] = isIpv4 ? icmp.Type.echoReply : icmpv6.Type.echoReply;
    writeIcmpChecksum(bytes, at, at + length, isIpv4);
    output.finish(handle, route.nextHop);
    return Reason.sound;
  };

  const acceptIcmpv6 = (packet: ReceivedPacket): Reason => {
    const { bytes, ip, start, end } = packet;
    const reason = icmpv6.check(bytes, start, end);
    if (reason !== Reason.sound) return reason;
    const pseudoSum = ipv6.pseudoSum(bytes, ip, ipv4.Protocol.icmpv6, end - start);
    if (icmpv6.checkChecksum(bytes, start, end, pseudoSum) !== Reason.sound) return Reason.badChecksum;
    if (icmpv6.isNeighborDiscovery(bytes, start)) return acceptNeighbour(packet);
    if (isUnspecified(packet.source)) return Reason.badSource;
    const type = icmpv6.icmpType(bytes, start);
    if (type === icmpv6.Type.echoRequest) {
      const source = isMulticast(packet.destination) ? book.route(packet.source)?.source : packet.destination;
      return source === undefined ? output.refuse(Reason.noRoute) : sendEchoReply(packet, source);
    }
    if (type !== icmpv6.Type.echoReply) return Reason.badType;
    options.acceptEcho(packet, icmpv6.identifier(bytes, start), icmpv6.sequence(bytes, start));
    return Reason.sound;
  };

  /** RFC 4861, sections 7.1 and 7.2. */
  const acceptNeighbour = (packet: ReceivedPacket): Reason => {
    const { bytes, start, end, source } = packet;
    if (packet.ttl !== 255) return Reason.badFlags;
    const type = icmpv6.icmpType(bytes, start);
    const isSolicitation = type === icmpv6.Type.neighborSolicitation;
    if (!isSolicitation && type !== icmpv6.Type.neighborAdvertisement) return Reason.badType;
    const target = icmpv6.target(bytes, start).slice();
    if (isMulticast(target)) return Reason.badOption;
    const kind = isSolicitation ? icmpv6.OptionKind.sourceLinkLayer : icmpv6.OptionKind.targetLinkLayer;
    const option = icmpv6.findOption(bytes, icmpv6.optionsOffset(bytes, start), end, kind);
    // The option is as long as an Ethernet address makes it.
    if (option >= 0 && (bytes[option + 1] !== 1 || !isHostMac(bytes, option + 2))) return Reason.badOption;
    const neighbourMac = option < 0 ? -1 : get48(bytes, option + 2);
    if (isSolicitation) return answerSolicitation(packet, target, neighbourMac);
    if (isUnspecified(source)) return Reason.badSource;
    const override = (icmpv6.rest(bytes, start) & icmpv6.AdvertisementFlag.override) !== 0;
    if (neighbourMac >= 0) learn(target, neighbourMac, false, override);
    return Reason.sound;
  };

  const answerSolicitation = (packet: ReceivedPacket, target: Address, neighbourMac: number): Reason => {
    const { source, destination } = packet;
    const { override, solicited } = icmpv6.AdvertisementFlag;
    const type = icmpv6.Type.neighborAdvertisement;
    if (!book.has(target)) return Reason.notForUs;
    if (isUnspecified(source)) {
      // Somebody wants to take an address of ours: all are told whose it is.
      if (neighbourMac >= 0 || !sameAddress(destination, solicitedNode(target))) return Reason.badSource;
      output.sendNeighbour(type, override, target, target, ALL_NODES, multicastMac(ALL_NODES));
      return Reason.sound;
    }
    if (neighbourMac >= 0) learn(source, neighbourMac, true, true);
    const to = neighbourMac >= 0 ? neighbourMac : get48(packet.bytes, packet.ip - ethernet.HEADER_LENGTH + 6);
    output.sendNeighbour(type, (override | solicited) >>> 0, target, target, source, to);
    return Reason.sound;
  };

  return acceptFrame;
}

const ALL_NODES = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);

/** Completes an ICMP or ICMPv6 message from `at` to `end`, right behind an IP header without options. */
export function writeIcmpChecksum(bytes: Uint8Array, at: number, end: number, isIpv4: boolean): void {
  if (isIpv4) icmp.writeChecksum(bytes, at, end);
  else
    icmpv6.writeChecksum(
      bytes,
      at,
      end,
      ipv6.pseudoSum(bytes, at - ipv6.HEADER_LENGTH, ipv4.Protocol.icmpv6, end - at),
    );
}
