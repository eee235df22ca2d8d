/**
 * Values of OpenFlow fields as text and as numbers (`bigint`, of up to 128 bits, the first byte of the wire the
 * highest).
 */
import { FRAG_ANY, FRAG_LATER } from '../flow/fields.js';
import { formatIpv4, formatIpv6, formatMac, parseIpv4, parseIpv6, parseMac } from '../util/address.js';
import { MegaflowError } from '../util/errors.js';
import type { OpenFlowField } from './field-names.js';
import { findPort, formatPort, type PortNames } from './ports.js';
import { formatHex, parseInteger, refuse } from './text.js';

export interface MaskedValue {
  readonly value: bigint;
  /** Ones where the value counts. */
  readonly mask: bigint;
}

/** All ones of a width. */
export function ones(bits: number): bigint {
  return (1n << BigInt(bits)) - 1n;
}

export const TCP_FLAG_NAMES = [
  'fin',
  'syn',
  'rst',
  'psh',
  'ack',
  'urg',
  'ece',
  'cwr',
  'ns',
  '[200]',
  '[400]',
  '[800]',
] as const;
export const CT_STATE_NAMES = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat'] as const;
export const TUNNEL_FLAG_NAMES = ['oam', 'df', 'csum', 'key'] as const;

export function bytesToBigint(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value;
}

export function bigintToBytes(value: bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let index = length - 1, rest = value; index >= 0; index--, rest >>= 8n) bytes[index] = Number(rest & 0xffn);
  return bytes;
}

/** An address text, whose own error says less than the field's. */
function parseAddress<T>(parse: (text: string) => T, text: string, message: string, allowed: string): T {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof MegaflowError) refuse(message, text, allowed);
    throw error;
  }
}

function prefixMask(text: string, bits: number, whole: string, kind: string): bigint {
  const length = Number(text);
  if (length > bits)
    refuse(
      `${whole}: ${kind} network prefix bits not between 0 and ${bits}, inclusive`,
      whole,
      `a prefix length from 0 to ${bits}`,
    );
  return ones(bits) ^ ones(bits - length);
}

function parseIp(text: string, bits: 32 | 128): MaskedValue {
  const [address, suffix, rest] = text.split('/');
  const kind = bits === 32 ? 'IPv4' : 'IPv6';
  const one = (part: string): bigint =>
    bits === 32
      ? BigInt(parseAddress(parseIpv4, part, `${text}: invalid IP address`, 'an IPv4 address'))
      : bytesToBigint(parseAddress(parseIpv6, part, `${text}: invalid IPv6 address`, 'an IPv6 address'));
  if (rest !== undefined)
    refuse(`${text}: invalid IP address`, text, `an ${kind} address, with a mask or a prefix length`);
  const value = one(address);
  if (suffix === undefined) return { value, mask: ones(bits) };
  return { value, mask: /^\d{1,3}$/.test(suffix) ? prefixMask(suffix, bits, text, kind) : one(suffix) };
}

function parseEthernet(text: string, name: string): MaskedValue {
  const [address, mask, rest] = text.split('/');
  const message = `${text}: invalid Ethernet address`;
  const one = (part: string): bigint =>
    BigInt(parseAddress(parseMac, part, message, `an Ethernet address for ${name}, with a mask or without`));
  if (rest !== undefined) refuse(message, text, 'one mask');
  return { value: one(address), mask: mask === undefined ? ones(48) : one(mask) };
}

function parseNumber(text: string, field: OpenFlowField, whole: string): bigint {
  const value = parseInteger(text);
  if (value === null) refuse(`${whole}: bad syntax for ${field.name} value`, whole, 'an integer');
  const bytes = Math.ceil(field.bits / 8);
  // Fields narrower than their code in OpenFlow are read into its whole bytes; four bytes from three on.
  const width = field.bits > 16 && field.bits < 32 ? 4 : bytes;
  if (value >> BigInt(8 * width) !== 0n)
    refuse(`${whole}: value too large for ${width}-byte field ${field.name}`, whole, `an integer of ${width} bytes`);
  return value;
}

function parseNumbers(text: string, field: OpenFlowField): MaskedValue {
  const [value, mask, rest] = text.split('/');
  if (rest !== undefined) refuse(`${text}: bad syntax for ${field.name} value`, text, 'a value, or a value and a mask');
  return {
    value: parseNumber(value, field, text),
    mask: mask === undefined ? ones(field.bits) : parseNumber(mask, field, text),
  };
}

/** Flags as `+a-b`, `a|b`, a number, or a number and a mask. */
function parseFlags(text: string, field: OpenFlowField, names: readonly string[], kind: string): MaskedValue {
  if (/^\d/.test(text)) return parseNumbers(text, field);
  const known = ones(names.length);
  const bitOf = (name: string): bigint => {
    const bit = names.indexOf(name.toLowerCase());
    if (bit < 0) refuse(`${name}: unknown ${kind} flag(s)`, text, names.join(', '));
    return 1n << BigInt(bit);
  };
  if (!/^[+-]/.test(text))
    return { value: text.split('|').reduce((bits, name) => bits | bitOf(name), 0n), mask: known };
  let value = 0n;
  let mask = 0n;
  for (const [, sign, name] of text.matchAll(/([+-])([^+-]*)/g)) {
    const bit = bitOf(name);
    if ((mask & bit) !== 0n) refuse(`${name}: Each ${kind} flag can be specified only once`, text, 'each flag once');
    mask |= bit;
    if (sign === '+') value |= bit;
  }
  return { value, mask };
}

