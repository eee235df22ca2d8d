/**
 * What every `write` of this room asks before it writes: does the value fit its field, and the header its buffer. A
 * typed array would cut the one and ignore the other without a word. Not for the fast path, and not exported.
 */
import { MegaflowError } from '../util/errors.js';

/** `value`, when it is an unsigned whole number of at most `bits` bits; throws `out-of-range`. */
export function field(name: string, value: number, bits: number): number {
  const most = 2 ** bits - 1;
  if (!Number.isInteger(value) || value < 0 || value > most) {
    throw new MegaflowError('out-of-range', `${name} cannot be ${value}`, value, `a whole number from 0 to ${most}`);
  }
  return value;
}

/** Makes sure that `length` bytes from `offset` lie within `bytes`; throws `out-of-range`. */
export function room(name: string, bytes: Uint8Array, offset: number, length: number): void {
  if (!Number.isInteger(offset) || offset < 0 || offset + length > bytes.length) {
    const allowed = `an offset that leaves ${length} of ${bytes.length} bytes`;
    throw new MegaflowError('out-of-range', `no room for ${name} at ${offset}`, offset, allowed);
  }
}

/** Makes sure that a part of variable length ends where its header can say so; throws `out-of-range`. */
export function unit(name: string, length: number, multiple: number, most: number): number {
  if (length % multiple !== 0 || length > most) {
    const allowed = `a multiple of ${multiple} up to ${most}`;
    throw new MegaflowError('out-of-range', `${name} cannot be ${length} bytes long`, length, allowed);
  }
  return length;
}
