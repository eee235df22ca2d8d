/**
 * TCP (RFC 9293, section 3.1): the header and its options. No connection, no stream.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |          source port          |       destination port        |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |                        sequence number                        |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |                    acknowledgment number                      |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     | data  | reser-|C|E|U|A|P|R|S|F|                               |
 *     | offset|  ved  |W|C|R|C|S|S|Y|I|            window             |
 *     |       |       |R|E|G|K|H|T|N|N|                               |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |           checksum            |        urgent pointer         |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |               options, up to 40 bytes, padded                 |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { copyBytes, get16, get32, put16, put32 } from '../util/bytes.js';
import { Reason } from '../util/reason.js';
import { field, room, unit } from './field.js';
import { checksumRange } from './sum.js';

const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const SEQUENCE = 4;
const ACKNOWLEDGMENT = 8;
const OFFSET_FLAGS = 12;
const WINDOW = 14;
const CHECKSUM = 16;
const URGENT_POINTER = 18;
const OPTIONS = 20;

/** Bytes, without options. */
export const HEADER_LENGTH = 20;

/** Bits of `flags`; the bits above are the reserved ones. */
export const Flag = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 } as const;

/**
 * Why the header at `offset` is refused, 0 if it is sound: `truncated` (also when it goes past `end`),
 * `bad-header-length` (below 20). Options are not looked at.
 */
export function check(bytes: Uint8Array, offset = 0, end = bytes.length): Reason {
  if (end - offset < HEADER_LENGTH) return Reason.truncated;
  const header = headerLength(bytes, offset);
  if (header < HEADER_LENGTH) return Reason.badHeaderLength;
  return offset + header > end ? Reason.truncated : Reason.sound;
}

export function sourcePort(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + SOURCE_PORT);
}

export function destinationPort(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + DESTINATION_PORT);
}

export function sequence(bytes: Uint8Array, offset: number): number {
  return get32(bytes, offset + SEQUENCE);
}

export function acknowledgment(bytes: Uint8Array, offset: number): number {
  return get32(bytes, offset + ACKNOWLEDGMENT);
}

/** With options, in bytes. */
export function headerLength(bytes: Uint8Array, offset: number): number {
  return (bytes[offset + OFFSET_FLAGS] >>> 4) * 4;
}

/** 12 bits: `Flag`s and the reserved bits, as in Open vSwitch's `tcp_flags`. */
export function flags(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + OFFSET_FLAGS) & 0xfff;
}

export function window(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + WINDOW);
}

export function checksum(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + CHECKSUM);
}

export function urgentPointer(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + URGENT_POINTER);
}

// The setters leave the checksum as it is: `writeChecksum` afterwards.

export function setSourcePort(bytes: Uint8Array, offset: number, port: number): void {
  put16(bytes, offset + SOURCE_PORT, port);
}

export function setDestinationPort(bytes: Uint8Array, offset: number, port: number): void {
  put16(bytes, offset + DESTINATION_PORT, port);
}

/** Where the payload begins. */
export function payloadOffset(bytes: Uint8Array, offset: number): number {
  return offset + headerLength(bytes, offset);
}

/** `bad-checksum` unless that of the segment from `offset` to `end` is right; the packet is not changed. */
export function checkChecksum(bytes: Uint8Array, offset: number, end: number, pseudoSum: number): Reason {
  return checksumRange(bytes, offset, end, pseudoSum) === 0 ? Reason.sound : Reason.badChecksum;
}

/** Computes and stores the checksum of the segment from `offset` to `end`. */
export function writeChecksum(bytes: Uint8Array, offset: number, end: number, pseudoSum: number): void {
  put16(bytes, offset + CHECKSUM, 0);
  put16(bytes, offset + CHECKSUM, checksumRange(bytes, offset, end, pseudoSum));
}

const END_OF_LIST = 0;
const NO_OPERATION = 1;

/**
 * Why the options of a sound header are not, 0 if they are: `bad-option` when one says it is shorter than its own two
 * bytes or longer than what is left.
 */
