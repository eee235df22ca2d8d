// The exact-match cache: what it may answer, which is only what it was told and not told to forget.
import { describe, expect, it } from 'vitest';
import { createExactMatchCache, type ExactMatchCache } from '../../src/classifier/exact-match.js';
import { KEY_WORDS, sealKey } from '../../src/flow/fields.js';
import { createRandom } from './random.js';
import { hashRow, randomKey, seed } from './twin.js';

/** Rows of keys with their hashes. */
function rowsOf(keys: readonly Int32Array[], hashBits = 32): { keys: Int32Array; hashes: Int32Array } {
  const rows = new Int32Array(keys.length * KEY_WORDS);
  keys.forEach((key, row) => rows.set(key, row * KEY_WORDS));
  return { keys: rows, hashes: Int32Array.from(keys, (_, row) => hashRow(rows, row, hashBits)) };
}

function keyWith(words: Record<number, number>): Int32Array {
  const key = new Int32Array(KEY_WORDS);
  for (const [word, value] of Object.entries(words)) key[Number(word)] = value;
  sealKey(key);
  return key;
}

/** The answers for the first rows. */
function lookup(cache: ExactMatchCache, keys: Int32Array, hashes: Int32Array, count = hashes.length): number[] {
  return Array.from({ length: count }, (_, row) => cache.lookup(keys, row, hashes[row]));
}

/** The answer for one row. */
function lookupRow(cache: ExactMatchCache, keys: Int32Array, row: number, hash: number): number {
  return cache.lookup(keys, row, hash);
}

