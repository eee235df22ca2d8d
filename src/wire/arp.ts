/**
 * ARP and RARP for IPv4 over Ethernet (RFC 826, RFC 903). Other hardware and protocol types are refused: everything
 * behind the first eight bytes has lengths of its own for them.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |      hardware type = 1        |    protocol type = 0x0800     |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |  hw len = 6   | proto len = 4 |           operation           |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |                     sender hardware address                   |
 *     +                               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |                               |   sender protocol address     |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |   (sender protocol address)   |   target hardware address     |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               +
 *     |                                                               |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |                    target protocol address                    |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { formatIpv4, formatMac, parseIpv4, parseMac } from '../util/address.js';
import { get16, get32, get48, put16, put32, put48 } from '../util/bytes.js';
import { Reason } from '../util/reason.js';
import { field, room } from './field.js';

const HARDWARE_TYPE = 0;
const PROTOCOL_TYPE = 2;
const HARDWARE_LENGTH = 4;
const PROTOCOL_LENGTH = 5;
const OPERATION = 6;
const SENDER_MAC = 8;
const SENDER_IP = 14;
const TARGET_MAC = 18;
const TARGET_IP = 24;

/** Bytes. */
export const HEADER_LENGTH = 28;

const ETHERNET = 1;
const IPV4 = 0x0800;

export const Operation = { request: 1, reply: 2, reverseRequest: 3, reverseReply: 4 } as const;

/**
 * Why the packet at `offset` is refused, 0 if it is sound: `truncated`, `bad-hardware-type`, `bad-type` (not IPv4),
 * `bad-address-length`. Any operation is sound.
 */
export function check(bytes: Uint8Array, offset = 0, end = bytes.length): Reason {
  if (end - offset < HEADER_LENGTH) return Reason.truncated;
  if (get16(bytes, offset + HARDWARE_TYPE) !== ETHERNET) return Reason.badHardwareType;
  if (get16(bytes, offset + PROTOCOL_TYPE) !== IPV4) return Reason.badType;
  if (bytes[offset + HARDWARE_LENGTH] !== 6 || bytes[offset + PROTOCOL_LENGTH] !== 4) return Reason.badAddressLength;
  return Reason.sound;
}

/** One of `Operation`, or any 16-bit number. */
export function operation(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + OPERATION);
}

/** 48-bit number. */
export function senderMac(bytes: Uint8Array, offset: number): number {
  return get48(bytes, offset + SENDER_MAC);
}

/** 32-bit number. */
export function senderIp(bytes: Uint8Array, offset: number): number {
  return get32(bytes, offset + SENDER_IP);
}

/** 48-bit number. */
export function targetMac(bytes: Uint8Array, offset: number): number {
  return get48(bytes, offset + TARGET_MAC);
}

/** 32-bit number. */
export function targetIp(bytes: Uint8Array, offset: number): number {
  return get32(bytes, offset + TARGET_IP);
}

export interface Arp {
  type: 'arp';
  operation: number;
  senderMac: string;
  senderIp: string;
  /** Default all zero, as in a request. */
  targetMac?: string;
  targetIp: string;
}

/** The packet as an object, `undefined` when `check` refuses it. */
export function parse(bytes: Uint8Array, offset = 0, end = bytes.length): Required<Arp> | undefined {
  if (check(bytes, offset, end) !== Reason.sound) return undefined;
  return {
    type: 'arp',
    operation: operation(bytes, offset),
    senderMac: formatMac(senderMac(bytes, offset)),
    senderIp: formatIpv4(senderIp(bytes, offset)),
    targetMac: formatMac(targetMac(bytes, offset)),
    targetIp: formatIpv4(targetIp(bytes, offset)),
  };
}

/** Writes the packet and answers its length. Throws `bad-address`, `out-of-range`. */
export function write(bytes: Uint8Array, offset: number, packet: Arp): number {
  room('an ARP packet', bytes, offset, HEADER_LENGTH);
  put16(bytes, offset + HARDWARE_TYPE, ETHERNET);
  put16(bytes, offset + PROTOCOL_TYPE, IPV4);
  bytes[offset + HARDWARE_LENGTH] = 6;
  bytes[offset + PROTOCOL_LENGTH] = 4;
  put16(bytes, offset + OPERATION, field('operation', packet.operation, 16));
  put48(bytes, offset + SENDER_MAC, parseMac(packet.senderMac));
  put32(bytes, offset + SENDER_IP, parseIpv4(packet.senderIp));
  put48(bytes, offset + TARGET_MAC, packet.targetMac === undefined ? 0 : parseMac(packet.targetMac));
  put32(bytes, offset + TARGET_IP, parseIpv4(packet.targetIp));
  return HEADER_LENGTH;
}
