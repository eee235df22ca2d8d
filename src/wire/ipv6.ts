/**
 * IPv6 (RFC 8200, section 3) with its extension headers (section 4; RFC 4302 for AH). Fragments are told, not
 * reassembled; what options and routing headers ask for is not done. A jumbogram (RFC 2675) is taken as empty.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |version| traffic class |              flow label               |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |         payload length        |  next header  |   hop limit   |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |                      source, 16 bytes                         |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |                    destination, 16 bytes                      |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |  next header  |    length     |  an extension header's data   |  as often as next header says so
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |  next header  |   reserved    |  fragment offset        |0 0|M|  the fragment header, section 4.5
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |                        identification                         |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { formatIpv6, parseIpv6 } from '../util/address.js';
import { get16, get32, put16, put32 } from '../util/bytes.js';
import { sum16 } from '../util/checksum.js';
import { Reason } from '../util/reason.js';
import { field, room, unit } from './field.js';

const VERSION_CLASS_LABEL = 0;
const PAYLOAD_LENGTH = 4;
const NEXT_HEADER = 6;
const HOP_LIMIT = 7;
const SOURCE = 8;
const DESTINATION = 24;

/** Bytes, without extension headers. */
export const HEADER_LENGTH = 40;

const FRAGMENT_LENGTH = 8;
const FRAGMENT_OFFSET = 2;
const FRAGMENT_IDENTIFICATION = 4;

/** Next-header numbers of the extension headers that are walked. */
export const Extension = {
  hopByHop: 0,
  routing: 43,
  fragment: 44,
  authentication: 51,
  destination: 60,
} as const;

export function isExtension(nextHeader: number): boolean {
  return (
    nextHeader === Extension.hopByHop ||
    nextHeader === Extension.routing ||
    nextHeader === Extension.fragment ||
    nextHeader === Extension.authentication ||
    nextHeader === Extension.destination
  );
}

/**
 * Why the header at `offset` is refused, 0 if it is sound: `truncated` (also when its payload length goes past `end`),
 * `bad-version`, `bad-header-length` (an extension header goes past the payload).
 */
export function check(bytes: Uint8Array, offset = 0, end = bytes.length): Reason {
  if (end - offset < HEADER_LENGTH) return Reason.truncated;
  if (version(bytes, offset) !== 6) return Reason.badVersion;
  if (payloadEnd(bytes, offset) > end) return Reason.truncated;
  return findUpper(bytes, offset) < 0 ? Reason.badHeaderLength : Reason.sound;
}

/** Length of the extension header at `at`; the caller knows that its first two bytes are there. */
function extensionLength(bytes: Uint8Array, at: number, kind: number): number {
  if (kind === Extension.fragment) return FRAGMENT_LENGTH;
  return kind === Extension.authentication ? (bytes[at + 1] + 2) * 4 : (bytes[at + 1] + 1) * 8;
}

/**
 * Where the chain of extension headers stops, and at what: offset × 256 + next header; -1 when it runs out of the
 * payload. It stops behind a fragment header that is not the first of its packet, since what follows has no header.
 */
function findUpper(bytes: Uint8Array, offset: number): number {
  const end = payloadEnd(bytes, offset);
  let at = offset + HEADER_LENGTH;
  let kind = nextHeader(bytes, offset);
  while (isExtension(kind)) {
    if (end - at < 8) return -1;
    const length = extensionLength(bytes, at, kind);
    if (at + length > end) return -1;
    const isLater = kind === Extension.fragment && get16(bytes, at + FRAGMENT_OFFSET) >= 8;
    kind = bytes[at];
    at += length;
    if (isLater) break;
  }
  return at * 256 + kind;
}

/**
 * The fragment header that makes a sound packet a fragment: its offset, or -1 when there is none. An atomic one
 * (offset 0 and nothing to follow, RFC 6946) does not.
 */
function findFragment(bytes: Uint8Array, offset: number): number {
  let at = offset + HEADER_LENGTH;
  for (let kind = nextHeader(bytes, offset); isExtension(kind); ) {
    if (kind === Extension.fragment && (get16(bytes, at + FRAGMENT_OFFSET) & 0xfff9) !== 0) return at;
    const length = extensionLength(bytes, at, kind);
    kind = bytes[at];
    at += length;
  }
  return -1;
}

export function version(bytes: Uint8Array, offset: number): number {
  return bytes[offset + VERSION_CLASS_LABEL] >>> 4;
}

/** DSCP and ECN, 8 bits. */
export function trafficClass(bytes: Uint8Array, offset: number): number {
  return (get16(bytes, offset + VERSION_CLASS_LABEL) >>> 4) & 0xff;
}

/** 20 bits. */
export function flowLabel(bytes: Uint8Array, offset: number): number {
  return get32(bytes, offset + VERSION_CLASS_LABEL) & 0xfffff;
}