export function checkOptions(bytes: Uint8Array, offset: number): Reason {
  const end = payloadOffset(bytes, offset);
  for (let at = offset + OPTIONS; at < end && bytes[at] !== END_OF_LIST; ) {
    if (bytes[at] === NO_OPERATION) {
      at++;
      continue;
    }
    const length = at + 1 < end ? bytes[at + 1] : 0;
    if (length < 2 || at + length > end) return Reason.badOption;
    at += length;
  }
  return Reason.sound;
}

/**
 * An option: 2 maximum segment size, 3 window scale, 4 SACK permitted, 5 SACK, 8 timestamps; what follows its length.
 */
export interface TcpOption {
  kind: number;
  data: Uint8Array;
}

/** The options of a sound header up to the end of the list or the first bad one; no-operations are left out. Copies. */
export function parseOptions(bytes: Uint8Array, offset: number): TcpOption[] {
  const options: TcpOption[] = [];
  const end = payloadOffset(bytes, offset);
  for (let at = offset + OPTIONS; at < end && bytes[at] !== END_OF_LIST; ) {
    if (bytes[at] === NO_OPERATION) {
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

export interface Tcp {
  type: 'tcp';
  sourcePort: number;
  destinationPort: number;
  sequence?: number;
  acknowledgment?: number;
  /** In bytes, a multiple of 4; by default what the options make it. */
  headerLength?: number;
  /** `Flag`s and reserved bits; default `Flag.ack`. */
  flags?: number;
  /** Default 65535. */
  window?: number;
  checksum?: number;
  urgentPointer?: number;
  /** As on the wire, a multiple of 4 bytes. */
  options?: Uint8Array;
}

/** The header as an object, `undefined` when `check` refuses it. */
export function parse(bytes: Uint8Array, offset = 0, end = bytes.length): Required<Tcp> | undefined {
  if (check(bytes, offset, end) !== Reason.sound) return undefined;
  return {
    type: 'tcp',
    sourcePort: sourcePort(bytes, offset),
    destinationPort: destinationPort(bytes, offset),
    sequence: sequence(bytes, offset),
    acknowledgment: acknowledgment(bytes, offset),
    headerLength: headerLength(bytes, offset),
    flags: flags(bytes, offset),
    window: window(bytes, offset),
    checksum: checksum(bytes, offset),
    urgentPointer: urgentPointer(bytes, offset),
    options: copyBytes(bytes, offset + OPTIONS, payloadOffset(bytes, offset)),
  };
}

/** Length in bytes of what `write` would write. */
export function writtenLength(header: Tcp): number {
  return HEADER_LENGTH + unit('options', header.options?.length ?? 0, 4, 40);
}

/** Writes the header and answers its length; without `checksum` 0. Throws `out-of-range`. */
export function write(bytes: Uint8Array, offset: number, header: Tcp): number {
  const length = writtenLength(header);
  room('a TCP header', bytes, offset, length);
  setSourcePort(bytes, offset, field('sourcePort', header.sourcePort, 16));
  setDestinationPort(bytes, offset, field('destinationPort', header.destinationPort, 16));
  put32(bytes, offset + SEQUENCE, field('sequence', header.sequence ?? 0, 32));
  put32(bytes, offset + ACKNOWLEDGMENT, field('acknowledgment', header.acknowledgment ?? 0, 32));
  const words = unit('headerLength', field('headerLength', header.headerLength ?? length, 6), 4, 60) / 4;
  put16(bytes, offset + OFFSET_FLAGS, (words << 12) | field('flags', header.flags ?? Flag.ack, 12));
  put16(bytes, offset + WINDOW, field('window', header.window ?? 65535, 16));
  put16(bytes, offset + CHECKSUM, field('checksum', header.checksum ?? 0, 16));
  put16(bytes, offset + URGENT_POINTER, field('urgentPointer', header.urgentPointer ?? 0, 16));
  if (header.options) bytes.set(header.options, offset + OPTIONS);
  return length;
}
