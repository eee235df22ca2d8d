/**
 * Reading values out of text the way Open vSwitch's scanner does (`ovs_scan`, its `scanf` of the C locale): numbers
 * with C prefixes that wrap into their width, addresses, byte strings. Text of flows and of actions is read with it. It
 * knows no attribute and no action.
 *
 * Every `take…` moves the cursor past what it read and answers it; where the text does not fit, it answers
 * `undefined` (or `false`) and leaves the cursor where it was.
 */
import { parseIpv6 } from '../util/address.js';

export interface Cursor {
  readonly text: string;
  /** Index of the next character. */
  at: number;
}

/** Takes exactly `literal`. */
export function take(cursor: Cursor, literal: string): boolean {
  if (!cursor.text.startsWith(literal, cursor.at)) return false;
  cursor.at += literal.length;
  return true;
}

/** Takes what a sticky (`y`) pattern matches, which may be nothing. */
export function takePattern(cursor: Cursor, pattern: RegExp): string | undefined {
  pattern.lastIndex = cursor.at;
  const match = pattern.exec(cursor.text);
  if (!match) return undefined;
  cursor.at += match[0].length;
  return match[0];
}

const DELIMITERS = /[, \t\r\n]*/y;

/** Passes over what may stand between attributes and between actions: any mix of commas and blanks. */
export function skipDelimiters(cursor: Cursor): void {
  takePattern(cursor, DELIMITERS);
}

/** Whether the cursor stands on a delimiter or on the end of the text. */
export function atDelimiter(cursor: Cursor): boolean {
  return cursor.at >= cursor.text.length || ', \t\r\n'.includes(cursor.text[cursor.at]);
}

const SPACE = /[ \t\n\v\f\r]*/y;

function digitOf(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code >= 48 && code <= 57) return code - 48;
  if (code >= 97 && code <= 102) return code - 87;
  if (code >= 65 && code <= 70) return code - 55;
  return 99;
}

/**
 * Where a number's digits begin, and their base; base 0 goes by the prefix, as C's `%i`: `0x` hexadecimal, `0` octal.
 */
function findDigits(cursor: Cursor, base: 0 | 10 | 16): { at: number; base: number; negative: boolean } {
  const { text } = cursor;
  SPACE.lastIndex = cursor.at;
  let at = cursor.at + SPACE.exec(text)![0].length;
  const negative = text[at] === '-';
  if (negative || text[at] === '+') at++;
  if (base !== 10 && text[at] === '0' && (text[at + 1] === 'x' || text[at + 1] === 'X'))
    return { at: at + 2, base: 16, negative };
  return { at, base: base !== 0 ? base : text[at] === '0' ? 8 : 10, negative };
}

/**
 * Takes an integer of `bits` bits (1 to 32), unsigned: blanks before it, a sign, and digits in `base` (0: by prefix,
 * where `0x` is hexadecimal and a leading 0 octal). What does not fit wraps, as in C.
 */
export function takeInteger(cursor: Cursor, base: 0 | 10 | 16, bits: number): number | undefined {
  const digits = findDigits(cursor, base);
  let at = digits.at;
  let value = 0;
  for (let digit = digitOf(cursor.text, at); digit < digits.base; digit = digitOf(cursor.text, ++at)) {
    value = (Math.imul(value, digits.base) + digit) >>> 0;
  }
  if (at === digits.at) return undefined;
  cursor.at = at;
  if (digits.negative) value = -value >>> 0;
  return bits === 32 ? value : value & (2 ** bits - 1);
}

/** Takes an integer of 64 bits, like `takeInteger`. */
export function takeInteger64(cursor: Cursor, base: 0 | 10 | 16): bigint | undefined {
  const digits = findDigits(cursor, base);
  const factor = BigInt(digits.base);
  let at = digits.at;
  let value = 0n;
  for (let digit = digitOf(cursor.text, at); digit < digits.base; digit = digitOf(cursor.text, ++at)) {
    value = BigInt.asUintN(64, value * factor + BigInt(digit));
  }
  if (at === digits.at) return undefined;
  cursor.at = at;
  return digits.negative ? BigInt.asUintN(64, -value) : value;
}

