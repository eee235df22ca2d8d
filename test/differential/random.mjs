// @ts-check
// A source of random choices that a text seeds: the same text, the same choices, on every machine. Not for secrets.

/**
 * @typedef {object} Random
 * @property {(bound: number) => number} below an integer from 0 to bound - 1
 * @property {(low: number, high: number) => number} between an integer from low to high, both included
 * @property {(probability: number) => boolean} chance true so often
 * @property {<T>(list: readonly T[]) => T} pick one of a list
 * @property {<T>(list: ReadonlyArray<readonly [number, T]>) => T} weigh one of a list, by weight
 * @property {<T>(list: readonly T[], count: number) => T[]} some so many of a list, in its order
 * @property {<T>(list: readonly T[]) => T[]} shuffle the list in another order
 * @property {(length: number) => number[]} bytes so many bytes
 */

/**
 * @param {string} seed
 * @returns {Random}
 */
export function createRandom(seed) {
  // FNV-1a over the text, four times with another start, gives the state; the generator is sfc32 (Chris Doty-Humphrey).
  /** @param {number} start */
  const hash = (start) => {
    let h = start >>> 0;
    for (let i = 0; i < seed.length; i++) h = Math.imul(h ^ seed.charCodeAt(i), 0x01000193) >>> 0;
    return h;
  };
  let a = hash(0x811c9dc5);
  let b = hash(0x9e3779b9);
  let c = hash(0x243f6a88);
  let counter = 1;
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    return (sum >>> 0) / 0x100000000;
  };
  for (let i = 0; i < 16; i++) next();

  /** @type {Random} */
  const random = {
    below: (bound) => Math.floor(next() * bound),
    between: (low, high) => low + Math.floor(next() * (high - low + 1)),
    chance: (probability) => next() < probability,
    pick: (list) => list[Math.floor(next() * list.length)],
    weigh: (list) => {
      let at = next() * list.reduce((sum, [weight]) => sum + weight, 0);
      for (const [weight, value] of list) if ((at -= weight) < 0) return value;
      return list[list.length - 1][1];
    },
    some: (list, count) => {
      const order = random
        .shuffle(list.map((_, i) => i))
        .slice(0, count)
        .sort((x, y) => x - y);
      return order.map((i) => list[i]);
    },
    shuffle: (list) => {
      const out = [...list];
      for (let i = out.length - 1; i > 0; i--) {
        const j = Math.floor(next() * (i + 1));
        [out[i], out[j]] = [out[j], out[i]];
      }
      return out;
    },
    bytes: (length) => Array.from({ length }, () => Math.floor(next() * 256)),
  };
  return random;
}
