/**
 * VXLAN (RFC 7348, section 5), and whole frames put into it and taken out of it as Open vSwitch's native tunnels do.
 * What is accepted is what they accept: of the VXLAN-GPE draft, the header with its P bit; no group policy.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |R|R|V|V|I|P|R|O|            reserved           | next protocol |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |                      VNI                      |   reserved    |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * In RFC 7348 only I is set; V, P, O and the next protocol are those of VXLAN-GPE (draft-ietf-nvo3-vxlan-gpe).
 */
import { formatIpv4, formatIpv6, formatMac, parseIp } from '../util/address.js';
import { get24, get32, put24 } from '../util/bytes.js';
import { fold, sum16 } from '../util/checksum.js';
import { MegaflowError } from '../util/errors.js';
import { Reason } from '../util/reason.js';
import * as ethernet from './ethernet.js';
import { field, room } from './field.js';
import * as ipv4 from './ipv4.js';
import * as ipv6 from './ipv6.js';
import { checksumRange } from './sum.js';
import * as udp from './udp.js';

const FLAGS = 0;
const RESERVED = 1;
const NEXT_PROTOCOL = 3;
const VNI = 4;
const LAST_RESERVED = 7;

/** Bytes. */
export const HEADER_LENGTH = 8;

/** The UDP port that IANA gave to VXLAN. */
export const PORT = 4789;

/** The ports on which a decoder expects VXLAN: IANA's, and the one that Linux used before there was one. */
export const PORTS: readonly number[] = [PORT, 8472];

const VNI_VALID = 0x0800_0000;
const GPE = 0x0400_0000;
const OAM = 0x0100_0000;
/** Version, P, O and next protocol. */
const GPE_BITS = 0x3500_00ff;

/** What a VXLAN header may announce; without the P bit always Ethernet. */
export const NextProtocol = { ipv4: 1, ipv6: 2, ethernet: 3, nsh: 4 } as const;

/**
 * Why the header at `offset` is refused, 0 if it is sound: `truncated`, `bad-flags` (anything but I, or but GPE's bits
 * without O), `bad-type` (an unknown next protocol), `bad-reserved` (the byte behind the VNI).
 */
export function check(bytes: Uint8Array, offset = 0, end = bytes.length): Reason {
  if (end - offset < HEADER_LENGTH) return Reason.truncated;
  let flags = get32(bytes, offset + FLAGS);
  if ((flags & GPE) !== 0) {
    if ((flags & OAM) !== 0) return Reason.badFlags;
    const next = flags & 0xff;
    if (next < NextProtocol.ipv4 || next > NextProtocol.nsh) return Reason.badType;
    flags &= ~GPE_BITS;
  }
  if (flags !== VNI_VALID) return Reason.badFlags;
  return bytes[offset + LAST_RESERVED] === 0 ? Reason.sound : Reason.badReserved;
}

/** The first byte. */
export function flags(bytes: Uint8Array, offset: number): number {
  return bytes[offset + FLAGS];
}

/** One of `NextProtocol`. */
export function nextProtocol(bytes: Uint8Array, offset: number): number {
  return (get32(bytes, offset + FLAGS) & GPE) !== 0 ? bytes[offset + NEXT_PROTOCOL] : NextProtocol.ethernet;
}

/** 24 bits. */
export function vni(bytes: Uint8Array, offset: number): number {
  return get24(bytes, offset + VNI);
}

export function setVni(bytes: Uint8Array, offset: number, value: number): void {
  put24(bytes, offset + VNI, value);
}

export interface Vxlan {
  type: 'vxlan';
  vni: number;
  /** The first byte; default 8: the VNI is valid. */
  flags?: number;
  /** The three bytes behind the flags (GPE: the last is the next protocol); default 0. */
  reserved?: number;
  /** The byte behind the VNI; default 0. */
  lastReserved?: number;
}

/** The header as an object, `undefined` when `check` refuses it. */
export function parse(bytes: Uint8Array, offset = 0, end = bytes.length): Required<Vxlan> | undefined {
  if (check(bytes, offset, end) !== Reason.sound) return undefined;
  return {
    type: 'vxlan',
    vni: vni(bytes, offset),
    flags: flags(bytes, offset),
    reserved: get24(bytes, offset + RESERVED),
    lastReserved: bytes[offset + LAST_RESERVED],
  };
}