/** Of extension headers and payload, in bytes. */
export function payloadLength(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + PAYLOAD_LENGTH);
}

/** What follows the 40 bytes: an extension header or a protocol. */
export function nextHeader(bytes: Uint8Array, offset: number): number {
  return bytes[offset + NEXT_HEADER];
}

export function hopLimit(bytes: Uint8Array, offset: number): number {
  return bytes[offset + HOP_LIMIT];
}

/** 16 bytes: a view, which is allocated. */
export function source(bytes: Uint8Array, offset: number): Uint8Array {
  return bytes.subarray(offset + SOURCE, offset + DESTINATION);
}

/** 16 bytes: a view, which is allocated. */
export function destination(bytes: Uint8Array, offset: number): Uint8Array {
  return bytes.subarray(offset + DESTINATION, offset + HEADER_LENGTH);
}

export function setTrafficClass(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = (bytes[offset] & 0xf0) | (value >>> 4);
  bytes[offset + 1] = (bytes[offset + 1] & 0x0f) | (value << 4);
}

export function setPayloadLength(bytes: Uint8Array, offset: number, value: number): void {
  put16(bytes, offset + PAYLOAD_LENGTH, value);
}

export function setHopLimit(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset + HOP_LIMIT] = value;
}

/** Protocol of the payload, behind the extension headers. */
export function protocol(bytes: Uint8Array, offset: number): number {
  return findUpper(bytes, offset) % 256;
}

/** Where the payload begins, behind the extension headers. */
export function payloadOffset(bytes: Uint8Array, offset: number): number {
  return Math.floor(findUpper(bytes, offset) / 256);
}

/** Where the payload ends: the payload length ends it before the padding of a short frame. */
export function payloadEnd(bytes: Uint8Array, offset: number): number {
  return offset + HEADER_LENGTH + payloadLength(bytes, offset);
}

/** An atomic fragment (RFC 6946) is none. */
export function isFragment(bytes: Uint8Array, offset: number): boolean {
  return findFragment(bytes, offset) >= 0;
}

/** In bytes, a multiple of 8; 0 when the packet is no fragment. */
export function fragmentOffset(bytes: Uint8Array, offset: number): number {
  const at = findFragment(bytes, offset);
  return at < 0 ? 0 : get16(bytes, at + FRAGMENT_OFFSET) & 0xfff8;
}

export function moreFragments(bytes: Uint8Array, offset: number): boolean {
  const at = findFragment(bytes, offset);
  return at >= 0 && (bytes[at + FRAGMENT_OFFSET + 1] & 1) !== 0;
}

/** 32 bits; 0 when the packet is no fragment. */
export function identification(bytes: Uint8Array, offset: number): number {
  const at = findFragment(bytes, offset);
  return at < 0 ? 0 : get32(bytes, at + FRAGMENT_IDENTIFICATION);
}

/**
 * Sum of the pseudo header (RFC 8200, section 8.1) for a payload of `length` bytes; not folded. A routing header is not
 * obeyed.
 */
export function pseudoSum(bytes: Uint8Array, offset: number, upperProtocol: number, length: number): number {
  return sum16(bytes, offset + SOURCE, offset + HEADER_LENGTH, upperProtocol + (length >>> 16) + (length & 0xffff));
}

export interface Ipv6Fragment {
  type: 'fragment';
  /** In bytes, a multiple of 8. */
  offset: number;
  more: boolean;
  identification: number;
  /** The reserved byte and the two reserved bits, 10 bits; default 0. */
  reserved?: number;
}

export interface Ipv6Data {
  type: 'hop-by-hop' | 'routing' | 'authentication' | 'destination';
  /** What follows next header and length: 6 bytes and multiples of 8 more; for `authentication` multiples of 4 more. */
  data: Uint8Array;
}

export type Ipv6Extension = Ipv6Fragment | Ipv6Data;

const EXTENSION_KINDS: Readonly<Record<Ipv6Extension['type'], number>> = {
  'hop-by-hop': Extension.hopByHop,
  routing: Extension.routing,
  fragment: Extension.fragment,
  authentication: Extension.authentication,
  destination: Extension.destination,
};

const EXTENSION_TYPES = new Map(
  Object.entries(EXTENSION_KINDS).map(([type, kind]) => [kind, type as Ipv6Extension['type']]),
);

export interface Ipv6 {
  type: 'ipv6';
  /** Default 6. */
  version?: number;
  trafficClass?: number;
  flowLabel?: number;
  /** By default that of the extension headers alone. */
  payloadLength?: number;
  /**
   * Of the payload, behind all extension headers; default 253. The next-header fields before follow from `extensions`.
   */
  protocol?: number;
  /** Default 64. */
  hopLimit?: number;
  source: string;
  destination: string;
  extensions?: Ipv6Extension[];
}

