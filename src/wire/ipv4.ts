/**
 * IPv4 (RFC 791, section 3.1; RFC 2474 and RFC 3168 for the TOS byte). Fragments are told, not reassembled; options are
 * taken apart, not obeyed.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |version|  IHL  |     DSCP  |ECN|          total length         |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |        identification         |0|D|M|    fragment offset      |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |  time to live |    protocol   |        header checksum        |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |                            source                             |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |                          destination                          |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |               options, up to 40 bytes, padded                 |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { formatIpv4, parseIpv4 } from '../util/address.js';
import { copyBytes, get16, get32, put16, put32 } from '../util/bytes.js';
import { checksum as checksumOf, sum16 } from '../util/checksum.js';
import { Reason } from '../util/reason.js';
import { field, room, unit } from './field.js';

const VERSION_IHL = 0;
const TOS = 1;
const TOTAL_LENGTH = 2;
const IDENTIFICATION = 4;
const FRAGMENT = 6;
const TTL = 8;
const PROTOCOL = 9;
const CHECKSUM = 10;
const SOURCE = 12;
const DESTINATION = 16;
const OPTIONS = 20;

/** Bytes, without options. */
export const HEADER_LENGTH = 20;

const RESERVED_FLAG = 0x8000;
const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;
const OFFSET_MASK = 0x1fff;

/** Protocols, of IPv4 and of IPv6 (IANA, "Assigned Internet Protocol Numbers"). */
export const Protocol = {
  icmp: 1,
  igmp: 2,
  tcp: 6,
  udp: 17,
  icmpv6: 58,
  sctp: 132,
  /** RFC 3692: what a builder uses for a payload that it is told nothing about. */
  experimental: 253,
} as const;

/**
 * Why the header at `offset` is refused, 0 if it is sound: `truncated` (also when its lengths go past `end`),
 * `bad-version`, `bad-header-length`, `bad-total-length` (shorter than the header). Neither options nor the checksum
 * are looked at.
 */
export function check(bytes: Uint8Array, offset = 0, end = bytes.length): Reason {
  if (end - offset < HEADER_LENGTH) return Reason.truncated;
  if (version(bytes, offset) !== 4) return Reason.badVersion;
  const header = headerLength(bytes, offset);
  if (header < HEADER_LENGTH) return Reason.badHeaderLength;
  const total = totalLength(bytes, offset);
  if (total < header) return Reason.badTotalLength;
  return offset + total > end ? Reason.truncated : Reason.sound;
}

export function version(bytes: Uint8Array, offset: number): number {
  return bytes[offset + VERSION_IHL] >>> 4;
}

/** With options, in bytes. */
export function headerLength(bytes: Uint8Array, offset: number): number {
  return (bytes[offset + VERSION_IHL] & 15) * 4;
}

/** DSCP and ECN, 8 bits. */
export function tos(bytes: Uint8Array, offset: number): number {
  return bytes[offset + TOS];
}

/** Of header and payload, in bytes. */
export function totalLength(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + TOTAL_LENGTH);
}

export function identification(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + IDENTIFICATION);
}

export function reservedFlag(bytes: Uint8Array, offset: number): boolean {
  return (get16(bytes, offset + FRAGMENT) & RESERVED_FLAG) !== 0;
}

export function dontFragment(bytes: Uint8Array, offset: number): boolean {
  return (get16(bytes, offset + FRAGMENT) & DONT_FRAGMENT) !== 0;
}

export function moreFragments(bytes: Uint8Array, offset: number): boolean {
  return (get16(bytes, offset + FRAGMENT) & MORE_FRAGMENTS) !== 0;
}

/** In bytes, a multiple of 8. */
export function fragmentOffset(bytes: Uint8Array, offset: number): number {
  return (get16(bytes, offset + FRAGMENT) & OFFSET_MASK) * 8;
}

export function isFragment(bytes: Uint8Array, offset: number): boolean {
  return (get16(bytes, offset + FRAGMENT) & (MORE_FRAGMENTS | OFFSET_MASK)) !== 0;
}

