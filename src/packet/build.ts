/**
 * Whole frames from layers, and layers from whole frames. For people and tests, not for the fast path: everything is
 * objects and text. `buildFrame(dissect(frame))` is `frame`, byte for byte, whatever the frame.
 *
 *     buildFrame([
 *       { type: 'ethernet', source: '02:00:00:00:00:01', destination: '02:00:00:00:00:02' },
 *       { type: 'ipv4', source: '1.1.1.1', destination: '1.1.1.2' },
 *       { type: 'udp', sourcePort: 1111, destinationPort: 53 },
 *       { type: 'payload', bytes: Uint8Array.of(1, 2, 3) },
 *     ]);
 *
 * Types, protocols, lengths and checksums that a layer leaves out follow from its neighbours; what it gives is kept,
 * right or wrong.
 */
import { MegaflowError } from '../util/errors.js';
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

/** Bytes that are not taken apart. */
export interface Payload {
  type: 'payload';
  bytes: Uint8Array;
  /** Of `dissect`: why the header that should be here was refused; absent when none was expected. */
  reason?: Reason;
}

/**
 * What follows the innermost Ethernet frame's data: counted in the lengths of the tunnels around it, not in its own.
 */
export interface Padding {
  type: 'padding';
  bytes: Uint8Array;
}

export type Layer =
  | ethernet.Ethernet
  | vlan.Vlan
  | llc.Llc
  | arp.Arp
  | ipv4.Ipv4
  | ipv6.Ipv6
  | udp.Udp
  | tcp.Tcp
  | sctp.Sctp
  | icmp.Icmp
  | icmpv6.Icmpv6
  | vxlan.Vxlan
  | Payload
  | Padding;

function writtenLength(layer: Layer): number {
  switch (layer.type) {
    case 'ethernet':
      return ethernet.HEADER_LENGTH;
    case 'vlan':
      return vlan.HEADER_LENGTH;
    case 'llc':
      return llc.writtenLength(layer);
    case 'arp':
      return arp.HEADER_LENGTH;
    case 'ipv4':
      return ipv4.writtenLength(layer);
    case 'ipv6':
      return ipv6.writtenLength(layer);
    case 'udp':
      return udp.HEADER_LENGTH;
    case 'tcp':
      return tcp.writtenLength(layer);
    case 'sctp':
      return sctp.HEADER_LENGTH;
    case 'icmp':
      return icmp.HEADER_LENGTH;
    case 'icmpv6':
      return icmpv6.writtenLength(layer);
    case 'vxlan':
      return vxlan.HEADER_LENGTH;
    case 'payload':
    case 'padding':
      return layer.bytes.length;
    default:
      throw unknownLayer(layer);
  }
}

function unknownLayer(layer: never): MegaflowError {
  const type = String((layer as { type?: unknown }).type);
  return new MegaflowError('bad-argument', `there is no layer of type ${type}`, layer, 'a layer of a known protocol');
}

/** The type field before `next`: of an 802.3 frame the length of its data; `undefined` lets `write` choose. */
function typeBefore(next: Layer | undefined, dataLength: number, isNestedTag: boolean): number | undefined {
  switch (next?.type) {
    case 'vlan':
      return isNestedTag ? ethernet.EtherType.serviceVlan : ethernet.EtherType.vlan;
    case 'llc':
      return dataLength;
    case 'arp':
      return ethernet.EtherType.arp;
    case 'ipv4':
      return ethernet.EtherType.ipv4;
    case 'ipv6':
      return ethernet.EtherType.ipv6;
    default:
      return undefined;
  }
}

/** The protocol number before `next`; `undefined` lets `write` choose. */
function protocolBefore(next: Layer | undefined): number | undefined {
  switch (next?.type) {
    case 'udp':
    case 'tcp':
    case 'sctp':
    case 'icmp':
    case 'icmpv6':
      return ipv4.Protocol[next.type];
    case 'ipv4':
      return 4;
    case 'ipv6':
      return 41;
    default:
      return undefined;
  }
}

