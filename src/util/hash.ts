/**
 * Open vSwitch's portable hash (lib/hash.h there: a variant of MurmurHash3, as built without SSE4.2). Its values are
 * visible on the wire, as the UDP source port of tunnels, so they must be exactly these. All numbers are int32.
 */

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** Mixes 32 bits of data into a hash. */
export function hashAdd(hash: number, data: number): number {
  let mixed = Math.imul(data, 0xcc9e2d51);
  mixed = rotateLeft(mixed, 15);
  mixed = Math.imul(mixed, 0x1b873593);
  return (Math.imul(rotateLeft(hash ^ mixed, 13), 5) + 0xe6546b64) | 0;
}

/** Finishes a hash; `final` is the number of bytes hashed, or what the caller takes for it. */
export function hashFinish(hash: number, final: number): number {
  let h = hash ^ final;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Hash of one 32-bit word with a basis. */
export function hashInt(word: number, basis: number): number {
  return hashFinish(hashAdd(basis, word), 4);
}