export function ttl(bytes: Uint8Array, offset: number): number {
  return bytes[offset + TTL];
}

/** One of `Protocol`, or any 8-bit number. */
export function protocol(bytes: Uint8Array, offset: number): number {
  return bytes[offset + PROTOCOL];
}

export function checksum(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + CHECKSUM);
}

/** 32-bit number. */
export function source(bytes: Uint8Array, offset: number): number {
  return get32(bytes, offset + SOURCE);
}

/** 32-bit number. */
export function destination(bytes: Uint8Array, offset: number): number {
  return get32(bytes, offset + DESTINATION);
}

// The setters leave the checksum as it is: `writeChecksum` afterwards.

export function setTos(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset + TOS] = value;
}

export function setTotalLength(bytes: Uint8Array, offset: number, value: number): void {
  put16(bytes, offset + TOTAL_LENGTH, value);
}

export function setTtl(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset + TTL] = value;
}

export function setSource(bytes: Uint8Array, offset: number, ip: number): void {
  put32(bytes, offset + SOURCE, ip);
}

export function setDestination(bytes: Uint8Array, offset: number, ip: number): void {
  put32(bytes, offset + DESTINATION, ip);
}

export function setChecksum(bytes: Uint8Array, offset: number, value: number): void {
  put16(bytes, offset + CHECKSUM, value);
}

/** Where the payload begins. */
export function payloadOffset(bytes: Uint8Array, offset: number): number {
  return offset + headerLength(bytes, offset);
}

/** Where the payload ends: the total length ends it before the padding of a short frame. */
export function payloadEnd(bytes: Uint8Array, offset: number): number {
  return offset + totalLength(bytes, offset);
}

/** `bad-checksum` unless the checksum of the header is right; the packet is not changed. */
export function checkChecksum(bytes: Uint8Array, offset: number): Reason {
  return checksumOf(bytes, offset, payloadOffset(bytes, offset)) === 0 ? Reason.sound : Reason.badChecksum;
}

/** Computes and stores the checksum of the header. */
export function writeChecksum(bytes: Uint8Array, offset: number): void {
  setChecksum(bytes, offset, 0);
  setChecksum(bytes, offset, checksumOf(bytes, offset, payloadOffset(bytes, offset)));
}

/** Sum of the pseudo header (RFC 768, RFC 9293 section 3.1) for a payload of `length` bytes; not folded. */
export function pseudoSum(bytes: Uint8Array, offset: number, upperProtocol: number, length: number): number {
  return sum16(bytes, offset + SOURCE, offset + OPTIONS, upperProtocol + length);
}

/**
 * Why the options of a sound header are not, 0 if they are: `bad-option` when one says it is shorter than its own two
 * bytes or longer than what is left.
 */
export function checkOptions(bytes: Uint8Array, offset: number): Reason {
  const end = payloadOffset(bytes, offset);
  for (let at = offset + OPTIONS; at < end && bytes[at] !== 0; ) {
    const length = bytes[at] === 1 ? 1 : at + 1 < end ? bytes[at + 1] : 0;
    if ((bytes[at] !== 1 && length < 2) || at + length > end) return Reason.badOption;
    at += length;
  }
  return Reason.sound;
}

/** An option: its type byte (with the copied flag and the class) and what follows its length. */
export interface Ipv4Option {
  kind: number;
  data: Uint8Array;
}

/** The options of a sound header up to the end of the list or the first bad one; no-operations are left out. Copies. */
export function parseOptions(bytes: Uint8Array, offset: number): Ipv4Option[] {
  const options: Ipv4Option[] = [];
  const end = payloadOffset(bytes, offset);
  for (let at = offset + OPTIONS; at < end && bytes[at] !== 0; ) {
    if (bytes[at] === 1) {
      at++;
      continue;
    }
    const length = at + 1 < end ? bytes[at + 1] : 0;
    if (length < 2 || at + length > end) break;
    options.push({ kind: bytes[at], data: bytes.slice(at + 2, at + length) });
    at += length;
  }
  return options;
}

