// The twin of extraction: the same rules (Open vSwitch's miniflow_extract), taken down field by field over objects, with
// every byte asked for by a cursor that knows where the data end. Slow and plain on purpose; it shares no code with
// src/flow but the names of the fields, and the arithmetic of the hash, which has tests of its own.
import type { FieldName } from '../../src/flow/fields.js';
import { toHex } from '../../src/util/bytes.js';
import { hashAdd, hashFinish } from '../../src/util/hash.js';

/** Fields that are not zero, as the hexadecimal text of their bytes (numbers: of eight digits). */
export type NaiveFields = Partial<Record<FieldName, string>>;

export interface NaiveFlow {
  fields: NaiveFields;
  /** Open vSwitch's hash of the 5-tuple. */
  hash: number;
}

export interface NaiveOptions {
  vlanLimit: number;
  /** Namespace × 65536 + type; 0 for Ethernet. */
  packetType?: number;
}

/** Bytes that are left, from the front. */
class Cursor {
  readonly rest: number[];

  constructor(bytes: Iterable<number>) {
    this.rest = [...bytes];
  }

  get length(): number {
    return this.rest.length;
  }

  take(count: number): number[] {
    if (count > this.rest.length) throw new Error(`the twin read past the end: ${count} of ${this.rest.length} bytes`);
    return this.rest.splice(0, count);
  }

  peek(from: number, count: number): number[] {
    if (from + count > this.rest.length) throw new Error('the twin looked past the end');
    return this.rest.slice(from, from + count);
  }
}

const hex = (bytes: number[]): string => toHex(Uint8Array.from(bytes));
const big = (bytes: number[]): number => bytes.reduce((value, byte) => value * 256 + byte, 0);
const numeric = (value: number): string => (value >>> 0).toString(16).padStart(8, '0');
/** Four wire bytes as the hash reads them. */
const little = (bytes: number[]): number => bytes[0] | (bytes[1] << 8) | (bytes[2] << 16) | (bytes[3] << 24);

const PORT_PROTOCOLS = [6, 17, 132, 1, 58];

export function naiveExtract(frame: Uint8Array, { vlanLimit, packetType = 0 }: NaiveOptions): NaiveFlow {
  const fields: NaiveFields = {};
  const cursor = new Cursor(frame);
  let ethType: number;
  if (packetType === 0) {
    fields.ethDst = hex(cursor.take(6));
    fields.ethSrc = hex(cursor.take(6));
    ethType = takeTagsAndType(cursor, fields, vlanLimit);
  } else {
    ethType = packetType & 0xffff;
    fields.packetType = numeric(packetType);
  }
  fields.ethType = ethType.toString(16).padStart(4, '0');
  const network = takeNetwork(cursor, fields, ethType);
  const { addresses, protocol, ports, hashedProtocol = protocol } = network;
  let hash = 0;
  if (addresses !== undefined) {
    for (const word of addresses) hash = hashAdd(hash, word);
    hash = hashAdd(hash, hashedProtocol);
    if (PORT_PROTOCOLS.includes(protocol)) hash = hashAdd(hash, little(ports));
  }
  for (const [name, text] of Object.entries(fields)) if (/^0*$/.test(text)) delete fields[name as FieldName];
  return { fields, hash: hashFinish(hash, 42) };
}

function takeTagsAndType(cursor: Cursor, fields: NaiveFields, vlanLimit: number): number {
  const names = [
    ['vlanTpid', 'vlanTci'],
    ['innerVlanTpid', 'innerVlanTci'],
  ] as const;
  for (let tag = 0; tag < vlanLimit; tag++) {
    const tpid = big(cursor.peek(0, 2));
    // TPID, TCI, and the type that follows.
    if ((tpid !== 0x8100 && tpid !== 0x88a8) || cursor.length < 6) break;
    fields[names[tag][0]] = hex(cursor.take(2));
    const [high, low] = cursor.take(2);
    fields[names[tag][1]] = hex([high | 0x10, low]);
  }
  const type = big(cursor.take(2));
  if (type >= 0x0600) return type;
  if (cursor.length < 8 || hex(cursor.peek(0, 6)) !== 'aaaa03000000') return 0x05ff;
  const snapType = big(cursor.peek(6, 2));
  if (snapType < 0x0600) return 0x05ff;
  cursor.take(8);
  return snapType;
}

interface Network {
  /** Words that are hashed first; undefined: nothing is hashed. */
  addresses?: number[];
  protocol: number;
  hashedProtocol?: number;
  ports: number[];
}

