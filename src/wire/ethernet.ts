/**
 * Ethernet: the 14 bytes that begin every frame. Tags are in `vlan.ts`, 802.2 headers in `llc.ts`. No preamble, no
 * frame check sequence: neither reaches a host.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |                          destination                          |
 *     +                               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |                               |             source            |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               +
 *     |                                                               |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |  EtherType, or 802.3 length   |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * IEEE 802.3-2018, clauses 3.2 and 3.2.6: from 0x0600 on it is a type (RFC 894), below a length.
 */
import { formatMac, parseMac } from '../util/address.js';
import { get16, get48, put16, put48 } from '../util/bytes.js';
import { Reason } from '../util/reason.js';
import { field, room } from './field.js';

const DESTINATION = 0;
const SOURCE = 6;
const TYPE = 12;

/** Bytes. */
export const HEADER_LENGTH = 14;

/** The smallest EtherType; what is smaller is the length of an 802.3 frame. */
export const FIRST_TYPE = 0x0600;

export const EtherType = {
  ipv4: 0x0800,
  arp: 0x0806,
  rarp: 0x8035,
  vlan: 0x8100,
  ipv6: 0x86dd,
  /** The outer tag of IEEE 802.1ad. */
  serviceVlan: 0x88a8,
  /** IEEE 802, local experimental 1: what a builder uses for a payload that it is told nothing about. */
  experimental: 0x88b5,
} as const;

/** Why the header at `offset` is refused, 0 if it is sound: `truncated` (also when an 802.3 length goes past `end`). */
export function check(bytes: Uint8Array, offset = 0, end = bytes.length): Reason {
  if (end - offset < HEADER_LENGTH) return Reason.truncated;
  const type = etherType(bytes, offset);
  if (type < FIRST_TYPE && offset + HEADER_LENGTH + type > end) return Reason.truncated;
  return Reason.sound;
}

/** 48-bit number. */
export function destination(bytes: Uint8Array, offset: number): number {
  return get48(bytes, offset + DESTINATION);
}

/** 48-bit number. */
export function source(bytes: Uint8Array, offset: number): number {
  return get48(bytes, offset + SOURCE);
}

/** EtherType, or the length of an 802.3 frame when it is below `FIRST_TYPE`. */
export function etherType(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + TYPE);
}

export function setDestination(bytes: Uint8Array, offset: number, mac: number): void {
  put48(bytes, offset + DESTINATION, mac);
}

export function setSource(bytes: Uint8Array, offset: number, mac: number): void {
  put48(bytes, offset + SOURCE, mac);
}

export function setEtherType(bytes: Uint8Array, offset: number, type: number): void {
  put16(bytes, offset + TYPE, type);
}

/** Where the payload ends: an 802.3 length ends it before the padding, a type leaves it `end`. */
export function payloadEnd(bytes: Uint8Array, offset: number, end: number): number {
  const type = etherType(bytes, offset);
  return type < FIRST_TYPE ? offset + HEADER_LENGTH + type : end;
}

export interface Ethernet {
  type: 'ethernet';
  /** `'aa:55:aa:55:00:01'` */
  destination: string;
  source: string;
  /** Below 0x0600 the length of an 802.3 frame. */
  etherType?: number;
}

/** The header as an object, `undefined` when `check` refuses it. */
export function parse(bytes: Uint8Array, offset = 0, end = bytes.length): Required<Ethernet> | undefined {
  if (check(bytes, offset, end) !== Reason.sound) return undefined;
  return {
    type: 'ethernet',
    destination: formatMac(destination(bytes, offset)),
    source: formatMac(source(bytes, offset)),
    etherType: etherType(bytes, offset),
  };
}

/** Writes the header and answers its length; without `etherType`, 0x88b5. Throws `bad-address`, `out-of-range`. */
export function write(bytes: Uint8Array, offset: number, header: Ethernet): number {
  room('an Ethernet header', bytes, offset, HEADER_LENGTH);
  setDestination(bytes, offset, parseMac(header.destination));
  setSource(bytes, offset, parseMac(header.source));
  setEtherType(bytes, offset, field('etherType', header.etherType ?? EtherType.experimental, 16));
  return HEADER_LENGTH;
}