export interface Ipv4 {
  type: 'ipv4';
  /** Default 4. */
  version?: number;
  /** In bytes, a multiple of 4; by default what the options make it. */
  headerLength?: number;
  /** DSCP and ECN; default 0. */
  tos?: number;
  /** By default that of a packet without payload. */
  totalLength?: number;
  identification?: number;
  reservedFlag?: boolean;
  dontFragment?: boolean;
  moreFragments?: boolean;
  /** In bytes, a multiple of 8. */
  fragmentOffset?: number;
  /** Default 64. */
  ttl?: number;
  /** Default 253. */
  protocol?: number;
  /** Of the header; computed by default. */
  checksum?: number;
  source: string;
  destination: string;
  /** As on the wire, a multiple of 4 bytes. */
  options?: Uint8Array;
}

/** The header as an object, `undefined` when `check` refuses it. */
export function parse(bytes: Uint8Array, offset = 0, end = bytes.length): Required<Ipv4> | undefined {
  if (check(bytes, offset, end) !== Reason.sound) return undefined;
  const fragment = get16(bytes, offset + FRAGMENT);
  return {
    type: 'ipv4',
    version: version(bytes, offset),
    headerLength: headerLength(bytes, offset),
    tos: tos(bytes, offset),
    totalLength: totalLength(bytes, offset),
    identification: identification(bytes, offset),
    reservedFlag: (fragment & RESERVED_FLAG) !== 0,
    dontFragment: (fragment & DONT_FRAGMENT) !== 0,
    moreFragments: (fragment & MORE_FRAGMENTS) !== 0,
    fragmentOffset: (fragment & OFFSET_MASK) * 8,
    ttl: ttl(bytes, offset),
    protocol: protocol(bytes, offset),
    checksum: checksum(bytes, offset),
    source: formatIpv4(source(bytes, offset)),
    destination: formatIpv4(destination(bytes, offset)),
    options: copyBytes(bytes, offset + OPTIONS, payloadOffset(bytes, offset)),
  };
}

/** Length in bytes of what `write` would write. */
export function writtenLength(header: Ipv4): number {
  return HEADER_LENGTH + unit('options', header.options?.length ?? 0, 4, 40);
}

/** Writes the header and answers its length. Throws `bad-address`, `out-of-range`. */
export function write(bytes: Uint8Array, offset: number, header: Ipv4): number {
  const length = writtenLength(header);
  room('an IPv4 header', bytes, offset, length);
  const words = unit('headerLength', field('headerLength', header.headerLength ?? length, 6), 4, 60) / 4;
  bytes[offset + VERSION_IHL] = (field('version', header.version ?? 4, 4) << 4) | words;
  setTos(bytes, offset, field('tos', header.tos ?? 0, 8));
  setTotalLength(bytes, offset, field('totalLength', header.totalLength ?? length, 16));
  put16(bytes, offset + IDENTIFICATION, field('identification', header.identification ?? 0, 16));
  const flags =
    (header.reservedFlag ? RESERVED_FLAG : 0) |
    (header.dontFragment ? DONT_FRAGMENT : 0) |
    (header.moreFragments ? MORE_FRAGMENTS : 0);
  const start = unit('fragmentOffset', field('fragmentOffset', header.fragmentOffset ?? 0, 16), 8, 65528);
  put16(bytes, offset + FRAGMENT, flags | (start / 8));
  setTtl(bytes, offset, field('ttl', header.ttl ?? 64, 8));
  bytes[offset + PROTOCOL] = field('protocol', header.protocol ?? Protocol.experimental, 8);
  setSource(bytes, offset, parseIpv4(header.source));
  setDestination(bytes, offset, parseIpv4(header.destination));
  if (header.options) bytes.set(header.options, offset + OPTIONS);
  setChecksum(bytes, offset, field('checksum', header.checksum ?? 0, 16));
  // Over what was written, even where `headerLength` says otherwise.
  if (header.checksum === undefined) setChecksum(bytes, offset, checksumOf(bytes, offset, offset + length));
  return length;
}
