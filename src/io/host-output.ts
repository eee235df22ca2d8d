/**
 * The sending side of an `IpHost`: packets are built in a slot, get the MAC of their next hop, and leave as frames. A
 * packet is made in three steps: `begin` (headers and room for the payload), the caller's writing of the payload,
 * `finish`. Packets longer than the MTU are dropped; a host does not fragment.
 */
import { get48, put16, put32, put48 } from '../util/bytes.js';
import { checksum } from '../util/checksum.js';
import type { Clock } from '../util/clock.js';
import { Reason } from '../util/reason.js';
import type { PacketHandle, PacketPool } from '../packet/pool.js';
import * as arp from '../wire/arp.js';
import * as ethernet from '../wire/ethernet.js';
import * as icmpv6 from '../wire/icmpv6.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import { isMulticast, multicastMac, solicitedNode, type Address, type AddressBook } from './host-address.js';
import { createNeighbourTable, type NeighbourTable } from './host-neighbours.js';

export const BROADCAST_MAC = 0xffff_ffff_ffff;

/** What an IP header says, but for lengths and checksum. */
export interface PacketHeader {
  readonly source: Address;
  readonly destination: Address;
  readonly protocol: number;
  /** TOS or traffic class. */
  readonly tos: number;
  /** TTL or hop limit. */
  readonly ttl: number;
  /** IPv4 only. */
  readonly dontFragment: boolean;
}

export interface OutputOptions {
  readonly mac: number;
  readonly mtu: number;
  readonly book: AddressBook;
  readonly clock: Clock;
  readonly neighbourAgeMs: number;
  /** Where packets are built. */
  readonly pool: PacketPool;
  /** A slot for a frame of that length, or a `Reason` made negative. */
  reserve(length: number): number;
  /** Takes a whole frame in a slot of `pool`, and the slot; answers 0, or why not. */
  emit(handle: PacketHandle): Reason;
}

export interface HostOutput {
  /** Where packets are built. */
  readonly bytes: Uint8Array;
  readonly neighbours: NeighbourTable;
  /** Packets that were not sent, by reason. */
  readonly unsent: Float64Array;
  /** A slot with headers and room for `length` bytes at `payloadOf`; or a `Reason` made negative, which was counted. */
  begin(header: PacketHeader, length: number): number;
  /** Where the payload of a begun packet lies in the pool's bytes. */
  payloadOf(handle: PacketHandle): number;
  /** Sends a begun packet, to the MAC of `nextHop`: resolved first, if it is not known. */
  finish(handle: PacketHandle, nextHop: Address): Reason;
  /** Drops a packet, counted. */
  refuse(reason: Reason): Reason;
  /** Sends an ARP packet. */
  sendArp(operation: number, senderIp: Address, targetMac: number, targetIp: Address, destinationMac: number): void;
  /** Sends a neighbour solicitation or advertisement with one link-layer option, of the host's own MAC. */
  sendNeighbour(type: number, rest: number, target: Address, source: Address, destination: Address, mac: number): void;
}

