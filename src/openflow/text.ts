/**
 * Lexical matters of the syntax of `ovs-ofctl`: key-value pairs, integers, and how a text is refused.
 */
import { MegaflowError } from '../util/errors.js';

/** Throws `bad-flow-text`. */
export function refuse(message: string, value: unknown, allowed: string): never {
  throw new MegaflowError('bad-flow-text', message, value, allowed);
}

export interface Pair {
  readonly key: string;
  /** Empty if there is none. */
  readonly value: string;
  /** What followed the key: `:`, `=`, `(`, or nothing. */
  readonly delimiter: string;
}

const BETWEEN = ', \t\r\n';
const AFTER_KEY = ':=(, \t\r\n';

/** Where a value that begins at `start` ends: at one of `ends` that is not within parentheses, or with the text. */
function endOfValue(text: string, start: number, ends: string): number {
  let at = start;
  while (at < text.length && !ends.includes(text[at])) {
    let level = 0;
    do {
      if (text[at] === '(') level++;
      else if (text[at] === ')') level--;
      at++;
    } while (level > 0 && at < text.length);
  }
  return at;
}

/**
 * Takes a text apart into `key`, `key=value`, `key:value`, `key(value)` and `key(value)->rest` (whose value is
 * `value)->rest`), between commas and white space in any number.
 */
export function parsePairs(text: string): Pair[] {
  const pairs: Pair[] = [];
  let at = 0;
  for (;;) {
    while (at < text.length && BETWEEN.includes(text[at])) at++;
    if (at >= text.length) return pairs;
    const start = at;
    while (at < text.length && !AFTER_KEY.includes(text[at])) at++;
    const key = text.slice(start, at);
    const found = text[at] ?? '';
    at++;
    if (found !== ':' && found !== '=' && found !== '(') {
      pairs.push({ key, value: '', delimiter: '' });
      continue;
    }
    let end = endOfValue(text, at, found === '(' ? ')' : BETWEEN);
    if (found === '(' && text.startsWith(')->', end)) end = endOfValue(text, end + 1, BETWEEN);
    pairs.push({ key, value: text.slice(at, end), delimiter: found });
    at = end + 1;
  }
}

/**
 * An integer as C's `strtoull` reads it with base 0 (decimal, `0x` hexadecimal, octal), of any size; null if it is
 * none.
 */
export function parseInteger(text: string): bigint | null {
  const match = /^(-?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$/.exec(text);
  if (!match) return null;
  const digits = /^0[0-7]+$/.test(match[2]) ? `0o${match[2].slice(1)}` : match[2];
  const value = BigInt(digits);
  // A minus is read as C reads it into 64 unsigned bits.
  return match[1] === '-' ? BigInt.asUintN(64, -value) : value;
}

/** An integer of at most `bits` bits; refused otherwise, as `invalid NAME "TEXT"`. */
export function parseUnsigned(text: string, name: string, bits: number): number {
  const value = parseInteger(text);
  if (value === null || value >> BigInt(bits) !== 0n)
    refuse(`invalid ${name} "${text}"`, text, `an integer from 0 to ${2 ** bits - 1}`);
  return Number(value);
}

/** An integer of at most 64 bits; refused otherwise. */
export function parseUnsigned64(text: string): bigint {
  const value = parseInteger(text);
  if (value === null || value >> 64n !== 0n)
    refuse(`invalid numeric format ${text}`, text, 'an integer of at most 64 bits');
  return value;
}

/** A number as `printf` writes it for `%#x`: `0` for zero, otherwise with `0x`. */
export function formatHex(value: number | bigint): string {
  return value === 0 || value === 0n ? '0' : `0x${value.toString(16)}`;
}

/** The two sides of an arrow. */
export function splitArrow(text: string): { source: string; targetText: string } {
  const arrow = text.indexOf('->');
  if (arrow < 0) refuse(`${text}: missing \`->'`, text, 'VALUE->FIELD');
  const targetText = text.slice(arrow + 2).trim();
  if (targetText === '') refuse(`${text}: missing field name following \`->'`, text, 'VALUE->FIELD');
  return { source: text.slice(0, arrow).trim(), targetText };
}

/** A table number, as `ovs-ofctl` reads it; 255 stands for none in particular. */
export function parseTable(text: string): number {
  if (!/^\d+$/.test(text) || Number(text) > 255) refuse(`unknown table "${text}"`, text, 'a number from 0 to 254');
  return Number(text);
}
