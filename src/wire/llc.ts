/**
 * LLC (IEEE 802.2), what an 802.3 frame carries behind its length, with the SNAP header that gives it an EtherType
 * again (RFC 1042). What the commands of LLC mean is left to others.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |     DSAP      |     SSAP      |    control    |  SNAP: OUI    |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+               +
 *     |                               |           protocol            |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * The control field of I and S frames has a second byte. SNAP follows when DSAP and SSAP are 0xaa and control is 3.
 */
import { get16, get24, put16, put24 } from '../util/bytes.js';
import { Reason } from '../util/reason.js';
import { field, room } from './field.js';

const DSAP = 0;
const SSAP = 1;
const CONTROL = 2;
const OUI = 3;
const PROTOCOL = 6;

/** Bytes: LLC alone with a control field of one byte, and with SNAP. */
export const HEADER_LENGTH = 3;
export const SNAP_LENGTH = 8;

const SNAP_SAP = 0xaa;
const UNNUMBERED = 3;

/** Why the header at `offset` is refused, 0 if it is sound: `truncated`. */
export function check(bytes: Uint8Array, offset = 0, end = bytes.length): Reason {
  if (end - offset < HEADER_LENGTH) return Reason.truncated;
  return end - offset < headerLength(bytes, offset) ? Reason.truncated : Reason.sound;
}

export function dsap(bytes: Uint8Array, offset: number): number {
  return bytes[offset + DSAP];
}

export function ssap(bytes: Uint8Array, offset: number): number {
  return bytes[offset + SSAP];
}

/** One byte for unnumbered frames (its two lowest bits are set), else two, the first of which is the lower. */
export function control(bytes: Uint8Array, offset: number): number {
  const first = bytes[offset + CONTROL];
  return isUnnumbered(first) ? first : first | (bytes[offset + CONTROL + 1] << 8);
}

export function hasSnap(bytes: Uint8Array, offset: number): boolean {
  return isSnap(dsap(bytes, offset), ssap(bytes, offset), bytes[offset + CONTROL]);
}

/** 24-bit number; only with SNAP. */
export function oui(bytes: Uint8Array, offset: number): number {
  return get24(bytes, offset + OUI);
}

/** An EtherType when the OUI is 0; only with SNAP. */
export function protocol(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset + PROTOCOL);
}

/** 3, 4 or 8 bytes. */
export function headerLength(bytes: Uint8Array, offset: number): number {
  if (hasSnap(bytes, offset)) return SNAP_LENGTH;
  return isUnnumbered(bytes[offset + CONTROL]) ? HEADER_LENGTH : HEADER_LENGTH + 1;
}

function isUnnumbered(value: number): boolean {
  return (value & UNNUMBERED) === UNNUMBERED;
}

function isSnap(to: number, from: number, command: number): boolean {
  return to === SNAP_SAP && from === SNAP_SAP && command === UNNUMBERED;
}

export interface Llc {
  type: 'llc';
  /** Default 0xaa, as for SNAP. */
  dsap?: number;
  ssap?: number;
  /** Default 3, unnumbered information. */
  control?: number;
  /** Only with DSAP 0xaa, SSAP 0xaa and control 3, and always then; default 0 and 0x88b5. */
  oui?: number;
  protocol?: number;
}

/** The header as an object, `undefined` when `check` refuses it. */
export function parse(bytes: Uint8Array, offset = 0, end = bytes.length): Llc | undefined {
  if (check(bytes, offset, end) !== Reason.sound) return undefined;
  const header: Llc = {
    type: 'llc',
    dsap: dsap(bytes, offset),
    ssap: ssap(bytes, offset),
    control: control(bytes, offset),
  };
  return hasSnap(bytes, offset) ? { ...header, oui: oui(bytes, offset), protocol: protocol(bytes, offset) } : header;
}

/** Length in bytes of what `write` would write. */
export function writtenLength(header: Llc): number {
  const command = header.control ?? UNNUMBERED;
  if (isSnap(header.dsap ?? SNAP_SAP, header.ssap ?? SNAP_SAP, command)) return SNAP_LENGTH;
  return isUnnumbered(command) ? HEADER_LENGTH : HEADER_LENGTH + 1;
}

/** Writes the header and answers its length. Throws `out-of-range`. */
export function write(bytes: Uint8Array, offset: number, header: Llc): number {
  const length = writtenLength(header);
  room('an LLC header', bytes, offset, length);
  bytes[offset + DSAP] = field('dsap', header.dsap ?? SNAP_SAP, 8);
  bytes[offset + SSAP] = field('ssap', header.ssap ?? SNAP_SAP, 8);
  const command = field('control', header.control ?? UNNUMBERED, length === HEADER_LENGTH + 1 ? 16 : 8);
  bytes[offset + CONTROL] = command;
  if (length === HEADER_LENGTH + 1) bytes[offset + CONTROL + 1] = command >>> 8;
  if (length === SNAP_LENGTH) {
    put24(bytes, offset + OUI, field('oui', header.oui ?? 0, 24));
    put16(bytes, offset + PROTOCOL, field('protocol', header.protocol ?? 0x88b5, 16));
  }
  return length;
}