export function createHostOutput(options: OutputOptions, unsent: Float64Array): HostOutput {
  const { mac, mtu, book, pool } = options;
  const { bytes, offset } = pool;
  let nextIdentification = 1;

  const refuse = (reason: Reason): Reason => {
    unsent[reason]++;
    return reason;
  };

  const transmit = (handle: PacketHandle, destinationMac: number): Reason => {
    put48(bytes, offset[handle], destinationMac);
    const reason = options.emit(handle);
    return reason === Reason.sound ? reason : refuse(reason);
  };

  const drop = (handle: PacketHandle, reason: Reason): void => {
    pool.release(handle);
    refuse(reason);
  };

  const probe = (address: Address, known: number): void => {
    // A neighbour is on the link, so there is a way to it.
    const { source } = book.route(address)!;
    if (address.length === 4) {
      sendArp(arp.Operation.request, source, 0, address, known < 0 ? BROADCAST_MAC : known);
    } else {
      const destination = known < 0 ? solicitedNode(address) : address;
      const destinationMac = known < 0 ? multicastMac(destination) : known;
      sendNeighbour(icmpv6.Type.neighborSolicitation, 0, address, source, destination, destinationMac);
    }
  };

  const neighbours = createNeighbourTable({
    clock: options.clock,
    ageMs: options.neighbourAgeMs,
    probe,
    send: transmit,
    drop,
  });

  const beginFrame = (etherType: number, length: number): number => {
    const handle = options.reserve(ethernet.HEADER_LENGTH + length);
    if (handle < 0) return -refuse(-handle as Reason);
    ethernet.setSource(bytes, offset[handle], mac);
    ethernet.setEtherType(bytes, offset[handle], etherType);
    return handle;
  };

  const begin = (header: PacketHeader, length: number): number => {
    const isIpv4 = header.destination.length === 4;
    const total = length + (isIpv4 ? ipv4.HEADER_LENGTH : ipv6.HEADER_LENGTH);
    if (total > mtu) return -refuse(Reason.mtuExceeded);
    const handle = beginFrame(isIpv4 ? ethernet.EtherType.ipv4 : ethernet.EtherType.ipv6, total);
    if (handle < 0) return handle;
    const ip = offset[handle] + ethernet.HEADER_LENGTH;
    if (isIpv4) {
      // A packet that cannot be fragmented needs no identification (RFC 6864).
      const identification = header.dontFragment ? 0 : nextIdentification++ & 0xffff;
      put32(bytes, ip, (0x4500_0000 | (header.tos << 16) | total) >>> 0);
      put32(bytes, ip + 4, identification * 0x10000 + (header.dontFragment ? 0x4000 : 0));
      put32(bytes, ip + 8, ((header.ttl << 24) | (header.protocol << 16)) >>> 0);
      bytes.set(header.source, ip + 12);
      bytes.set(header.destination, ip + 16);
      put16(bytes, ip + 10, checksum(bytes, ip, ip + ipv4.HEADER_LENGTH));
    } else {
      put32(bytes, ip, (0x6000_0000 | (header.tos << 20)) >>> 0);
      put32(bytes, ip + 4, ((length << 16) | (header.protocol << 8) | header.ttl) >>> 0);
      bytes.set(header.source, ip + 8);
      bytes.set(header.destination, ip + 24);
    }
    return handle;
  };

  const payloadOf = (handle: PacketHandle): number => {
    const isIpv4 = ethernet.etherType(bytes, offset[handle]) === ethernet.EtherType.ipv4;
    return offset[handle] + ethernet.HEADER_LENGTH + (isIpv4 ? ipv4.HEADER_LENGTH : ipv6.HEADER_LENGTH);
  };

  function sendArp(
    operation: number,
    senderIp: Address,
    targetMac: number,
    targetIp: Address,
    destinationMac: number,
  ): void {
    const handle = beginFrame(ethernet.EtherType.arp, arp.HEADER_LENGTH);
    if (handle < 0) return;
    const at = offset[handle] + ethernet.HEADER_LENGTH;
    put32(bytes, at, 0x0001_0800);
    put32(bytes, at + 4, 0x0604_0000 | operation);
    put48(bytes, at + 8, mac);
    bytes.set(senderIp, at + 14);
    put48(bytes, at + 18, targetMac);
    bytes.set(targetIp, at + 24);
    transmit(handle, destinationMac);
  }

  function sendNeighbour(
    type: number,
    rest: number,
    target: Address,
    source: Address,
    destination: Address,
    to: number,
  ): void {
    // 24 bytes and the link-layer option. The hop limit shows that nobody forwarded it (RFC 4861, section 7.1).
    const length = 32;
    const protocol = ipv4.Protocol.icmpv6;
    const handle = begin({ source, destination, protocol, tos: 0, ttl: 255, dontFragment: false }, length);
    if (handle < 0) return;
    const at = payloadOf(handle);
    const isSolicitation = type === icmpv6.Type.neighborSolicitation;
    put32(bytes, at, (type << 24) >>> 0);
    put32(bytes, at + 4, rest);
    bytes.set(target, at + 8);
    bytes[at + 24] = isSolicitation ? icmpv6.OptionKind.sourceLinkLayer : icmpv6.OptionKind.targetLinkLayer;
    bytes[at + 25] = 1;
    put48(bytes, at + 26, mac);
    icmpv6.writeChecksum(bytes, at, at + length, ipv6.pseudoSum(bytes, at - ipv6.HEADER_LENGTH, protocol, length));
    transmit(handle, to);
  }

  return {
    bytes,
    neighbours,
    unsent,
    begin,
    payloadOf,
    finish(handle, nextHop) {
      let to: number;
      if (isMulticast(nextHop)) to = multicastMac(nextHop);
      else if (book.isBroadcast(nextHop)) to = BROADCAST_MAC;
      else to = neighbours.lookup(nextHop);
      if (to >= 0) return transmit(handle, to);
      neighbours.wait(nextHop, handle);
      return Reason.sound;
    },
    refuse,
    sendArp,
    sendNeighbour,
  };
}

/** Whether a MAC address is one of a group, broadcast included. */
export function isGroupMac(bytes: Uint8Array, at: number): boolean {
  return (bytes[at] & 1) !== 0;
}

/** Whether a MAC can be somebody's: no group, and not zero. */
export function isHostMac(bytes: Uint8Array, at: number): boolean {
  return !isGroupMac(bytes, at) && get48(bytes, at) !== 0;
}
