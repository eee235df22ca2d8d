/**
 * Sets of named bits as text, both ways, in the manner of Open vSwitch (`format_flags`, `format_flags_masked`,
 * `parse_flags`): `df|key` when all bits count, `-df+key` when only those named do. What the bits mean is the caller's.
 */
import { take, takeInteger, takeInteger64, type Cursor } from './scan.js';

/** Name of each bit, from the lowest. */
export type FlagNames = readonly string[];

/** The tunnel's flags: bits of `tunFlags`. */
export const TUNNEL_FLAG_NAMES: FlagNames = ['oam', 'df', 'csum', 'key'];
/** TCP's flags, and the three bits that have no name. */
export const TCP_FLAG_NAMES: FlagNames = [
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
];
/** Connection states: bits of `ctState`. */
export const CT_STATE_NAMES: FlagNames = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat'];

/** `0`, or 0x and hexadecimal digits: C's `%#x`. */
export function formatHash(value: number): string {
  return value === 0 ? '0' : `0x${value.toString(16)}`;
}

/**
 * The names of the bits that are set, the lowest first, and bits without a name as one number at the end; `0` for none.
 */
export function formatFlags(flags: number, names: FlagNames, separator: '|' | ','): string {
  if (flags === 0) return '0';
  const parts = names.filter((_, bit) => (flags & (1 << bit)) !== 0);
  const unnamed = names.length >= 32 ? 0 : (flags & ~(2 ** names.length - 1)) >>> 0;
  if (unnamed !== 0) parts.push(`0x${unnamed.toString(16)}`);
  return parts.join(separator);
}

/** Masked bits with their signs, or `formatFlags` when the mask has all bits that have a name. */
export function formatMaskedFlags(flags: number, mask: number, names: FlagNames): string {
  const all = 2 ** names.length - 1;
  const masked = mask & all;
  if (masked === all) return formatFlags(flags & all, names, '|');
  if (masked === 0) return '0/0';
  return formatSignedFlags(flags, masked, names);
}

/** Masked bits with their signs, also when the mask has them all. */
export function formatSignedFlags(flags: number, mask: number, names: FlagNames): string {
  return names.map((name, bit) => (mask & (1 << bit) ? ((flags & (1 << bit)) !== 0 ? '+' : '-') + name : '')).join('');
}

/**
 * Takes a set of bits up to the closing parenthesis, which it leaves: `a|b` (the mask is all ones), `+a-b`,
 * `VALUE/MASK`, or numbers among the names. Refuses a name twice among signed ones, and bits without a name. `masked`
 * false: only unsigned names and numbers.
 */
export function takeFlags(
  cursor: Cursor,
  names: FlagNames,
  masked: boolean,
): { flags: number; mask: number } | undefined {
  const start = cursor.at;
  const all = 2 ** names.length - 1;
  const fail = (): undefined => {
    cursor.at = start;
    return undefined;
  };
  if (masked) {
    const flags = takeInteger(cursor, 0, 32);
    const mask = flags !== undefined && take(cursor, '/') ? takeInteger(cursor, 0, 32) : undefined;
    if (flags !== undefined && mask !== undefined) return flags <= all && mask <= all ? { flags, mask } : fail();
    cursor.at = start;
    if (cursor.text[start] === '+' || cursor.text[start] === '-') return takeSigned(cursor, names) ?? fail();
  }
  let flags = 0;
  while (cursor.text[cursor.at] !== ')') {
    const number = takeInteger64(cursor, 0);
    if (number !== undefined) {
      if (number > BigInt(all)) return fail();
      flags |= Number(number);
      take(cursor, '|');
      continue;
    }
    const bit = names.findIndex(
      (name) => cursor.text.startsWith(name, cursor.at) && '|)'.includes(cursor.text[cursor.at + name.length] ?? '?'),
    );
    if (bit < 0) return fail();
    flags |= 1 << bit;
    cursor.at += names[bit].length;
    take(cursor, '|');
  }
  return { flags, mask: 0xffff_ffff };
}

function takeSigned(cursor: Cursor, names: FlagNames): { flags: number; mask: number } | undefined {
  let flags = 0;
  let mask = 0;
  while (cursor.text[cursor.at] !== ')') {
    const sign = cursor.text[cursor.at++];
    if (sign !== '+' && sign !== '-') return undefined;
    const bit = names.findIndex(
      (name) => cursor.text.startsWith(name, cursor.at) && '+-)'.includes(cursor.text[cursor.at + name.length] ?? '?'),
    );
    if (bit < 0 || (mask & (1 << bit)) !== 0) return undefined;
    mask |= 1 << bit;
    if (sign === '+') flags |= 1 << bit;
    cursor.at += names[bit].length;
  }
  return { flags, mask };
}
