/**
 * The Internet checksum (RFC 1071): one's complement sum of 16-bit big-endian words, and its incremental update
 * (RFC 1624). The loops work on bytes and any alignment; the fast path has word-wise sums of its own where it
 * knows the alignment.
 */

/** Folds a sum of 16-bit words (below 2^53) into 16 bits. */
export function fold(sum: number): number {
  while (sum > 0xffff_ffff) sum = (sum % 0x1_0000_0000) + Math.floor(sum / 0x1_0000_0000);
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  return (sum & 0xffff) + (sum >>> 16);
}

/** The sum of the 16-bit words from `offset` to `end` (an odd last byte is padded with zero), added to `initial`. Not folded. */
export function sum16(bytes: Uint8Array, offset: number, end: number, initial = 0): number {
  let sum = initial;
  const even = offset + ((end - offset) & ~1);
  for (let at = offset; at < even; at += 2) sum += (bytes[at] << 8) | bytes[at + 1];
  if (even < end) sum += bytes[even] << 8;
  return sum;
}

/** The checksum to store for the words from `offset` to `end`; 0 when they contain a right checksum already. */
export function checksum(bytes: Uint8Array, offset: number, end: number, initial = 0): number {
  return ~fold(sum16(bytes, offset, end, initial)) & 0xffff;
}

/** The checksum after one 16-bit word has changed from `before` to `after` (RFC 1624, equation 3). */
export function updateChecksum16(old: number, before: number, after: number): number {
  return ~fold((~old & 0xffff) + (~before & 0xffff) + after) & 0xffff;
}

/** The checksum after one 32-bit word has changed. */
export function updateChecksum32(old: number, before: number, after: number): number {
  return updateChecksum16(updateChecksum16(old, before >>> 16, after >>> 16), before & 0xffff, after & 0xffff);
}