/** Writes the header and answers its length. Throws `out-of-range`. */
export function write(bytes: Uint8Array, offset: number, header: Vxlan): number {
  room('a VXLAN header', bytes, offset, HEADER_LENGTH);
  bytes[offset + FLAGS] = field('flags', header.flags ?? 8, 8);
  put24(bytes, offset + RESERVED, field('reserved', header.reserved ?? 0, 24));
  setVni(bytes, offset, field('vni', header.vni, 24));
  bytes[offset + LAST_RESERVED] = field('lastReserved', header.lastReserved ?? 0, 8);
  return HEADER_LENGTH;
}

// Whole frames.

/** What is put around a frame. Both IP addresses are IPv4, or both IPv6. */
export interface Outer {
  /** `'aa:55:aa:55:00:01'` */
  sourceMac: string;
  destinationMac: string;
  /** `'10.10.10.1'` or `'fd00:10::1'` */
  sourceIp: string;
  destinationIp: string;
  /** UDP. Open vSwitch hashes the inner frame to find it. */
  sourcePort: number;
  /** Default 4789. */
  destinationPort?: number;
  vni: number;
  /** TTL or hop limit; default 64. */
  ttl?: number;
  /** TOS or traffic class; default 0. */
  tos?: number;
  /** IPv4 only; default true. */
  dontFragment?: boolean;
  /** Default: no over IPv4, yes over IPv6. */
  udpChecksum?: boolean;
}

/** An `Outer` made ready, for callers who put the same around many frames. */
export interface OuterHeader {
  readonly type: 'outer-header';
  /** 50 or 70 bytes: all headers, with zero for lengths, source port and checksums. */
  readonly bytes: Uint8Array;
  readonly sourcePort: number;
  readonly isIpv4: boolean;
  readonly udpChecksum: boolean;
  /** Sum of the words of the IPv4 header. */
  readonly ipSum: number;
  /** Sum of the pseudo header without the length. */
  readonly pseudoSum: number;
}

/** Checks an `Outer` and turns it into bytes. Throws `bad-address`, `bad-argument` (families mixed), `out-of-range`. */
export function compile(outer: Outer): OuterHeader {
  const isIpv4 = parseIp(outer.sourceIp).length === 4;
  if ((parseIp(outer.destinationIp).length === 4) !== isIpv4) {
    const pair = `${outer.sourceIp} to ${outer.destinationIp}`;
    throw new MegaflowError('bad-argument', `a packet cannot go from ${pair}`, pair, 'two addresses of one family');
  }
  const ip = ethernet.HEADER_LENGTH;
  const udpOffset = ip + (isIpv4 ? ipv4.HEADER_LENGTH : ipv6.HEADER_LENGTH);
  const bytes = new Uint8Array(udpOffset + udp.HEADER_LENGTH + HEADER_LENGTH);
  const { sourceIp: source, destinationIp: destination, ttl, tos } = outer;
  ethernet.write(bytes, 0, {
    type: 'ethernet',
    destination: outer.destinationMac,
    source: outer.sourceMac,
    etherType: isIpv4 ? ethernet.EtherType.ipv4 : ethernet.EtherType.ipv6,
  });
  const common = { source, destination, protocol: ipv4.Protocol.udp };
  if (isIpv4) {
    const dontFragment = outer.dontFragment ?? true;
    ipv4.write(bytes, ip, { type: 'ipv4', ...common, ttl, tos, dontFragment, totalLength: 0, checksum: 0 });
  } else {
    ipv6.write(bytes, ip, { type: 'ipv6', ...common, hopLimit: ttl, trafficClass: tos, payloadLength: 0 });
  }
  udp.write(bytes, udpOffset, {
    type: 'udp',
    sourcePort: 0,
    destinationPort: outer.destinationPort ?? PORT,
    length: 0,
  });
  write(bytes, udpOffset + udp.HEADER_LENGTH, { type: 'vxlan', vni: outer.vni });
  return {
    type: 'outer-header',
    bytes,
    sourcePort: field('sourcePort', outer.sourcePort, 16),
    isIpv4,
    udpChecksum: outer.udpChecksum ?? !isIpv4,
    ipSum: sum16(bytes, ip, udpOffset),
    pseudoSum: (isIpv4 ? ipv4 : ipv6).pseudoSum(bytes, ip, common.protocol, 0),
  };
}