/** Writes a layer with all that it leaves out but the checksums over its data. `end` is where its data end. */
function writeLayer(bytes: Uint8Array, at: number, end: number, layer: Layer, next?: Layer, afterNext?: Layer): void {
  const data = end - at - writtenLength(layer);
  const isNestedTag = afterNext?.type === 'vlan';
  switch (layer.type) {
    case 'ethernet':
      ethernet.write(bytes, at, { ...layer, etherType: layer.etherType ?? typeBefore(next, data, isNestedTag) });
      break;
    case 'vlan':
      vlan.write(bytes, at, { ...layer, etherType: layer.etherType ?? typeBefore(next, data, isNestedTag) });
      break;
    case 'llc':
      llc.write(bytes, at, { ...layer, protocol: layer.protocol ?? typeBefore(next, data, isNestedTag) });
      break;
    case 'arp':
      arp.write(bytes, at, layer);
      break;
    case 'ipv4': {
      const totalLength = layer.totalLength ?? end - at;
      ipv4.write(bytes, at, { ...layer, totalLength, protocol: layer.protocol ?? protocolBefore(next) });
      break;
    }
    case 'ipv6': {
      const payloadLength = layer.payloadLength ?? end - at - ipv6.HEADER_LENGTH;
      ipv6.write(bytes, at, { ...layer, payloadLength, protocol: layer.protocol ?? protocolBefore(next) });
      break;
    }
    case 'udp':
      udp.write(bytes, at, { ...layer, length: layer.length ?? end - at });
      break;
    case 'tcp':
      tcp.write(bytes, at, layer);
      break;
    case 'sctp':
      sctp.write(bytes, at, layer);
      break;
    case 'icmp':
      icmp.write(bytes, at, layer);
      break;
    case 'icmpv6':
      icmpv6.write(bytes, at, layer);
      break;
    case 'vxlan':
      vxlan.write(bytes, at, layer);
      break;
    case 'payload':
    case 'padding':
      bytes.set(layer.bytes, at);
      break;
  }
}

/**
 * Where the data that a checksum of `layer` is over end: where its own length or that of `ip` says, if that is
 * possible. They may end before `end`, since `dissect` gives what follows a tunnelled packet as padding like any other.
 */
function summedEnd(total: number, at: number, end: number, layer: Layer, ip?: Layer, ipAt = 0): number {
  let stated = end;
  if (layer.type === 'udp') stated = at + (layer.length ?? end - at);
  else if (ip?.type === 'ipv4') stated = ipAt + (ip.totalLength ?? end - ipAt);
  else if (ip?.type === 'ipv6' && ip.payloadLength !== undefined) stated = ipAt + ipv6.HEADER_LENGTH + ip.payloadLength;
  return stated >= at + writtenLength(layer) && stated <= total ? stated : end;
}

/** Computes the checksum that `layer` leaves out. `ip` is the layer before it, at `ipAt`. */
function writeChecksum(bytes: Uint8Array, at: number, end: number, layer: Layer, ip?: Layer, ipAt = 0): void {
  const pseudoSum = (protocol: number): number => {
    if (ip?.type === 'ipv4') return ipv4.pseudoSum(bytes, ipAt, protocol, end - at);
    if (ip?.type === 'ipv6') return ipv6.pseudoSum(bytes, ipAt, protocol, end - at);
    const allowed = 'a layer ipv4 or ipv6 right before it, or a checksum';
    throw new MegaflowError('bad-argument', `the checksum of ${layer.type} needs addresses`, layer, allowed);
  };
  switch (layer.type) {
    case 'udp':
      if (layer.checksum === undefined) udp.writeChecksum(bytes, at, end, pseudoSum(ipv4.Protocol.udp));
      break;
    case 'tcp':
      if (layer.checksum === undefined) tcp.writeChecksum(bytes, at, end, pseudoSum(ipv4.Protocol.tcp));
      break;
    case 'sctp':
      if (layer.checksum === undefined) sctp.writeChecksum(bytes, at, end);
      break;
    case 'icmp':
      if (layer.checksum === undefined) icmp.writeChecksum(bytes, at, end);
      break;
    case 'icmpv6':
      if (layer.checksum === undefined) icmpv6.writeChecksum(bytes, at, end, pseudoSum(ipv4.Protocol.icmpv6));
      break;
  }
}

/**
 * The frame that consists of `layers`, the outermost first, as a new array. Before two tags the outer type is 0x88a8.
 * Throws `bad-argument`, `bad-address`, `out-of-range`.
 */
export function buildFrame(layers: readonly Layer[]): Uint8Array {
  const offsets: number[] = [];
  let total = 0;
  for (const layer of layers) {
    offsets.push(total);
    total += writtenLength(layer);
  }
  const innermost = layers.map((layer) => layer.type).lastIndexOf('ethernet');
  const paddingIndex = layers.findIndex((layer, index) => layer.type === 'padding' && index > innermost);
  const innermostEnd = paddingIndex < 0 ? total : offsets[paddingIndex];
  const bytes = new Uint8Array(total);
  // Headers first; then checksums from the inside out, each over finished data.
  layers.forEach((layer, index) => {
    const end = index >= innermost ? innermostEnd : total;
    writeLayer(bytes, offsets[index], end, layer, layers[index + 1], layers[index + 2]);
  });
  for (let index = layers.length - 1; index >= 0; index--) {
    const [layer, ip] = [layers[index], layers[index - 1]];
    const end = index >= innermost ? innermostEnd : total;
    const last = summedEnd(total, offsets[index], end, layer, ip, offsets[index - 1]);
    writeChecksum(bytes, offsets[index], last, layer, ip, offsets[index - 1]);
  }
  return bytes;
}
