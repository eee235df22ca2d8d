/**
 * Big-endian (network order) integers in a byte array, and bytes as hexadecimal text. Nothing here checks bounds:
 * the `check` function of each protocol has done so before.
 */
import { MegaflowError } from './errors.js';

/** Unsigned 16-bit integer at `offset`. */
export function get16(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] << 8) | bytes[offset + 1];
}

/** Unsigned 24-bit integer at `offset`. */
export function get24(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] << 16) | (bytes[offset + 1] << 8) | bytes[offset + 2];
}

/** Unsigned 32-bit integer at `offset`. */
export function get32(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] << 24) | (bytes[offset + 1] << 16) | (bytes[offset + 2] << 8) | bytes[offset + 3]) >>> 0;
}

/** Unsigned 48-bit integer at `offset`: a MAC address as a number. */
export function get48(bytes: Uint8Array, offset: number): number {
  return get16(bytes, offset) * 0x1_0000_0000 + get32(bytes, offset + 2);
}

export function put16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 8;
  bytes[offset + 1] = value;
}

export function put24(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 16;
  bytes[offset + 1] = value >>> 8;
  bytes[offset + 2] = value;
}

export function put32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 24;
  bytes[offset + 1] = value >>> 16;
  bytes[offset + 2] = value >>> 8;
  bytes[offset + 3] = value;
}

export function put48(bytes: Uint8Array, offset: number, value: number): void {
  put16(bytes, offset, Math.floor(value / 0x1_0000_0000));
  put32(bytes, offset + 2, value % 0x1_0000_0000);
}

/** The two bytes of a 16-bit number exchanged. */
export function swap16(value: number): number {
  return ((value & 0xff) << 8) | ((value >>> 8) & 0xff);
}

/** The four bytes of a 32-bit number reversed; unsigned. */
export function swap32(value: number): number {
  return ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** A byte as two lower-case hexadecimal digits. */
export function formatByte(byte: number): string {
  return HEX[byte];
}

/** Bytes as lower-case hexadecimal text, two digits a byte. */
export function toHex(bytes: Uint8Array, offset = 0, end = bytes.length): string {
  let text = '';
  for (let at = offset; at < end; at++) text += HEX[bytes[at]];
  return text;
}

/** Hexadecimal text (either case, an even number of digits, blanks ignored) as a new byte array; throws `bad-argument`. */
export function fromHex(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, '');
  if (digits.length % 2 !== 0 || /[^0-9a-fA-F]/.test(digits)) {
    throw new MegaflowError(
      'bad-argument',
      `not hexadecimal text: ${text.slice(0, 60)}`,
      text,
      'an even number of hexadecimal digits',
    );
  }
  const bytes = new Uint8Array(digits.length / 2);
  for (let at = 0; at < bytes.length; at++) bytes[at] = parseInt(digits.slice(2 * at, 2 * at + 2), 16);
  return bytes;
}

const NO_BYTES = new Uint8Array(0);

/** The longest copy that a loop makes faster than `slice`, which takes 60 ns at least (bench/NOTES.md). */
const SHORT = 32;

/** A copy of the bytes from `offset` to `end`, as a plain array. Of no bytes it is the same array each time. */
export function copyBytes(bytes: Uint8Array, offset: number, end: number): Uint8Array {
  const length = end - offset;
  if (length <= 0) return NO_BYTES;
  if (length > SHORT) return plainBytes(bytes).slice(offset, end);
  const copy = new Uint8Array(length);
  for (let at = 0; at < length; at++) copy[at] = bytes[offset + at];
  return copy;
}

/**
 * The same bytes, not copied, as a plain array: `slice` of Node's `Buffer` is a view of the original, that of a plain array a copy.
 */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
