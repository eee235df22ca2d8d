// What the classifier and its naive twin are tried with: random masks, rules and keys, and what it means to match.
import { GROUP_WORDS, GROUPS_WORD, KEY_WORDS, sealKey } from '../../src/flow/fields.js';
import type { Random } from './random.js';

/** A seed for this run, unless the environment asks for one; tests put it into their messages. */
export const seed = Number(process.env.MEGAFLOW_TEST_SEED ?? Date.now() % 2 ** 31);

export interface Rule {
  readonly key: Int32Array;
  readonly mask: Int32Array;
}

/** Whether the key that begins at `offset` matches a rule, word by word. */
export function matchesRule({ key, mask }: Rule, keys: Int32Array, offset = 0): boolean {
  for (let word = 0; word < KEY_WORDS; word++) {
    if (word !== GROUPS_WORD && ((key[word] ^ keys[offset + word]) & mask[word]) !== 0) return false;
  }
  return true;
}

/** Words whose values are drawn from few, so that rules overlap and packets hit. */
const narrowWords = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

/** A mask over a few words, sometimes of the tunnel or of wide groups, in whole words, prefixes or single bytes. */
export function randomMask(random: Random): Int32Array {
  const mask = new Int32Array(KEY_WORDS);
  const words = narrowWords.filter(() => random.below(3) === 0);
  if (random.below(4) === 0) words.push(12, 14);
  if (random.below(4) === 0) words.push(...pickGroupWords(random));
  for (const word of words) {
    const kind = random.below(3);
    mask[word] = kind === 0 ? -1 : kind === 1 ? (1 << (8 + random.below(24))) - 1 : 0xff << (8 * random.below(4));
  }
  return mask;
}

function pickGroupWords(random: Random): number[] {
  const [first, count] = GROUP_WORDS[1 + random.below(GROUP_WORDS.length - 1)];
  return [first, first + random.below(count)];
}

/** A sealed key whose words have few values each; a quarter of the keys have a wide group, a quarter tunnel words. */
export function randomKey(random: Random, into: Int32Array = new Int32Array(KEY_WORDS)): Int32Array {
  into.fill(0);
  const value = (): number => Math.imul(1 + random.below(3), 0x01010101) ^ (random.below(8) === 0 ? random.word() : 0);
  for (const word of narrowWords) into[word] = value();
  if (random.below(4) === 0) for (const word of [12, 13, 14, 15]) into[word] = value();
  if (random.below(4) === 0) {
    const [first, count] = GROUP_WORDS[1 + random.below(GROUP_WORDS.length - 1)];
    for (let word = first; word < first + count; word++) into[word] = value();
  }
  sealKey(into);
  return into;
}

/** A hash of a row as extraction would give one, with only `bits` bits so that rows share places in the cache. */
export function hashRow(keys: Int32Array, row: number, bits = 32): number {
  let hash = 0;
  for (let word = 0; word < KEY_WORDS; word++) {
    hash = Math.imul(hash ^ keys[row * KEY_WORDS + word], 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return bits === 32 ? hash : hash & ((1 << bits) - 1);
}