const ANY = BigInt(FRAG_ANY);
const LATER = BigInt(FRAG_LATER);

const fragments: Readonly<Record<string, MaskedValue>> = {
  no: { value: 0n, mask: ANY | LATER },
  yes: { value: ANY, mask: ANY },
  first: { value: ANY, mask: ANY | LATER },
  later: { value: ANY | LATER, mask: ANY | LATER },
  not_later: { value: 0n, mask: LATER },
};

function parseFragment(text: string, field: OpenFlowField): MaskedValue {
  if (/^\d/.test(text)) return parseNumbers(text, field);
  const name = text.toLowerCase();
  if (Object.hasOwn(fragments, name)) return fragments[name];
  const valid = Object.keys(fragments)
    .map((each) => `"${each}"`)
    .join(', ');
  return refuse(`${text}: unknown fragment type (valid types are ${valid})`, text, valid);
}

function parsePacketType(text: string): MaskedValue {
  const match = /^\(([^,()]+),([^,()]+)\)$/.exec(text);
  const namespace = match && parseInteger(match[1]);
  const type = match && parseInteger(match[2]);
  if (namespace === null || type === null || namespace > 0xffffn || type > 0xffffn) {
    refuse(`${text}: not a packet type`, text, '(NAMESPACE,TYPE)');
  }
  return { value: (namespace << 16n) | type, mask: ones(32) };
}

/**
 * A value with its mask, as `ovs-ofctl` reads it; `*` stands for any value. Throws `bad-flow-text`; does not mind bits
 * beyond the width of the field.
 */
export function parseValue(field: OpenFlowField, text: string, ports: PortNames = {}): MaskedValue {
  if (text === '*') return { value: 0n, mask: 0n };
  switch (field.form) {
    case 'decimal':
    case 'hexadecimal':
      return parseNumbers(text, field);
    case 'ethernet':
      return parseEthernet(text, field.name);
    case 'ipv4':
      return parseIp(text, 32);
    case 'ipv6':
      return parseIp(text, 128);
    case 'port': {
      const port = findPort(text, ports);
      if (port === undefined)
        refuse(
          `${text}: invalid or unknown port for ${field.name}`,
          text,
          'a port number, LOCAL and the like, or a name',
        );
      return { value: BigInt(port), mask: ones(field.bits) };
    }
    case 'tcp_flags':
      return parseFlags(text, field, TCP_FLAG_NAMES, 'TCP');
    case 'ct_state':
      return parseFlags(text, field, CT_STATE_NAMES, 'ct_state');
    case 'tun_flags':
      return parseFlags(text, field, TUNNEL_FLAG_NAMES.slice(0, 1), 'tunnel');
    case 'frag':
      return parseFragment(text, field);
    case 'packet_type':
      return parsePacketType(text);
  }
}

/** An address of IPv4 or IPv6 with its mask: a prefix length where it is one. */
export function formatIpMasked({ value, mask }: MaskedValue, bits: 32 | 128): string {
  const one = (part: bigint): string => (bits === 32 ? formatIpv4(Number(part)) : formatIpv6(bigintToBytes(part, 16)));
  if (mask === ones(bits)) return one(value);
  const zeros = ones(bits) ^ mask;
  const length = bits - zeros.toString(2).length;
  return `${one(value)}/${(zeros & (zeros + 1n)) === 0n ? length : one(mask)}`;
}

/** A value as it stands in `set_field` and in the constants of `learn`. */
export function formatValue(field: OpenFlowField, { value, mask }: MaskedValue, ports: PortNames = {}): string {
  const isExact = mask === ones(field.bits);
  switch (field.form) {
    case 'ethernet':
      return formatMac(Number(value)) + (isExact ? '' : `/${formatMac(Number(mask))}`);
    case 'ipv4':
      return formatIpMasked({ value, mask }, 32);
    case 'ipv6':
      return formatIpMasked({ value, mask }, 128);
    case 'port':
      return formatPort(Number(value), ports);
    case 'decimal':
      return String(value) + (isExact ? '' : `/${formatHex(mask)}`);
    case 'tun_flags':
      return isExact
        ? formatNames(TUNNEL_FLAG_NAMES, Number(value))
        : formatSigned(TUNNEL_FLAG_NAMES, Number(value), Number(mask));
    default:
      return formatHex(value) + (isExact ? '' : `/${formatHex(mask)}`);
  }
}

/** Names of set bits between bars, `0` if none. */
export function formatNames(names: readonly string[], value: number): string {
  return names.filter((_, bit) => (value >>> bit) & 1).join('|') || '0';
}

/** `+name` and `-name` for the bits of a mask, the lowest first. */
export function formatSigned(names: readonly string[], value: number, mask: number): string {
  return names
    .map((name, bit) => (((mask >>> bit) & 1) === 0 ? '' : ((value >>> bit) & 1 ? '+' : '-') + name))
    .join('');
}
