/**
 * Open vSwitch's portable hash (lib/hash.h there: a variant of MurmurHash3, as built without SSE4.2). Its values are
 * visible on the wire, as the UDP source port of tunnels, so they must be exactly these. All numbers are int32.
 */

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** Mixes 32 bits of data into a hash. */
export function hashAdd(hash: number, data: number): number {
  const mixed = Math.imul(data, 0xcc9e2d51);
  const added = hash ^ Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
  return (Math.imul((added << 13) | (added >>> 19), 5) + 0xe6546b64) | 0;
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
  return hashFinish(hashAdd(hashAdd(word, 0), basis), 8);
}

/** Hash of a 64-bit number. */
export function hashUint64(value: bigint): number {
  const low = Number(BigInt.asIntN(32, value));
  return hashFinish(hashAdd(hashAdd(0, low), Number(BigInt.asIntN(32, value >> 32n))), 8);
}

/** Hash of bytes, of which words are taken in the order of a little-endian machine. */
export function hashBytes(bytes: Uint8Array, basis: number): number {
  let hash = basis;
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) hash = hashAdd(hash, wordAt(bytes, at));
  if (at < bytes.length) hash = hashAdd(hash, wordAt(bytes, at));
  return hashFinish(hash, bytes.length);
}

/** Four bytes as a little-endian word; those past the end are 0. */
function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at] | 0 | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

/** Bob Jenkins' lookup3 hash of bytes (lib/jhash.c of Open vSwitch), with words as on a little-endian machine. */
export function jenkinsHash(bytes: Uint8Array, basis: number): number {
  let a = (0xdeadbeef + bytes.length + basis) | 0;
  let b = a;
  let c = a;
  let at = 0;
  while (bytes.length - at >= 12) {
    a = (a + wordAt(bytes, at)) | 0;
    b = (b + wordAt(bytes, at + 4)) | 0;
    c = (c + wordAt(bytes, at + 8)) | 0;
    a = ((a - c) ^ rotateLeft(c, 4)) | 0;
    c = (c + b) | 0;
    b = ((b - a) ^ rotateLeft(a, 6)) | 0;
    a = (a + c) | 0;
    c = ((c - b) ^ rotateLeft(b, 8)) | 0;
    b = (b + a) | 0;
    a = ((a - c) ^ rotateLeft(c, 16)) | 0;
    c = (c + b) | 0;
    b = ((b - a) ^ rotateLeft(a, 19)) | 0;
    a = (a + c) | 0;
    c = ((c - b) ^ rotateLeft(b, 4)) | 0;
    b = (b + a) | 0;
    at += 12;
  }
  if (at === bytes.length) return c;
  a = (a + wordAt(bytes, at)) | 0;
  b = (b + wordAt(bytes, at + 4)) | 0;
  c = (c + wordAt(bytes, at + 8)) | 0;
  c = ((c ^ b) - rotateLeft(b, 14)) | 0;
  a = ((a ^ c) - rotateLeft(c, 11)) | 0;
  b = ((b ^ a) - rotateLeft(a, 25)) | 0;
  c = ((c ^ b) - rotateLeft(b, 16)) | 0;
  a = ((a ^ c) - rotateLeft(c, 4)) | 0;
  b = ((b ^ a) - rotateLeft(a, 14)) | 0;
  return ((c ^ b) - rotateLeft(b, 24)) | 0;
}