const NO_PORTS = [0, 0, 0, 0];

function takeNetwork(cursor: Cursor, fields: NaiveFields, ethType: number): Network {
  if (ethType === 0x0800) return takeIpv4(cursor, fields);
  if (ethType === 0x86dd) return takeIpv6(cursor, fields);
  if (ethType === 0x0806 || ethType === 0x8035) return takeArp(cursor, fields, ethType);
  if (ethType === 0x8847 || ethType === 0x8848) takeMpls(cursor, fields);
  if (ethType === 0x894f) takeNsh(cursor, fields);
  return { protocol: 0, ports: NO_PORTS };
}

function takeArp(cursor: Cursor, fields: NaiveFields, ethType: number): Network {
  let sender = NO_PORTS;
  let target = NO_PORTS;
  let opcode = 0;
  if (cursor.length >= 28 && hex(cursor.peek(0, 6)) === '000108000604') {
    cursor.take(6);
    const [high, low] = cursor.take(2);
    opcode = high === 0 ? low : 0;
    fields.ipProto = hex([opcode]);
    fields.arpSha = hex(cursor.take(6));
    sender = cursor.take(4);
    fields.ipv4Src = hex(sender);
    fields.arpTha = hex(cursor.take(6));
    target = cursor.take(4);
    fields.ipv4Dst = hex(target);
  }
  if (ethType === 0x8035) return { protocol: 0, ports: NO_PORTS };
  return { addresses: [little(sender), little(target)], protocol: opcode, ports: NO_PORTS };
}

function takeMpls(cursor: Cursor, fields: NaiveFields): void {
  for (const name of ['mpls0', 'mpls1', 'mpls2'] as const) {
    if (cursor.length < 4) return;
    const entry = cursor.take(4);
    fields[name] = hex(entry);
    if ((entry[2] & 1) === 1) return;
  }
}

function takeNsh(cursor: Cursor, fields: NaiveFields): void {
  if (cursor.length < 8) return;
  const header = big(cursor.peek(0, 2));
  const [mdtype, next] = cursor.peek(2, 2);
  const length = (header % 64) * 4;
  if (header >= 0x4000 || length > cursor.length || (mdtype === 1 && length !== 24)) return;
  fields.nshFlags = hex([Math.floor(header / 4096)]);
  fields.nshTtl = hex([Math.floor(header / 64) % 64]);
  fields.nshMdtype = hex([mdtype]);
  fields.nshNp = hex([next]);
  fields.nshPath = hex(cursor.peek(4, 4));
  if (mdtype !== 1) return;
  fields.nshC1 = hex(cursor.peek(8, 4));
  fields.nshC2 = hex(cursor.peek(12, 4));
  fields.nshC3 = hex(cursor.peek(16, 4));
  fields.nshC4 = hex(cursor.peek(20, 4));
}

function takeIpv4(cursor: Cursor, fields: NaiveFields): Network {
  const failed = { addresses: [0, 0], protocol: 0, ports: NO_PORTS };
  if (cursor.length < 20) return failed;
  const headerLength = (cursor.peek(0, 1)[0] % 16) * 4;
  const totalLength = big(cursor.peek(2, 2));
  if (headerLength < 20 || headerLength > cursor.length || totalLength > cursor.length) return failed;
  if (totalLength < headerLength) return failed;
  // Padding is not looked at.
  const packet = new Cursor(cursor.take(totalLength));
  const header = packet.take(headerLength);
  const source = header.slice(12, 16);
  const destination = header.slice(16, 20);
  const protocol = header[9];
  const moreFragments = (header[6] & 0x20) !== 0;
  const fragmentOffset = big(header.slice(6, 8)) % 0x2000;
  fields.ipTos = hex([header[1]]);
  fields.ipTtl = hex([header[8]]);
  fields.ipProto = hex([protocol]);
  fields.ipv4Src = hex(source);
  fields.ipv4Dst = hex(destination);
  if (fragmentOffset !== 0) fields.ipFrag = '03';
  else if (moreFragments) fields.ipFrag = '01';
  const transport = fragmentOffset !== 0 ? { ports: NO_PORTS } : takeTransport(packet, fields, protocol);
  return { addresses: [little(source), little(destination)], protocol, ports: transport.ports };
}

