/**
 * SCTP (RFC 9260, section 3.1): the common header and its CRC32c. Chunks are payload here.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |          source port          |       destination port        |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |                       verification tag                        |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |                           checksum                            |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { get16, get32, put16, put32, swap32 } from '../util/bytes.js';
import { Reason } from '../util/reason.js';
import { field, room } from './field.js';

const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const VERIFICATION_TAG = 4;
const CHECKSUM = 8;

/** Bytes. */
export const HEADER_LENGTH = 12;

/** Why the header at `offset` is refused, 0 if it is sound: `truncated`. */
export function check(bytes: Uint8Array, offset = 0, end = bytes.length): Reason {
  return end - offset < HEADER_LENGTH ? Reason.truncated : Reason.sound;
}

export function sourcePort(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + SOURCE_PORT);
}

export function destinationPort(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + DESTINATION_PORT);
}

export function verificationTag(bytes: Uint8Array, offset: number): number {
  return get32(bytes, offset + VERIFICATION_TAG);
}

/** The four bytes as a big-endian number; RFC 9260, appendix A, sends the CRC's lowest byte first. */
export function checksum(bytes: Uint8Array, offset: number): number {
  return get32(bytes, offset + CHECKSUM);
}

export function setSourcePort(bytes: Uint8Array, offset: number, port: number): void {
  put16(bytes, offset + SOURCE_PORT, port);
}

export function setDestinationPort(bytes: Uint8Array, offset: number, port: number): void {
  put16(bytes, offset + DESTINATION_PORT, port);
}

// CRC32c, reflected (polynomial 0x1edc6f41, RFC 9260 appendix A), one byte at a time.
const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  return crc;
});

function addCrc(crc: number, byte: number): number {
  return CRC_TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
}

/** The checksum to store for the packet from `offset` to `end`: its CRC32c with the checksum field taken as zero. */
function checksumOf(bytes: Uint8Array, offset: number, end: number): number {
  let crc = -1;
  for (let at = offset; at < end; at++) {
    const isChecksum = at >= offset + CHECKSUM && at < offset + HEADER_LENGTH;
    crc = addCrc(crc, isChecksum ? 0 : bytes[at]);
  }
  return swap32(~crc);
}

/** `bad-checksum` unless that of the packet from `offset` to `end` is right; the packet is not changed. */
export function checkChecksum(bytes: Uint8Array, offset: number, end: number): Reason {
  return checksum(bytes, offset) === checksumOf(bytes, offset, end) ? Reason.sound : Reason.badChecksum;
}

/** Computes and stores the checksum of the packet from `offset` to `end`. */
export function writeChecksum(bytes: Uint8Array, offset: number, end: number): void {
  put32(bytes, offset + CHECKSUM, checksumOf(bytes, offset, end));
}

export interface Sctp {
  type: 'sctp';
  sourcePort: number;
  destinationPort: number;
  verificationTag?: number;
  /** Big-endian number of the four bytes. */
  checksum?: number;
}

/** The header as an object, `undefined` when `check` refuses it. */
export function parse(bytes: Uint8Array, offset = 0, end = bytes.length): Required<Sctp> | undefined {
  if (check(bytes, offset, end) !== Reason.sound) return undefined;
  return {
    type: 'sctp',
    sourcePort: sourcePort(bytes, offset),
    destinationPort: destinationPort(bytes, offset),
    verificationTag: verificationTag(bytes, offset),
    checksum: checksum(bytes, offset),
  };
}

/** Writes the header and answers its length; without `checksum` 0. Throws `out-of-range`. */
export function write(bytes: Uint8Array, offset: number, header: Sctp): number {
  room('an SCTP header', bytes, offset, HEADER_LENGTH);
  setSourcePort(bytes, offset, field('sourcePort', header.sourcePort, 16));
  setDestinationPort(bytes, offset, field('destinationPort', header.destinationPort, 16));
  put32(bytes, offset + VERIFICATION_TAG, field('verificationTag', header.verificationTag ?? 0, 32));
  put32(bytes, offset + CHECKSUM, field('checksum', header.checksum ?? 0, 32));
  return HEADER_LENGTH;
}
