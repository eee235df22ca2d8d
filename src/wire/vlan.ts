/**
 * A VLAN tag, of IEEE 802.1Q or 802.1ad: the four bytes behind a TPID. The TPID itself (0x8100, 0x88a8) is the type
 * field of whatever comes before, so that tags nest like any other header.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     | PCP |D|          VID          |  EtherType, or 802.3 length   |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * IEEE 802.1Q-2018, clause 9.6: priority, drop eligible, VLAN identifier (0: priority only).
 */
import { get16, put16 } from '../util/bytes.js';
import { Reason } from '../util/reason.js';
import { EtherType, FIRST_TYPE } from './ethernet.js';
import { field, room } from './field.js';

const TCI = 0;
const TYPE = 2;

/** Bytes. */
export const HEADER_LENGTH = 4;

/** Whether a type field announces a tag: 0x8100 and 0x88a8 do; 0x9100 does not, as in Open vSwitch. */
export function isTag(etherType: number): boolean {
  return etherType === EtherType.vlan || etherType === EtherType.serviceVlan;
}

/** Why the tag at `offset` is refused, 0 if it is sound: `truncated` (also when an 802.3 length goes past `end`). */
export function check(bytes: Uint8Array, offset = 0, end = bytes.length): Reason {
  if (end - offset < HEADER_LENGTH) return Reason.truncated;
  const type = etherType(bytes, offset);
  if (type < FIRST_TYPE && offset + HEADER_LENGTH + type > end) return Reason.truncated;
  return Reason.sound;
}

/** Priority, drop-eligible bit and VLAN identifier as one 16-bit number. */
export function tci(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + TCI);
}

/** 0 to 7. */
export function priority(bytes: Uint8Array, offset: number): number {
  return bytes[offset + TCI] >>> 5;
}

export function dropEligible(bytes: Uint8Array, offset: number): boolean {
  return (bytes[offset + TCI] & 0x10) !== 0;
}

/** 0 to 4095. */
export function vid(bytes: Uint8Array, offset: number): number {
  return tci(bytes, offset) & 0xfff;
}

/** EtherType of what follows, or its 802.3 length. */
export function etherType(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + TYPE);
}

export function setTci(bytes: Uint8Array, offset: number, value: number): void {
  put16(bytes, offset + TCI, value);
}

export function setEtherType(bytes: Uint8Array, offset: number, type: number): void {
  put16(bytes, offset + TYPE, type);
}

/** Where the payload ends: an 802.3 length ends it before the padding, a type leaves it `end`. */
export function payloadEnd(bytes: Uint8Array, offset: number, end: number): number {
  const type = etherType(bytes, offset);
  return type < FIRST_TYPE ? offset + HEADER_LENGTH + type : end;
}

export interface Vlan {
  type: 'vlan';
  vid: number;
  priority?: number;
  dropEligible?: boolean;
  etherType?: number;
}

/** The tag as an object, `undefined` when `check` refuses it. */
export function parse(bytes: Uint8Array, offset = 0, end = bytes.length): Required<Vlan> | undefined {
  if (check(bytes, offset, end) !== Reason.sound) return undefined;
  return {
    type: 'vlan',
    vid: vid(bytes, offset),
    priority: priority(bytes, offset),
    dropEligible: dropEligible(bytes, offset),
    etherType: etherType(bytes, offset),
  };
}

/** Writes the tag and answers its length; without `etherType`, 0x88b5. Throws `out-of-range`. */
export function write(bytes: Uint8Array, offset: number, header: Vlan): number {
  room('a VLAN tag', bytes, offset, HEADER_LENGTH);
  const bits = field('priority', header.priority ?? 0, 3) << 13;
  setTci(bytes, offset, bits | (header.dropEligible ? 0x1000 : 0) | field('vid', header.vid, 12));
  setEtherType(bytes, offset, field('etherType', header.etherType ?? EtherType.experimental, 16));
  return HEADER_LENGTH;
}
