/**
 * ICMPv6 (RFC 4443, section 2.1), and its neighbour discovery with options (RFC 4861, section 4). The packet that an
 * error is about and the data of an echo are payload here; so is what follows the second word of messages that are not
 * known.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |     type      |     code      |           checksum            |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |          identifier           |           sequence            |  echo
 *     | hop limit |  flags  |         router lifetime                 |  router advertisement
 *     |R|S|O|                      reserved                           |  neighbour advertisement
 *     |                   MTU, pointer, reserved                      |  errors, solicitations, redirect
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |   reachable time, retransmission time (4 bytes each)          |  router advertisement
 *     |                      target, 16 bytes                         |  neighbour messages, redirect
 *     |                    destination, 16 bytes                      |  redirect
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |   option kind |  length / 8   |  option data                  |  neighbour discovery, any number
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { formatIpv6, parseIpv6 } from '../util/address.js';
import { get16, get32, put16, put32 } from '../util/bytes.js';
import { Reason } from '../util/reason.js';
import { field, room } from './field.js';
import { type NdOption, checkOptions, parseOptions, writeOptions, writtenOptionsLength } from './nd-option.js';
import { checksumRange } from './sum.js';

export { type NdOption, OptionKind, findOption, linkLayer } from './nd-option.js';

const TYPE = 0;
const CODE = 1;
const CHECKSUM = 2;
const REST = 4;
const IDENTIFIER = 4;
const SEQUENCE = 6;
const HOP_LIMIT = 4;
const ROUTER_FLAGS = 5;
const ROUTER_LIFETIME = 6;
const REACHABLE_TIME = 8;
const RETRANSMIT_TIME = 12;
const TARGET = 8;
const DESTINATION = 24;

/** Bytes of all messages but those of neighbour discovery, which are longer. */
export const HEADER_LENGTH = 8;

export const Type = {
  unreachable: 1,
  packetTooBig: 2,
  timeExceeded: 3,
  parameterProblem: 4,
  echoRequest: 128,
  echoReply: 129,
  routerSolicitation: 133,
  routerAdvertisement: 134,
  neighborSolicitation: 135,
  neighborAdvertisement: 136,
  redirect: 137,
} as const;

/** Bits of a neighbour advertisement's `rest`. */
export const AdvertisementFlag = { router: 0x8000_0000, solicited: 0x4000_0000, override: 0x2000_0000 } as const;

/** Bytes before the options, by type from router solicitation on. */
const ND_LENGTHS = [8, 16, 24, 24, 40];

/** Bytes before the options of a message of neighbour discovery; 0 for other messages. */
function ndLength(type: number, messageCode: number): number {
  const index = type - Type.routerSolicitation;
  return messageCode === 0 && index >= 0 && index < ND_LENGTHS.length ? ND_LENGTHS[index] : 0;
}

/**
 * Why the message at `offset` is refused, 0 if it is sound: `truncated`; of neighbour discovery also `bad-option` (no
 * length, or one past `end`). Any type and code are sound; with a code other than 0 a message is not taken for
 * neighbour discovery.
 */
export function check(bytes: Uint8Array, offset = 0, end = bytes.length): Reason {
  if (end - offset < HEADER_LENGTH) return Reason.truncated;
  const length = ndLength(icmpType(bytes, offset), code(bytes, offset));
  if (length === 0) return Reason.sound;
  return end - offset < length ? Reason.truncated : checkOptions(bytes, offset + length, end);
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

/** Of an echo. */
export function identifier(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + IDENTIFIER);
}

/** Of an echo. */
export function sequence(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + SEQUENCE);
}

/** The second four bytes as one number: MTU, pointer, the flags of a neighbour advertisement, or reserved. */
export function rest(bytes: Uint8Array, offset: number): number {
  return get32(bytes, offset + REST);
}

/** Of neighbour solicitation and advertisement and of redirect; 16 bytes: a view, which is allocated. */
export function target(bytes: Uint8Array, offset: number): Uint8Array {
  return bytes.subarray(offset + TARGET, offset + DESTINATION);
}

export function isEcho(type: number): boolean {
  return type === Type.echoRequest || type === Type.echoReply;
}

/** Whether the message is one of neighbour discovery, so that options reach from `optionsOffset` to its end. */
export function isNeighborDiscovery(bytes: Uint8Array, offset: number): boolean {
  return ndLength(icmpType(bytes, offset), code(bytes, offset)) !== 0;
}

/** Where the options begin; of neighbour discovery only. */
export function optionsOffset(bytes: Uint8Array, offset: number): number {
  return offset + ndLength(icmpType(bytes, offset), code(bytes, offset));
}

/** Where the payload begins: at `end` for neighbour discovery, whose options are part of the message. */
export function payloadOffset(bytes: Uint8Array, offset: number, end: number): number {
  return isNeighborDiscovery(bytes, offset) ? end : offset + HEADER_LENGTH;
}