const VXLAN_OVERHEAD = udp.HEADER_LENGTH + HEADER_LENGTH;

/**
 * The frame in VXLAN, as a new array: bytes as Open vSwitch 3.1 sends them (IPv4 identification 0, padding of the frame
 * kept). With an `OuterHeader` from `compile` nothing but the result is allocated; `sourcePort` may differ from frame
 * to frame. Throws what `compile` throws, and `out-of-range` for a frame that makes the outer packet longer than 65535
 * bytes.
 */
export function encapsulate(frame: Uint8Array, outer: Outer | OuterHeader, sourcePort = outer.sourcePort): Uint8Array {
  const header = 'bytes' in outer ? outer : compile(outer);
  const start = header.bytes.length;
  const udpOffset = start - VXLAN_OVERHEAD;
  const udpLength = field('length of the outer datagram', frame.length + VXLAN_OVERHEAD, 16);
  const bytes = new Uint8Array(start + frame.length);
  bytes.set(header.bytes);
  bytes.set(frame, start);
  udp.setSourcePort(bytes, udpOffset, field('sourcePort', sourcePort, 16));
  udp.setLength(bytes, udpOffset, udpLength);
  if (header.isIpv4) {
    const total = field('length of the outer packet', udpLength + ipv4.HEADER_LENGTH, 16);
    ipv4.setTotalLength(bytes, ethernet.HEADER_LENGTH, total);
    ipv4.setChecksum(bytes, ethernet.HEADER_LENGTH, ~fold(header.ipSum + total) & 0xffff);
  } else ipv6.setPayloadLength(bytes, ethernet.HEADER_LENGTH, udpLength);
  if (header.udpChecksum) udp.writeChecksum(bytes, udpOffset, bytes.length, header.pseudoSum + udpLength);
  return bytes;
}

/** What `decapsulate` answers. `reason` is 0 for a sound packet; otherwise it says why there is no frame. */
export class Decapsulation {
  readonly reason: Reason;
  /** What was inside: a view of the outer frame's bytes. */
  readonly frame: Uint8Array | undefined;
  readonly vni: number;
  /** One of `NextProtocol`: what `frame` is, Ethernet but for VXLAN-GPE. */
  readonly nextProtocol: number;
  readonly #packet: Uint8Array;
  readonly #udpOffset: number;

  constructor(reason: Reason, packet: Uint8Array, udpOffset: number) {
    const isSound = reason === Reason.sound;
    const vxlanOffset = udpOffset + udp.HEADER_LENGTH;
    this.reason = reason;
    this.frame = isSound ? packet.subarray(vxlanOffset + HEADER_LENGTH) : undefined;
    this.vni = isSound ? vni(packet, vxlanOffset) : 0;
    this.nextProtocol = isSound ? nextProtocol(packet, vxlanOffset) : 0;
    this.#packet = packet;
    this.#udpOffset = udpOffset;
  }

