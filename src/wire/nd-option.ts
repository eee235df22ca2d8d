/**
 * The options of neighbour discovery (RFC 4861, section 4.6), as a list from an offset to the end of the message. Used
 * by `icmpv6.ts`; which option may be in which message is not looked at.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |     kind      |  length / 8   |   link-layer address          |  kinds 1 and 2, length 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |     kind      |  length / 8   | prefix length |L|A| reserved  |  kind 3, length 4
 *     |                         valid lifetime                        |
 *     |                       preferred lifetime                      |
 *     |                           reserved                            |
 *     |                       prefix, 16 bytes                        |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |     kind      |  length / 8   |           reserved            |  kind 5, length 1
 *     |                              MTU                              |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { formatIpv6, formatMac, parseIpv6, parseMac } from '../util/address.js';
import { get16, get32, get48, put32, put48 } from '../util/bytes.js';
import { Reason } from '../util/reason.js';
import { field, unit } from './field.js';

const KIND = 0;
const LENGTH = 1;
const LINK_LAYER = 2;
const PREFIX_LENGTH = 2;
const PREFIX_FLAGS = 3;
const VALID_LIFETIME = 4;
const PREFERRED_LIFETIME = 8;
const PREFIX_RESERVED = 12;
const PREFIX = 16;
const MTU_RESERVED = 2;
const MTU = 4;

const ON_LINK = 0x80;
const AUTONOMOUS = 0x40;

export const OptionKind = { sourceLinkLayer: 1, targetLinkLayer: 2, prefix: 3, mtu: 5 } as const;

/** `bad-option` when an option has no length or one past `end`, or when bytes are left that make no option. */
export function checkOptions(bytes: Uint8Array, offset: number, end: number): Reason {
  let at = offset;
  while (end - at >= 8) {
    const length = bytes[at + LENGTH] * 8;
    if (length === 0) return Reason.badOption;
    at += length;
  }
  return at === end ? Reason.sound : Reason.badOption;
}

/** Offset of the first option of that kind among sound ones, -1 when there is none. */
export function findOption(bytes: Uint8Array, offset: number, end: number, kind: number): number {
  for (let at = offset; at < end; at += bytes[at + LENGTH] * 8) if (bytes[at + KIND] === kind) return at;
  return -1;
}

/** 48-bit number: the address in the source or target link-layer option at `offset`. */
export function linkLayer(bytes: Uint8Array, offset: number): number {
  return get48(bytes, offset + LINK_LAYER);
}

export type NdOption =
  | { type: 'source-link-layer' | 'target-link-layer'; mac: string }
  | {
      type: 'prefix';
      prefix: string;
      prefixLength: number;
      onLink: boolean;
      autonomous: boolean;
      validLifetimeS: number;
      preferredLifetimeS: number;
    }
  | { type: 'mtu'; mtu: number }
  /** Any other kind, and the kinds above with an unusual length or reserved bits: `data` follows the length. */
  | { type: 'other'; kind: number; data: Uint8Array };

/** The options of a sound message. Copies. */
export function parseOptions(bytes: Uint8Array, offset: number, end: number): NdOption[] {
  const options: NdOption[] = [];
  for (let at = offset; at < end; at += bytes[at + LENGTH] * 8) options.push(parseOption(bytes, at));
  return options;
}

function parseOption(bytes: Uint8Array, at: number): NdOption {
  const kind = bytes[at + KIND];
  const length = bytes[at + LENGTH] * 8;
  if ((kind === OptionKind.sourceLinkLayer || kind === OptionKind.targetLinkLayer) && length === 8) {
    const type = kind === OptionKind.sourceLinkLayer ? 'source-link-layer' : 'target-link-layer';
    return { type, mac: formatMac(linkLayer(bytes, at)) };
  }
  if (kind === OptionKind.mtu && length === 8 && get16(bytes, at + MTU_RESERVED) === 0) {
    return { type: 'mtu', mtu: get32(bytes, at + MTU) };
  }
  const flags = bytes[at + PREFIX_FLAGS];
  const reserved = flags & ~(ON_LINK | AUTONOMOUS);
  if (kind === OptionKind.prefix && length === 32 && reserved === 0 && get32(bytes, at + PREFIX_RESERVED) === 0) {
    return {
      type: 'prefix',
      prefix: formatIpv6(bytes, at + PREFIX),
      prefixLength: bytes[at + PREFIX_LENGTH],
      onLink: (flags & ON_LINK) !== 0,
      autonomous: (flags & AUTONOMOUS) !== 0,
      validLifetimeS: get32(bytes, at + VALID_LIFETIME),
      preferredLifetimeS: get32(bytes, at + PREFERRED_LIFETIME),
    };
  }
  return { type: 'other', kind, data: bytes.slice(at + 2, at + length) };
}

function writtenOptionLength(option: NdOption): number {
  if (option.type === 'prefix') return 32;
  return option.type === 'other' ? unit('option', Math.max(8, option.data.length + 2), 8, 255 * 8) : 8;
}

/** Length in bytes of what `writeOptions` would write. */
export function writtenOptionsLength(options: readonly NdOption[]): number {
  return options.reduce((sum, option) => sum + writtenOptionLength(option), 0);
}

/** Writes the options; the caller knows that there is room. Throws `bad-address`, `out-of-range`. */
export function writeOptions(bytes: Uint8Array, offset: number, options: readonly NdOption[]): void {
  let at = offset;
  for (const option of options) {
    const length = writtenOptionLength(option);
    bytes.fill(0, at, at + length);
    bytes[at + LENGTH] = length / 8;
    writeOption(bytes, at, option);
    at += length;
  }
}

function writeOption(bytes: Uint8Array, at: number, option: NdOption): void {
  switch (option.type) {
    case 'source-link-layer':
    case 'target-link-layer': {
      const isSource = option.type === 'source-link-layer';
      bytes[at + KIND] = isSource ? OptionKind.sourceLinkLayer : OptionKind.targetLinkLayer;
      put48(bytes, at + LINK_LAYER, parseMac(option.mac));
      break;
    }
    case 'prefix':
      bytes[at + KIND] = OptionKind.prefix;
      bytes[at + PREFIX_LENGTH] = field('prefixLength', option.prefixLength, 8);
      bytes[at + PREFIX_FLAGS] = (option.onLink ? ON_LINK : 0) | (option.autonomous ? AUTONOMOUS : 0);
      put32(bytes, at + VALID_LIFETIME, field('validLifetimeS', option.validLifetimeS, 32));
      put32(bytes, at + PREFERRED_LIFETIME, field('preferredLifetimeS', option.preferredLifetimeS, 32));
      bytes.set(parseIpv6(option.prefix), at + PREFIX);
      break;
    case 'mtu':
      bytes[at + KIND] = OptionKind.mtu;
      put32(bytes, at + MTU, field('mtu', option.mtu, 32));
      break;
    case 'other':
      bytes[at + KIND] = field('kind', option.kind, 8);
      bytes.set(option.data, at + 2);
      break;
  }
}