/** `bad-checksum` unless that of the message from `offset` to `end` is right; the packet is not changed. */
export function checkChecksum(bytes: Uint8Array, offset: number, end: number, pseudoSum: number): Reason {
  return checksumRange(bytes, offset, end, pseudoSum) === 0 ? Reason.sound : Reason.badChecksum;
}

/** Computes and stores the checksum of the message from `offset` to `end`. */
export function writeChecksum(bytes: Uint8Array, offset: number, end: number, pseudoSum: number): void {
  put16(bytes, offset + CHECKSUM, 0);
  put16(bytes, offset + CHECKSUM, checksumRange(bytes, offset, end, pseudoSum));
}

export interface Icmpv6 {
  type: 'icmpv6';
  icmpType: number;
  code?: number;
  checksum?: number;
  /** Of an echo. */
  identifier?: number;
  sequence?: number;
  /** Of all but echo and router advertisement: the second four bytes as one number. */
  rest?: number;
  /** Of a router advertisement. */
  hopLimit?: number;
  flags?: number;
  lifetimeS?: number;
  reachableTimeMs?: number;
  retransmitTimeMs?: number;
  /** Of neighbour messages and redirect. */
  target?: string;
  /** Of redirect. */
  destination?: string;
  /** Of neighbour discovery. */
  options?: NdOption[];
}

/**
 * The message (of neighbour discovery, to its end; of others, its header) as an object, `undefined` when `check`
 * refuses it.
 */
export function parse(bytes: Uint8Array, offset = 0, end = bytes.length): Icmpv6 | undefined {
  if (check(bytes, offset, end) !== Reason.sound) return undefined;
  const type = icmpType(bytes, offset);
  const message: Icmpv6 = {
    type: 'icmpv6',
    icmpType: type,
    code: code(bytes, offset),
    checksum: checksum(bytes, offset),
  };
  if (isEcho(type)) return { ...message, identifier: identifier(bytes, offset), sequence: sequence(bytes, offset) };
  const length = ndLength(type, message.code!);
  if (length === 0) return { ...message, rest: rest(bytes, offset) };
  if (type === Type.routerAdvertisement) {
    message.hopLimit = bytes[offset + HOP_LIMIT];
    message.flags = bytes[offset + ROUTER_FLAGS];
    message.lifetimeS = get16(bytes, offset + ROUTER_LIFETIME);
    message.reachableTimeMs = get32(bytes, offset + REACHABLE_TIME);
    message.retransmitTimeMs = get32(bytes, offset + RETRANSMIT_TIME);
  } else message.rest = rest(bytes, offset);
  if (length >= DESTINATION) message.target = formatIpv6(bytes, offset + TARGET);
  if (type === Type.redirect) message.destination = formatIpv6(bytes, offset + DESTINATION);
  message.options = parseOptions(bytes, offset + length, end);
  return message;
}

/** Length in bytes of what `write` would write. */
export function writtenLength(message: Icmpv6): number {
  const length = ndLength(message.icmpType, message.code ?? 0);
  return length === 0 ? HEADER_LENGTH : length + writtenOptionsLength(message.options ?? []);
}

/** Writes the message and answers its length; what is left out is 0. Throws `bad-address`, `out-of-range`. */
export function write(bytes: Uint8Array, offset: number, message: Icmpv6): number {
  const total = writtenLength(message);
  room('an ICMPv6 message', bytes, offset, total);
  const type = field('icmpType', message.icmpType, 8);
  bytes[offset + TYPE] = type;
  bytes[offset + CODE] = field('code', message.code ?? 0, 8);
  put16(bytes, offset + CHECKSUM, field('checksum', message.checksum ?? 0, 16));
  const length = ndLength(type, message.code ?? 0);
  if (isEcho(type)) {
    put16(bytes, offset + IDENTIFIER, field('identifier', message.identifier ?? 0, 16));
    put16(bytes, offset + SEQUENCE, field('sequence', message.sequence ?? 0, 16));
  } else if (length !== 0 && type === Type.routerAdvertisement) {
    bytes[offset + HOP_LIMIT] = field('hopLimit', message.hopLimit ?? 0, 8);
    bytes[offset + ROUTER_FLAGS] = field('flags', message.flags ?? 0, 8);
    put16(bytes, offset + ROUTER_LIFETIME, field('lifetimeS', message.lifetimeS ?? 0, 16));
    put32(bytes, offset + REACHABLE_TIME, field('reachableTimeMs', message.reachableTimeMs ?? 0, 32));
    put32(bytes, offset + RETRANSMIT_TIME, field('retransmitTimeMs', message.retransmitTimeMs ?? 0, 32));
  } else put32(bytes, offset + REST, field('rest', message.rest ?? 0, 32));
  if (length >= DESTINATION) bytes.set(parseIpv6(message.target ?? '::'), offset + TARGET);
  if (length > DESTINATION) bytes.set(parseIpv6(message.destination ?? '::'), offset + DESTINATION);
  if (length !== 0) writeOptions(bytes, offset + length, message.options ?? []);
  return total;
}
