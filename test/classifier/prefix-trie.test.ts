// The trie against a list of prefixes: which lengths match, and that the bits it says are needed do decide it.
import { describe, expect, it } from 'vitest';
import { createPrefixTrie, prefixMask } from '../../src/classifier/prefix-trie.js';
import { createRandom } from './random.js';

/** The first `length` bits of a value as text. */
function bitsOf(value: ArrayLike<number>, length: number): string {
  return Array.from(value, (word) => (word >>> 0).toString(2).padStart(32, '0'))
    .join('')
    .slice(0, length);
}

function lengthsIn(bits: Int32Array): number[] {
  return Array.from({ length: bits.length * 32 }, (_, index) => index + 1).filter(
    (length) => (bits[(length - 1) >>> 5] >>> ((length - 1) & 31)) & 1,
  );
}

describe('prefixMask', () => {
  it('has its ones at the top', () => {
    expect([0, 1, 24, 32].map((bits) => prefixMask(bits) >>> 0)).toEqual([0, 0x80000000, 0xffffff00, 0xffffffff]);
  });
});

describe('prefix trie', () => {
  // Worked out on paper from the definition: how many leading bits tell the value from every prefix that it has not.
  it('needs no bit when it is empty', () => {
    const lengths = new Int32Array(1);
    expect(createPrefixTrie().lookup([0x0a000001], 32, lengths)).toBe(0);
    expect(lengthsIn(lengths)).toEqual([]);
  });

  it('needs the bits up to the first that differs', () => {
    const trie = createPrefixTrie();
    trie.insert([0x0a000000], 8); // 00001010
    const lengths = new Int32Array(1);
    expect(trie.lookup([0x0a636363], 32, lengths)).toBe(8);
    expect(lengthsIn(lengths)).toEqual([8]);
    lengths.fill(0);
    expect(trie.lookup([0x0b000000], 32, lengths)).toBe(8); // 00001011 differs in the eighth
    expect(trie.lookup([0xc0a80000], 32, lengths)).toBe(1);
    expect(lengthsIn(lengths)).toEqual([]);
  });

  it('needs one bit more where a longer prefix lies behind the one that matches', () => {
    const trie = createPrefixTrie();
    trie.insert([0x0a000000], 8);
    trie.insert([0x0a800000], 9);
    const lengths = new Int32Array(1);
    expect(trie.lookup([0x0a000001], 32, lengths)).toBe(9);
    expect(lengthsIn(lengths)).toEqual([8]);
    lengths.fill(0);
    expect(trie.lookup([0x0a800001], 32, lengths)).toBe(9);
    expect(lengthsIn(lengths)).toEqual([8, 9]);
  });

  it('keeps what was inserted twice until it was removed twice', () => {
    const trie = createPrefixTrie();
    trie.insert([0x0a000000], 8);
    trie.insert([0x0a000000], 8);
    trie.remove([0x0a000000], 8);
    expect(trie.isEmpty).toBe(false);
    trie.remove([0x0a000000], 8);
    expect(trie.isEmpty).toBe(true);
  });

  it.each([
    [1, 32],
    [2, 128],
  ])('agrees with a list of prefixes, seed %i, %i bits', (seed, width) => {
    const random = createRandom(seed);
    const words = width / 32;
    // Few values, so that prefixes nest and share beginnings; the last bits of words vary too.
    const value = (): number[] =>
      Array.from({ length: words }, () => random.pick([0, -1, 0x0a000000, 0x0a000001, 0x0a800000, random.word()]));
    const trie = createPrefixTrie();
    const list: { value: number[]; length: number }[] = [];
    for (let round = 0; round < 300; round++) {
      if (list.length === 0 || random.below(5) < (round < 200 ? 3 : 1)) {
        const prefix = { value: value(), length: 1 + random.below(width) };
        list.push(prefix);
        trie.insert(prefix.value, prefix.length);
      } else {
        const [prefix] = list.splice(random.below(list.length), 1);
        trie.remove(prefix.value, prefix.length);
      }
      const fresh = createPrefixTrie();
      for (const prefix of list) fresh.insert(prefix.value, prefix.length);
      for (let probe = 0; probe < 5; probe++) {
        const asked = list.length > 0 && random.below(2) === 0 ? random.pick(list).value : value();
        const lengths = new Int32Array(words);
        const needed = trie.lookup(asked, width, lengths);
        const matching = (other: readonly number[]): number[] =>
          [
            ...new Set(
              list
                .filter((prefix) => bitsOf(prefix.value, prefix.length) === bitsOf(other, prefix.length))
                .map((prefix) => prefix.length),
            ),
          ].sort((a, b) => a - b);
        expect(lengthsIn(lengths)).toEqual(matching(asked));
        expect(fresh.lookup(asked, width, null)).toBe(needed);
        // Bits behind the needed ones change nothing about the lengths up to them, and none beyond them match.
        const changed = asked.map((word, index) => {
          const kept = prefixMask(Math.min(32, Math.max(0, needed - 32 * index)));
          return (word & kept) | (random.word() & ~kept);
        });
        expect(matching(changed).filter((length) => length <= needed)).toEqual(lengthsIn(lengths));
      }
    }
    for (const prefix of list) trie.remove(prefix.value, prefix.length);
    expect(trie.isEmpty).toBe(true);
  });
});