describe('the exact-match cache', () => {
  const narrow = keyWith({ 0: 1, 5: 8, 8: 0x0100000a, 9: 0x0200000a });
  const tunnelled = keyWith({ 0: 1, 5: 8, 8: 0x0100000a, 9: 0x0200000a, 12: 1, 13: 2, 14: 3, 15: 4 });
  const ipv6 = keyWith({ 0: 1, 5: 0xdd86, 30: 5, 37: 6 });
  const wideTunnel = keyWith({ 0: 1, 5: 8, 8: 0x0100000a, 9: 0x0200000a, 12: 1, 13: 2, 14: 3, 15: 4, 17: 9 });

  it('answers -1 for all, then what it was told', () => {
    const cache = createExactMatchCache();
    const ones = new Int32Array(KEY_WORDS).fill(-1);
    sealKey(ones);
    const { keys, hashes } = rowsOf([new Int32Array(KEY_WORDS), narrow, tunnelled, ipv6, wideTunnel, ones]);
    expect(lookup(cache, keys, hashes)).toEqual([-1, -1, -1, -1, -1, -1]);
    [0, 2, 3].forEach((row) => cache.insert(keys, row, hashes[row], row * 10, 1));
    expect(lookup(cache, keys, hashes)).toEqual([0, -1, 20, 30, -1, -1]);
    [1, 4, 5].forEach((row) => cache.insert(keys, row, hashes[row], row * 10, 1));
    expect(lookup(cache, keys, hashes)).toEqual([0, 10, 20, 30, 40, 50]);
    cache.insert(keys, 1, hashes[1], 11, 1);
    expect(lookup(cache, keys, hashes)).toEqual([0, 11, 20, 30, 40, 50]);
  });

  it('compares every word of a key', () => {
    for (const key of [narrow, tunnelled, ipv6, wideTunnel]) {
      const variants = [key];
      for (let word = 0; word < KEY_WORDS; word++) {
        if (word === 11) continue;
        const variant = key.slice();
        variant[word] ^= 1 << 31;
        sealKey(variant);
        variants.push(variant);
      }
      const cache = createExactMatchCache();
      const { keys } = rowsOf(variants);
      // One hash for all, the worst there is.
      cache.insert(keys, 0, 5, 3, 1);
      variants.forEach((_, row) => expect(lookupRow(cache, keys, row, 5)).toBe(row === 0 ? 3 : -1));
    }
  });

  it('keeps two keys with one hash, and the later of three', () => {
    const cache = createExactMatchCache();
    const { keys } = rowsOf([1, 2, 3].map((port) => keyWith({ 8: port })));
    const hashes = Int32Array.of(0x00050006, 0x00050006, 0x00050006);
    cache.insert(keys, 0, hashes[0], 1, 1);
    cache.insert(keys, 1, hashes[1], 2, 1);
    expect(lookup(cache, keys, hashes)).toEqual([1, 2, -1]);
    cache.insert(keys, 2, hashes[2], 3, 1);
    const answers = lookup(cache, keys, hashes);
    expect(answers[2]).toBe(3);
    expect(answers.filter((flow) => flow < 0).length).toBe(1);
  });

  it('lets a key hide another with the same hash, ports and source', () => {
    const cache = createExactMatchCache();
    const { keys } = rowsOf([1, 2].map((port) => keyWith({ 0: port, 8: 5 })));
    const hashes = Int32Array.of(0x00050006, 0x00050006);
    cache.insert(keys, 0, hashes[0], 1, 1);
    expect(lookup(cache, keys, hashes)).toEqual([1, -1]);
    cache.insert(keys, 1, hashes[1], 2, 1);
    expect(lookup(cache, keys, hashes)).toEqual([-1, 2]);
    cache.forget(2);
    expect(lookup(cache, keys, hashes)).toEqual([-1, -1]);
  });

  it('forgets a flow with all its keys and no other, whatever was written over', () => {
    const random = createRandom(seed);
    const cache = createExactMatchCache({ entries: 64, seed: 9 });
    const known = new Map<string, number>();
    const live = new Set<number>();
    const pool = Array.from({ length: 300 }, () => randomKey(random));
    let hits = 0;
    for (let round = 0; round < 20_000; round++) {
      const key = pool[random.below(pool.length)];
      const hash = hashRow(key, 0);
      const name = key.join();
      const action = random.below(8);
      if (action < 3) {
        // A key that moves to another flow, as after a change of the rules, is told anew.
        const flow = random.below(600);
        cache.insert(key, 0, hash, flow, 1);
        known.set(name, flow);
        live.add(flow);
      } else if (action === 3 && random.below(4) === 0) {
        const flow = random.below(600);
        cache.forget(flow);
        live.delete(flow);
        for (const [other, its] of known) if (its === flow) known.delete(other);
      } else {
        const flow = lookupRow(cache, key, 0, hash);
        if (flow >= 0) {
          hits++;
          if (known.get(name) !== flow || !live.has(flow)) throw new Error(`seed ${seed}: flow ${flow} for ${name}`);
        }
      }
    }
    expect(hits).toBeGreaterThan(1000);
    for (const flow of live) cache.forget(flow);
    pool.forEach((key) => expect(lookupRow(cache, key, 0, hashRow(key, 0))).toBe(-1));
  });

  it('is empty after clear, and works on', () => {
    const cache = createExactMatchCache();
    const { keys, hashes } = rowsOf([narrow, ipv6]);
    cache.insert(keys, 0, hashes[0], 5, 1);
    cache.insert(keys, 1, hashes[1], 5, 1);
    cache.clear();
    expect(lookup(cache, keys, hashes)).toEqual([-1, -1]);
    cache.forget(5);
    cache.insert(keys, 1, hashes[1], 6, 1);
    cache.insert(keys, 0, hashes[0], 5, 1);
    cache.forget(5);
    expect(lookup(cache, keys, hashes)).toEqual([-1, 6]);
  });

  it('inserts one in so many, the same ones for the same seed', () => {
    const inserted = (insertInverseProbability: number | undefined, its: number): number[] => {
      const cache = createExactMatchCache({ insertInverseProbability, seed: its });
      const keys = Array.from({ length: 4000 }, (_, index) => keyWith({ 8: index }));
      return keys.flatMap((key, index) => {
        if (!cache.isChosen()) return [];
        cache.insert(key, 0, hashRow(key, 0), index, 1);
        return lookupRow(cache, key, 0, hashRow(key, 0)) >= 0 ? [index] : [];
      });
    };
    expect(inserted(1, 1).length).toBe(4000);
    expect(inserted(0, 1).length).toBe(0);
    const usual = inserted(undefined, 1);
    expect(usual.length).toBeGreaterThan(20);
    expect(usual.length).toBeLessThan(70);
    expect(inserted(100, 1)).toEqual(usual);
    expect(inserted(100, 2)).not.toEqual(usual);
  });

  it('chooses the same keys, one by one or passing over bursts of them', () => {
    const chosen = (bursts: boolean): number[] => {
      const cache = createExactMatchCache({ seed: 3 });
      return Array.from({ length: 500 }, (_, burst) => burst * 32).flatMap((first) => {
        if (bursts && cache.passOver(32)) return [];
        return Array.from({ length: 32 }, (_, index) => first + index).filter(() => cache.isChosen());
      });
    };
    expect(chosen(false).length).toBeGreaterThan(100);
    expect(chosen(true)).toEqual(chosen(false));
  });

  it('refuses options that make no sense', () => {
    for (const entries of [0, 32, 100, 1.5, 131072, NaN]) {
      expect(() => createExactMatchCache({ entries })).toThrow(
        expect.objectContaining({ code: 'bad-option', value: entries }),
      );
    }
    for (const insertInverseProbability of [-1, 0.5, 2 ** 32, NaN]) {
      expect(() => createExactMatchCache({ insertInverseProbability })).toThrow(
        expect.objectContaining({ code: 'bad-option' }),
      );
    }
    for (const its of [0, 2 ** 31, 1.5]) {
      expect(() => createExactMatchCache({ seed: its })).toThrow(
        expect.objectContaining({ code: 'bad-option', value: its }),
      );
    }
  });
});