/** Takes a MAC address as a number: six hexadecimal numbers with colons, each of which may be short (`0:1:2:3:4:5`). */
export function takeMac(cursor: Cursor): number | undefined {
  return takeParts(cursor, ':', 6, 16);
}

/** Takes an IPv4 address as an unsigned number: four decimal numbers with dots, which wrap at 256 as they do in C. */
export function takeIpv4(cursor: Cursor): number | undefined {
  return takeParts(cursor, '.', 4, 10);
}

function takeParts(cursor: Cursor, separator: string, count: number, base: 10 | 16): number | undefined {
  const start = cursor.at;
  let value = 0;
  for (let index = 0; index < count; index++) {
    const part = index > 0 && !take(cursor, separator) ? undefined : takeInteger(cursor, base, 8);
    if (part === undefined) {
      cursor.at = start;
      return undefined;
    }
    value = value * 256 + part;
  }
  return value;
}

const IPV6 = /[0-9a-fA-F:.]{1,46}/y;

/** Takes an IPv6 address, as strictly as `inet_pton` is: 16 bytes. */
export function takeIpv6(cursor: Cursor): Uint8Array | undefined {
  const start = cursor.at;
  const text = takePattern(cursor, IPV6);
  // inet_pton refuses leading zeros in the dotted part, and a dotted part alone.
  if (
    text !== undefined &&
    text.includes(':') &&
    !/[:.]0\d+(\.|$)/.test(text.includes('.') ? text.slice(text.lastIndexOf(':')) : '')
  ) {
    try {
      return parseIpv6(text);
    } catch {
      // Not an address: the cursor goes back.
    }
  }
  cursor.at = start;
  return undefined;
}

const HEX_NUMBER = /0[xX][0-9a-fA-F \t\r\n]*/y;

/**
 * Takes a number of `width` bytes, the most significant first: hexadecimal with `0x` (blanks between digits are passed
 * over, and no digit at all is 0), or anything of at most 64 bits that C's `strtoull` takes.
 */
export function takeBytes(cursor: Cursor, width: number): Uint8Array | undefined {
  const start = cursor.at;
  const hex = takePattern(cursor, HEX_NUMBER);
  let digits: string;
  if (hex !== undefined)
    digits = hex
      .slice(2)
      .replace(/[ \t\r\n]+/g, '')
      .replace(/^0+/, '');
  else {
    const value = takeUnsigned64(cursor);
    if (value === undefined) return undefined;
    digits = value === 0n ? '' : value.toString(16);
  }
  if (digits.length > 2 * width) {
    cursor.at = start;
    return undefined;
  }
  const padded = digits.padStart(2 * width, '0');
  return Uint8Array.from({ length: width }, (_, index) => parseInt(padded.slice(2 * index, 2 * index + 2), 16));
}

/** Like `takeInteger64`, but what does not fit 64 bits is refused. */
function takeUnsigned64(cursor: Cursor): bigint | undefined {
  const start = cursor.at;
  const { at, base } = findDigits(cursor, 0);
  const value = takeInteger64(cursor, 0);
  if (value === undefined) return undefined;
  const significant = cursor.text.slice(at, cursor.at).replace(/^0+/, '');
  // 64 bits have at most 22 octal digits, and fewer in the other bases.
  const short = significant.length <= 22 ? [...significant] : [];
  const exact =
    significant.length > short.length
      ? 1n << 64n
      : short.reduce((sum, digit) => sum * BigInt(base) + BigInt(digitOf(digit, 0)), 0n);
  if (exact >> 64n !== 0n) {
    cursor.at = start;
    return undefined;
  }
  return value;
}

/**
 * Takes bytes as pairs of hexadecimal digits, blanks between them passed over; stops before a digit without a partner.
 */
export function takeHexPairs(cursor: Cursor): Uint8Array {
  const bytes: number[] = [];
  for (;;) {
    takePattern(cursor, /[ \t\r\n]*/y);
    const high = digitOf(cursor.text, cursor.at);
    const low = digitOf(cursor.text, cursor.at + 1);
    if (high > 15 || low > 15) return Uint8Array.from(bytes);
    bytes.push(high * 16 + low);
    cursor.at += 2;
  }
}