function takeIpv6(cursor: Cursor, fields: NaiveFields): Network {
  const failed = { addresses: [0, 0, 0, 0, 0, 0, 0, 0], protocol: 0, ports: NO_PORTS };
  if (cursor.length < 40) return failed;
  const payloadLength = big(cursor.peek(4, 2));
  if (payloadLength + 40 > cursor.length) return failed;
  const header = cursor.take(40);
  const packet = new Cursor(cursor.take(payloadLength));
  const source = header.slice(8, 24);
  const destination = header.slice(24, 40);
  fields.ipv6Src = hex(source);
  fields.ipv6Dst = hex(destination);
  const addresses = [0, 4, 8, 12, 16, 20, 24, 28].map((at) => little([...source, ...destination].slice(at, at + 4)));
  const walked = walkExtensions(packet, header[6]);
  if (walked === undefined) return { addresses, protocol: 0, ports: NO_PORTS };
  const { protocol, fragment } = walked;
  const first = big(header.slice(0, 4));
  fields.ipv6Label = numeric(first % 0x10_0000);
  fields.ipTos = hex([Math.floor(first / 0x10_0000) % 256]);
  fields.ipTtl = hex([header[7]]);
  fields.ipProto = hex([protocol]);
  fields.ipFrag = hex([fragment]);
  if (fragment === 3) return { addresses, protocol, ports: NO_PORTS };
  const { ports, isWhole } = takeTransport(packet, fields, protocol);
  return { addresses, protocol, ports, hashedProtocol: isWhole ? header[6] : protocol };
}

function walkExtensions(packet: Cursor, first: number): { protocol: number; fragment: number } | undefined {
  let protocol = first;
  let fragment = 0;
  while ([0, 43, 60, 51, 44].includes(protocol)) {
    if (packet.length < 8) return undefined;
    const [next, length] = packet.peek(0, 2);
    if (protocol === 44) {
      const word = big(packet.peek(2, 2));
      packet.take(8);
      if (word >= 8) return { protocol: 44, fragment: 3 };
      if (word !== 0) fragment = 1;
    } else {
      const size = protocol === 51 ? (length + 2) * 4 : (length + 1) * 8;
      if (size > packet.length) return undefined;
      packet.take(size);
    }
    protocol = next;
  }
  return { protocol, fragment };
}

/** `isWhole`: a TCP or UDP header that passed, whose hash is computed from the packet. */
function takeTransport(packet: Cursor, fields: NaiveFields, protocol: number): { ports: number[]; isWhole?: boolean } {
  const least = { 6: 20, 17: 8, 132: 12, 1: 8, 2: 8, 58: 8 }[protocol];
  if (least === undefined || packet.length < least) return { ports: NO_PORTS };
  let ports = packet.peek(0, 4);
  if (protocol === 6) {
    const [high, low] = packet.peek(12, 2);
    const headerLength = Math.floor(high / 16) * 4;
    if (headerLength < 20 || headerLength > packet.length) return { ports: NO_PORTS };
    fields.tcpFlags = hex([high % 16, low]);
  } else if (protocol === 1 || protocol === 2 || protocol === 58) ports = [0, ports[0], 0, ports[1]];
  fields.tpSrc = hex(ports.slice(0, 2));
  fields.tpDst = hex(ports.slice(2, 4));
  if (protocol === 58) takeNeighbourDiscovery(packet, fields, ports[1], ports[3]);
  return { ports, isWhole: protocol === 6 || protocol === 17 };
}

function takeNeighbourDiscovery(packet: Cursor, fields: NaiveFields, type: number, code: number): void {
  if ((type !== 135 && type !== 136) || code !== 0) return;
  packet.take(4);
  fields.ndReserved = hex(packet.take(4));
  if (packet.length < 16) return;
  const target = hex(packet.take(16));
  const addresses: Record<number, number[]> = { 1: [], 2: [] };
  const isSet = (address: number[]): boolean => address.some((byte) => byte !== 0);
  fields.ndTarget = target;
  while (packet.length >= 8) {
    const [option, units] = packet.peek(0, 2);
    if (units === 0 || units * 8 > packet.length) break;
    const bytes = packet.take(units * 8);
    if ((option !== 1 && option !== 2) || units !== 1) continue;
    if (isSet(addresses[option])) {
      delete fields.ndTarget;
      addresses[1] = addresses[2] = [];
      break;
    }
    addresses[option] = bytes.slice(2, 8);
    if (fields.ndOptionsType !== undefined) continue;
    fields.ndOptionsType = numeric(option);
    // One place for both in Open vSwitch's flow, so it counts as TCP flags too.
    fields.tcpFlags = hex([0, option]);
  }
  fields.arpSha = hex(addresses[1]);
  fields.arpTha = hex(addresses[2]);
}