/** The header and its extension headers as an object, `undefined` when `check` refuses them. */
export function parse(bytes: Uint8Array, offset = 0, end = bytes.length): Required<Ipv6> | undefined {
  if (check(bytes, offset, end) !== Reason.sound) return undefined;
  return {
    type: 'ipv6',
    version: version(bytes, offset),
    trafficClass: trafficClass(bytes, offset),
    flowLabel: flowLabel(bytes, offset),
    payloadLength: payloadLength(bytes, offset),
    protocol: protocol(bytes, offset),
    hopLimit: hopLimit(bytes, offset),
    source: formatIpv6(bytes, offset + SOURCE),
    destination: formatIpv6(bytes, offset + DESTINATION),
    extensions: parseExtensions(bytes, offset),
  };
}

function parseExtensions(bytes: Uint8Array, offset: number): Ipv6Extension[] {
  const extensions: Ipv6Extension[] = [];
  const end = payloadOffset(bytes, offset);
  let kind = nextHeader(bytes, offset);
  for (let at = offset + HEADER_LENGTH; at < end; ) {
    const length = extensionLength(bytes, at, kind);
    const type = EXTENSION_TYPES.get(kind)!;
    if (type !== 'fragment') extensions.push({ type, data: bytes.slice(at + 2, at + length) });
    else {
      const word = get16(bytes, at + FRAGMENT_OFFSET);
      extensions.push({
        type,
        offset: word & 0xfff8,
        more: (word & 1) !== 0,
        identification: get32(bytes, at + FRAGMENT_IDENTIFICATION),
        reserved: (bytes[at + 1] << 2) | ((word >>> 1) & 3),
      });
    }
    kind = bytes[at];
    at += length;
  }
  return extensions;
}

/** Length in bytes of what `write` would write. */
export function writtenLength(header: Ipv6): number {
  let length = HEADER_LENGTH;
  for (const extension of header.extensions ?? []) length += writtenExtensionLength(extension);
  return length;
}

function writtenExtensionLength(extension: Ipv6Extension): number {
  if (extension.type === 'fragment') return FRAGMENT_LENGTH;
  const isAuthentication = extension.type === 'authentication';
  const length = Math.max(8, extension.data.length + 2);
  return unit(`${extension.type} header`, length, isAuthentication ? 4 : 8, isAuthentication ? 257 * 4 : 256 * 8);
}

/** Writes the header and its extension headers, and answers their length. Throws `bad-address`, `out-of-range`. */
export function write(bytes: Uint8Array, offset: number, header: Ipv6): number {
  const extensions = header.extensions ?? [];
  const length = writtenLength(header);
  room('an IPv6 header', bytes, offset, length);
  const head = (field('version', header.version ?? 6, 4) << 8) | field('trafficClass', header.trafficClass ?? 0, 8);
  put32(bytes, offset + VERSION_CLASS_LABEL, (head << 20) | field('flowLabel', header.flowLabel ?? 0, 20));
  setPayloadLength(bytes, offset, field('payloadLength', header.payloadLength ?? length - HEADER_LENGTH, 16));
  setHopLimit(bytes, offset, field('hopLimit', header.hopLimit ?? 64, 8));
  bytes.set(parseIpv6(header.source), offset + SOURCE);
  bytes.set(parseIpv6(header.destination), offset + DESTINATION);
  let next = offset + NEXT_HEADER;
  let at = offset + HEADER_LENGTH;
  for (const extension of extensions) {
    bytes[next] = EXTENSION_KINDS[extension.type];
    next = at;
    at += writeExtension(bytes, at, extension);
  }
  bytes[next] = field('protocol', header.protocol ?? 253, 8);
  return length;
}

/** Writes all of an extension header but its next header; answers its length. */
function writeExtension(bytes: Uint8Array, at: number, extension: Ipv6Extension): number {
  const length = writtenExtensionLength(extension);
  if (extension.type === 'fragment') {
    const reserved = field('reserved', extension.reserved ?? 0, 10);
    const start = unit('fragment offset', field('fragment offset', extension.offset, 16), 8, 65528);
    bytes[at + 1] = reserved >>> 2;
    put16(bytes, at + FRAGMENT_OFFSET, start | ((reserved & 3) << 1) | (extension.more ? 1 : 0));
    put32(bytes, at + FRAGMENT_IDENTIFICATION, field('identification', extension.identification, 32));
  } else {
    bytes[at + 1] = extension.type === 'authentication' ? length / 4 - 2 : length / 8 - 1;
    bytes.fill(0, at + 2, at + length);
    bytes.set(extension.data, at + 2);
  }
  return length;
}