  /**
   * What was around the frame, in the form that `encapsulate` takes; read from the packet's bytes when asked for, since
   * text is slow.
   */
  get outer(): Required<Outer> | undefined {
    return this.frame && parseOuter(this.#packet, this.#udpOffset, this.vni);
  }
}

function parseOuter(packet: Uint8Array, udpOffset: number, packetVni: number): Required<Outer> {
  const ip = ethernet.HEADER_LENGTH;
  const isIpv4 = ethernet.etherType(packet, 0) === ethernet.EtherType.ipv4;
  return {
    sourceMac: formatMac(ethernet.source(packet, 0)),
    destinationMac: formatMac(ethernet.destination(packet, 0)),
    sourceIp: isIpv4 ? formatIpv4(ipv4.source(packet, ip)) : formatIpv6(ipv6.source(packet, ip)),
    destinationIp: isIpv4 ? formatIpv4(ipv4.destination(packet, ip)) : formatIpv6(ipv6.destination(packet, ip)),
    sourcePort: udp.sourcePort(packet, udpOffset),
    destinationPort: udp.destinationPort(packet, udpOffset),
    vni: packetVni,
    ttl: isIpv4 ? ipv4.ttl(packet, ip) : ipv6.hopLimit(packet, ip),
    tos: isIpv4 ? ipv4.tos(packet, ip) : ipv6.trafficClass(packet, ip),
    dontFragment: isIpv4 && ipv4.dontFragment(packet, ip),
    udpChecksum: udp.checksum(packet, udpOffset) !== 0,
  };
}

/**
 * The frame in a VXLAN packet (a whole Ethernet frame without a tag), accepted or refused as Open vSwitch 3.1 does: the
 * length in the UDP header is not looked at, a UDP checksum of 0 is sound over IPv6 too, and the inner frame runs to
 * the end of the outer. The inner frame itself is not checked and may be empty. Never throws for what is in a frame.
 * Reasons: `truncated`, `bad-type` (not IP, not UDP, or an unknown next protocol), `bad-port`, `fragmented`,
 * `bad-version`, `bad-header-length`, `bad-total-length`, `bad-option` (any IPv4 option), `bad-checksum`, `bad-flags`,
 * `bad-reserved`.
 */
export function decapsulate(packet: Uint8Array, destinationPort: number = PORT): Decapsulation {
  if (packet.length < ethernet.HEADER_LENGTH) return new Decapsulation(Reason.truncated, packet, 0);
  const type = ethernet.etherType(packet, 0);
  if (type === ethernet.EtherType.ipv4) return decapsulateIpv4(packet, destinationPort);
  if (type === ethernet.EtherType.ipv6) return decapsulateIpv6(packet, destinationPort);
  return new Decapsulation(Reason.badType, packet, 0);
}

function decapsulateIpv4(packet: Uint8Array, destinationPort: number): Decapsulation {
  const ip = ethernet.HEADER_LENGTH;
  let reason = ipv4.check(packet, ip, packet.length);
  if (reason === Reason.sound) {
    if (ipv4.protocol(packet, ip) !== ipv4.Protocol.udp) reason = Reason.badType;
    else if (ipv4.isFragment(packet, ip)) reason = Reason.fragmented;
    else if (ipv4.headerLength(packet, ip) !== ipv4.HEADER_LENGTH) reason = Reason.badOption;
    else reason = ipv4.checkChecksum(packet, ip);
  }
  if (reason !== Reason.sound) return new Decapsulation(reason, packet, 0);
  const length = ipv4.totalLength(packet, ip) - ipv4.HEADER_LENGTH;
  const udpOffset = ip + ipv4.HEADER_LENGTH;
  const pseudoSum = ipv4.pseudoSum(packet, ip, ipv4.Protocol.udp, length);
  return decapsulateUdp(packet, udpOffset, length, destinationPort, pseudoSum);
}

function decapsulateIpv6(packet: Uint8Array, destinationPort: number): Decapsulation {
  const ip = ethernet.HEADER_LENGTH;
  let reason = ipv6.check(packet, ip, packet.length);
  if (reason === Reason.sound) {
    if (ipv6.isFragment(packet, ip)) reason = Reason.fragmented;
    else if (ipv6.protocol(packet, ip) !== ipv4.Protocol.udp) reason = Reason.badType;
  }
  if (reason !== Reason.sound) return new Decapsulation(reason, packet, 0);
  const udpOffset = ipv6.payloadOffset(packet, ip);
  const length = ipv6.payloadEnd(packet, ip) - udpOffset;
  const pseudoSum = ipv6.pseudoSum(packet, ip, ipv4.Protocol.udp, length);
  return decapsulateUdp(packet, udpOffset, length, destinationPort, pseudoSum);
}

/** `length` is what the IP header leaves for UDP. */
function decapsulateUdp(
  packet: Uint8Array,
  udpOffset: number,
  length: number,
  destinationPort: number,
  pseudoSum: number,
): Decapsulation {
  let reason: Reason = Reason.sound;
  if (length < VXLAN_OVERHEAD) reason = Reason.truncated;
  else if (udp.destinationPort(packet, udpOffset) !== destinationPort) reason = Reason.badPort;
  else if (udp.checksum(packet, udpOffset) !== 0 && checksumRange(packet, udpOffset, packet.length, pseudoSum) !== 0) {
    reason = Reason.badChecksum;
  } else reason = check(packet, udpOffset + udp.HEADER_LENGTH, packet.length);
  return new Decapsulation(reason, packet, udpOffset);
}
