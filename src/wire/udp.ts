/**
 * UDP (RFC 768). Jumbograms (a length of 0, RFC 2675) are refused.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |          source port          |       destination port        |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |            length             |           checksum            |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { get16, put16 } from '../util/bytes.js';
import { Reason } from '../util/reason.js';
import { field, room } from './field.js';
import { checksumRange } from './sum.js';

const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const LENGTH = 4;
const CHECKSUM = 6;

/** Bytes. */
export const HEADER_LENGTH = 8;

/**
 * Why the header at `offset` is refused, 0 if it is sound: `truncated` (also when its length goes past `end`),
 * `bad-total-length` (a length below 8).
 */
export function check(bytes: Uint8Array, offset = 0, end = bytes.length): Reason {
  if (end - offset < HEADER_LENGTH) return Reason.truncated;
  const total = length(bytes, offset);
  if (total < HEADER_LENGTH) return Reason.badTotalLength;
  return offset + total > end ? Reason.truncated : Reason.sound;
}

export function sourcePort(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + SOURCE_PORT);
}

export function destinationPort(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + DESTINATION_PORT);
}

/** Of header and payload, in bytes. */
export function length(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + LENGTH);
}

/** 0: the sender did not compute one. */
export function checksum(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + CHECKSUM);
}

export function setSourcePort(bytes: Uint8Array, offset: number, port: number): void {
  put16(bytes, offset + SOURCE_PORT, port);
}

export function setDestinationPort(bytes: Uint8Array, offset: number, port: number): void {
  put16(bytes, offset + DESTINATION_PORT, port);
}

export function setLength(bytes: Uint8Array, offset: number, value: number): void {
  put16(bytes, offset + LENGTH, value);
}

export function setChecksum(bytes: Uint8Array, offset: number, value: number): void {
  put16(bytes, offset + CHECKSUM, value);
}

/** Where the payload ends. */
export function payloadEnd(bytes: Uint8Array, offset: number): number {
  return offset + length(bytes, offset);
}

/**
 * `bad-checksum` unless the checksum is right; the packet is not changed. `pseudoSum` is `ipv4.pseudoSum` or
 * `ipv6.pseudoSum`. A checksum of 0 is sound where `zeroAllowed`: always over IPv4, and over IPv6 for tunnels only (RFC
 * 6935).
 */
export function checkChecksum(bytes: Uint8Array, offset: number, pseudoSum: number, zeroAllowed: boolean): Reason {
  if (checksum(bytes, offset) === 0) return zeroAllowed ? Reason.sound : Reason.badChecksum;
  return checksumRange(bytes, offset, payloadEnd(bytes, offset), pseudoSum) === 0 ? Reason.sound : Reason.badChecksum;
}

/** Computes and stores the checksum of the datagram from `offset` to `end`; 0 is stored as 0xffff (RFC 768). */
export function writeChecksum(bytes: Uint8Array, offset: number, end: number, pseudoSum: number): void {
  setChecksum(bytes, offset, 0);
  setChecksum(bytes, offset, checksumRange(bytes, offset, end, pseudoSum) || 0xffff);
}

export interface Udp {
  type: 'udp';
  sourcePort: number;
  destinationPort: number;
  /** Of header and payload. */
  length?: number;
  checksum?: number;
}

/** The header as an object, `undefined` when `check` refuses it. */
export function parse(bytes: Uint8Array, offset = 0, end = bytes.length): Required<Udp> | undefined {
  if (check(bytes, offset, end) !== Reason.sound) return undefined;
  return {
    type: 'udp',
    sourcePort: sourcePort(bytes, offset),
    destinationPort: destinationPort(bytes, offset),
    length: length(bytes, offset),
    checksum: checksum(bytes, offset),
  };
}

/**
 * Writes the header and answers its length; without `length` for no payload, without `checksum` 0. Throws
 * `out-of-range`.
 */
export function write(bytes: Uint8Array, offset: number, header: Udp): number {
  room('a UDP header', bytes, offset, HEADER_LENGTH);
  setSourcePort(bytes, offset, field('sourcePort', header.sourcePort, 16));
  setDestinationPort(bytes, offset, field('destinationPort', header.destinationPort, 16));
  setLength(bytes, offset, field('length', header.length ?? HEADER_LENGTH, 16));
  setChecksum(bytes, offset, field('checksum', header.checksum ?? 0, 16));
  return HEADER_LENGTH;
}
