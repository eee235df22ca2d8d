/**
 * ICMP for IPv4 (RFC 792; RFC 1191 for the MTU). All messages begin with eight bytes; what follows (the data of an
 * echo, the packet that an error is about) is payload here.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |     type      |     code      |           checksum            |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |          identifier           |           sequence            |  echo, timestamp
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |            unused             |         next-hop MTU          |  fragmentation needed
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |                            gateway                            |  redirect
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { get16, get32, put16, put32 } from '../util/bytes.js';
import { Reason } from '../util/reason.js';
import { field, room } from './field.js';
import { checksumRange } from './sum.js';

const TYPE = 0;
const CODE = 1;
const CHECKSUM = 2;
const REST = 4;
const IDENTIFIER = 4;
const SEQUENCE = 6;
const MTU = 6;

/** Bytes. */
export const HEADER_LENGTH = 8;

export const Type = {
  echoReply: 0,
  unreachable: 3,
  redirect: 5,
  echoRequest: 8,
  timeExceeded: 11,
  parameterProblem: 12,
  timestamp: 13,
  timestampReply: 14,
} as const;

/** Why the message at `offset` is refused, 0 if it is sound: `truncated`. Any type and code are sound. */
export function check(bytes: Uint8Array, offset = 0, end = bytes.length): Reason {
  return end - offset < HEADER_LENGTH ? Reason.truncated : Reason.sound;
}

/** One of `Type`, or any 8-bit number. */
export function icmpType(bytes: Uint8Array, offset: number): number {
  return bytes[offset + TYPE];
}

export function code(bytes: Uint8Array, offset: number): number {
  return bytes[offset + CODE];
}

export function checksum(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + CHECKSUM);
}

/** Of an echo or a timestamp. */
export function identifier(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + IDENTIFIER);
}

/** Of an echo or a timestamp. */
export function sequence(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + SEQUENCE);
}

/** The second four bytes as one number: of a redirect, the gateway's address. */
export function rest(bytes: Uint8Array, offset: number): number {
  return get32(bytes, offset + REST);
}

/** Of the next hop, in an `unreachable` with code 4. */
export function mtu(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + MTU);
}

/** Whether messages of that type have an identifier and a sequence number. */
export function hasIdentifier(type: number): boolean {
  const isEcho = type === Type.echoRequest || type === Type.echoReply;
  return isEcho || type === Type.timestamp || type === Type.timestampReply;
}

// The setter leaves the checksum as it is: `writeChecksum` afterwards.

export function setType(bytes: Uint8Array, offset: number, type: number): void {
  bytes[offset + TYPE] = type;
}

/** `bad-checksum` unless that of the message from `offset` to `end` is right; the packet is not changed. */
export function checkChecksum(bytes: Uint8Array, offset: number, end: number): Reason {
  return checksumRange(bytes, offset, end) === 0 ? Reason.sound : Reason.badChecksum;
}

/** Computes and stores the checksum of the message from `offset` to `end`. */
export function writeChecksum(bytes: Uint8Array, offset: number, end: number): void {
  put16(bytes, offset + CHECKSUM, 0);
  put16(bytes, offset + CHECKSUM, checksumRange(bytes, offset, end));
}

export interface Icmp {
  type: 'icmp';
  icmpType: number;
  code?: number;
  checksum?: number;
  /** Of an echo or a timestamp. */
  identifier?: number;
  sequence?: number;
  /** Of other messages: the second four bytes as one number. */
  rest?: number;
}

/** The header as an object, `undefined` when `check` refuses it. */
export function parse(bytes: Uint8Array, offset = 0, end = bytes.length): Icmp | undefined {
  if (check(bytes, offset, end) !== Reason.sound) return undefined;
  const message: Icmp = {
    type: 'icmp',
    icmpType: icmpType(bytes, offset),
    code: code(bytes, offset),
    checksum: checksum(bytes, offset),
  };
  return hasIdentifier(message.icmpType)
    ? { ...message, identifier: identifier(bytes, offset), sequence: sequence(bytes, offset) }
    : { ...message, rest: rest(bytes, offset) };
}

/** Writes the header and answers its length; what is left out is 0. Throws `out-of-range`. */
export function write(bytes: Uint8Array, offset: number, message: Icmp): number {
  room('an ICMP header', bytes, offset, HEADER_LENGTH);
  setType(bytes, offset, field('icmpType', message.icmpType, 8));
  bytes[offset + CODE] = field('code', message.code ?? 0, 8);
  put16(bytes, offset + CHECKSUM, field('checksum', message.checksum ?? 0, 16));
  if (hasIdentifier(message.icmpType)) {
    put16(bytes, offset + IDENTIFIER, field('identifier', message.identifier ?? 0, 16));
    put16(bytes, offset + SEQUENCE, field('sequence', message.sequence ?? 0, 16));
  } else put32(bytes, offset + REST, field('rest', message.rest ?? 0, 32));
  return HEADER_LENGTH;
}
