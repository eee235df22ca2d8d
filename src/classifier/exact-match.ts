/**
 * The exact-match cache: whole keys of packets that came lately, with their megaflows. It is a memory only: it answers a
 * flow for a key it has seen, and what it does not know the tuple space does.
 *
 * An entry of the narrow array is 16 words, one cache line: a key's words 0 to 10 and 12 to 15, with the flow in the
 * place of word 11 (-1: empty). That holds the keys of all packets without IPv6, ND, a second tag and so on. Keys with
 * such groups go into a second array of wide entries, an eighth as many; it is made when the first of them comes, and
 * costs other packets one comparison of word 11.
 *
 * A key has two places, given by two halves of its hash. Words 7 and 8 (ports and source address) of the first say whether
 * to look there or at the second; then fifteen words are compared. There is no branch in this: with 10,000 keys, a
 * quarter of which miss, comparing the first entry, then the second took 75 ns a key, and this takes 46. The price: of two
 * keys with the same hash and the same words 7 and 8, one hides the other. That costs a search in the tuple space, and no
 * wrong answer.
 *
 * Flow numbers are used again, so a removed flow's entries have to go at once. A list through the entries of each flow
 * finds them: no generation to compare in a look-up, no sweep over the cache, 4 bytes a flow and 8 an entry.
 */
import { Group, GROUP_WORDS, GROUPS_WORD, KEY_WORDS } from '../flow/fields.js';
import { MegaflowError } from '../util/errors.js';

export interface ExactMatchOptions {
  /** Narrow entries, a power of two from 64 to 65,536. Default 8192 (Open vSwitch's EM_FLOW_HASH_ENTRIES), 512 KB. */
  entries?: number | undefined;
  /** `maybeInsert` inserts one in so many times; 1 always, 0 never. Default 100 (`emc-insert-inv-prob`). */
  insertInverseProbability?: number | undefined;
  /** Of the generator behind `maybeInsert`, any int32 but 0. Default 1. */
  seed?: number | undefined;
}

export interface ExactMatchCache {
  /**
   * Looks up `count` (at most `BURST`) keys, the one of row `r` from `keys[r * KEY_WORDS]`, with the hash `hashes[r]`.
   * Writes a flow or -1 to `flows[r]` and the rows with -1 to `misses`, and answers how many these are. Words 12 to 15
   * must be zero where word 11 does not name their group. Allocates nothing.
   */
  lookup(keys: Int32Array, hashes: Int32Array, count: number, flows: Int32Array, misses: Int32Array): number;
  /** Looks up one row and writes to `flows[row]`. Answers whether it has a flow. */
  lookupRow(keys: Int32Array, hashes: Int32Array, row: number, flows: Int32Array): boolean;
  /** Remembers that the key of a row belongs to a flow; the hash must be the one it is looked up with. */
  insert(keys: Int32Array, row: number, hash: number, flow: number): void;
  /** Inserts with the probability that was asked for. */
  maybeInsert(keys: Int32Array, row: number, hash: number, flow: number): void;
  /** Drops all entries of a flow. To be called when it is removed. */
  forget(flow: number): void;
  clear(): void;
}

/** Words of a wide entry: a key, and the flow behind it. */
const WIDE_ENTRY_WORDS = 88;
const WIDE_FLOW = KEY_WORDS;
/** Large buffers begin 16 bytes behind a page with glibc; so many words more, and entries are lines (46 ns, else 49). */
const ALIGNING_WORDS = 12;

/** An empty cache. @throws MegaflowError `bad-option` */
export function createExactMatchCache(options: ExactMatchOptions = {}): ExactMatchCache {
  const entryCount = checkEntries(options.entries ?? 8192);
  const wideCount = entryCount >> 3;
  const threshold = checkProbability(options.insertInverseProbability ?? 100);
  let random = options.seed ?? 1;
  if (!Number.isInteger(random) || random === 0 || random !== (random | 0)) {
    throw new MegaflowError('bad-option', `option seed cannot be ${random}`, random, 'a 32-bit integer but 0');
  }

  // Numbers of this function rather than of the module, for the reason that tuple-space.ts gives.
  const keyWords = KEY_WORDS;
  const groupsWord = GROUPS_WORD;
  const wideGroups = ~Group.tunnel;
  const aligning = ALIGNING_WORDS;
  const entryMask = entryCount - 1;
  const wideMask = wideCount - 1;

  const groupStart = Int32Array.from(GROUP_WORDS, ([first]) => first);
  const groupEnd = Int32Array.from(GROUP_WORDS, ([first, count]) => first + count);

  const entries = new Int32Array(ALIGNING_WORDS + entryCount * 16);
  let wideEntries = new Int32Array(0);
  // Lists of a flow's entries. Entry n of the narrow array has the number 1 + n, entry n of the wide one
  // 1 + entryCount + n; 0 ends a list.
  let firstOfFlow = new Int32Array(256);
  const next = new Int32Array(1 + entryCount + wideCount);
  const previous = new Int32Array(1 + entryCount + wideCount);
  const singleMiss = new Int32Array(1);
  empty();

  function lookup(keys: Int32Array, hashes: Int32Array, count: number, flows: Int32Array, misses: Int32Array): number {
    return lookupRows(keys, hashes, 0, count, flows, misses);
  }

  function lookupRow(keys: Int32Array, hashes: Int32Array, row: number, flows: Int32Array): boolean {
    return lookupRows(keys, hashes, row, row + 1, flows, singleMiss) === 0;
  }

  function lookupRows(
    keys: Int32Array, hashes: Int32Array, start: number, end: number, flows: Int32Array, misses: Int32Array,
  ): number {
    let missed = 0;
    for (let row = start; row < end; row++) {
      const key = row * keyWords;
      const hash = hashes[row];
      let flow = -1;
      if ((keys[key + groupsWord] & wideGroups) === 0) {
        // `(n | -n) >> 31` is -1 for all n but 0.
        const one = aligning + ((hash & entryMask) << 4);
        const other = aligning + (((hash >>> 16) & entryMask) << 4);
        const isOther = (entries[one + 7] ^ keys[key + 7]) | (entries[one + 8] ^ keys[key + 8]);
        const entry = one + ((other - one) & ((isOther | (0 - isOther)) >> 31));
        const difference = (entries[entry] ^ keys[key])
          | (entries[entry + 1] ^ keys[key + 1])
          | (entries[entry + 2] ^ keys[key + 2])
          | (entries[entry + 3] ^ keys[key + 3])
          | (entries[entry + 4] ^ keys[key + 4])
          | (entries[entry + 5] ^ keys[key + 5])
          | (entries[entry + 6] ^ keys[key + 6])
          | (entries[entry + 7] ^ keys[key + 7])
          | (entries[entry + 8] ^ keys[key + 8])
          | (entries[entry + 9] ^ keys[key + 9])
          | (entries[entry + 10] ^ keys[key + 10])
          | (entries[entry + 12] ^ keys[key + 12])
          | (entries[entry + 13] ^ keys[key + 13])
          | (entries[entry + 14] ^ keys[key + 14])
          | (entries[entry + 15] ^ keys[key + 15]);
        flow = entries[entry + groupsWord] | ((difference | (0 - difference)) >> 31);
      } else {
        flow = lookupWide(keys, key, hash);
      }
      flows[row] = flow;
      misses[missed] = row;
      missed += flow >>> 31;
    }
    return missed;
  }

  /** Whether the narrow entry that begins at `entry` has the words by which a look-up chooses it. */
  function isChosen(entry: number, keys: Int32Array, key: number): boolean {
    return entries[entry + 7] === keys[key + 7] && entries[entry + 8] === keys[key + 8];
  }

  function lookupWide(keys: Int32Array, key: number, hash: number): number {
    if (wideEntries.length === 0) return -1;
    let entry = (hash & wideMask) * WIDE_ENTRY_WORDS;
    if (holdsWide(entry, keys, key)) return wideEntries[entry + WIDE_FLOW];
    entry = ((hash >>> 16) & wideMask) * WIDE_ENTRY_WORDS;
    return holdsWide(entry, keys, key) ? wideEntries[entry + WIDE_FLOW] : -1;
  }

  /** Whether a wide entry has a key: the first 16 words, among them which groups there are, and these. */
  function holdsWide(entry: number, keys: Int32Array, key: number): boolean {
    for (let word = 0; word < 16; word++) if (wideEntries[entry + word] !== keys[key + word]) return false;
    for (let groups = keys[key + GROUPS_WORD] & ~Group.tunnel; groups !== 0; groups &= groups - 1) {
      const group = 31 - Math.clz32(groups & -groups);
      for (let word = groupStart[group]; word < groupEnd[group]; word++) {
        if (wideEntries[entry + word] !== keys[key + word]) return false;
      }
    }
    return true;
  }

  function insert(keys: Int32Array, row: number, hash: number, flow: number): void {
    const key = row * KEY_WORDS;
    const isWide = (keys[key + GROUPS_WORD] & wideGroups) !== 0;
    if (isWide && wideEntries.length === 0) wideEntries = new Int32Array(wideCount * WIDE_ENTRY_WORDS).fill(-1);
    const base = isWide ? 1 + entryCount : 1;
    const mask = isWide ? wideMask : entryMask;
    const one = base + (hash & mask);
    const other = base + ((hash >>> 16) & mask);
    if (holds(one, keys, key)) release(one);
    if (holds(other, keys, key)) release(other);
    const number = choosePlace(keys, key, one, other);
    release(number);
    const words = isWide ? wideEntries : entries;
    const entry = wordsBefore(number);
    for (let word = 0; word < (isWide ? KEY_WORDS : 16); word++) words[entry + word] = keys[key + word];
    setFlow(number, flow);
    link(number, flow);
  }

  /** Of the two places of a key: the only one where a look-up would see it, else one that is empty, else either. */
  function choosePlace(keys: Int32Array, key: number, one: number, other: number): number {
    if (one <= entryCount && isChosen(wordsBefore(one), keys, key)) return one;
    if (flowOf(one) < 0) return one;
    if (flowOf(other) < 0) return other;
    return draw() < 0 ? one : other;
  }

  /** Whether an entry has the key that begins at `key`. */
  function holds(number: number, keys: Int32Array, key: number): boolean {
    const entry = wordsBefore(number);
    if (number > entryCount) return holdsWide(entry, keys, key);
    for (let word = 0; word < 16; word++) {
      if (word !== GROUPS_WORD && entries[entry + word] !== keys[key + word]) return false;
    }
    return true;
  }

  /** Empties an entry. */
  function release(number: number): void {
    if (flowOf(number) < 0) return;
    unlink(number);
    setFlow(number, -1);
  }

  function maybeInsert(keys: Int32Array, row: number, hash: number, flow: number): void {
    if (draw() >>> 0 < threshold) insert(keys, row, hash, flow);
  }

  /** The next number of Marsaglia's xorshift generator, an int32 but 0. */
  function draw(): number {
    random ^= random << 13;
    random ^= random >>> 17;
    random ^= random << 5;
    return random;
  }

  function forget(flow: number): void {
    if (flow >= firstOfFlow.length) return;
    for (let number = firstOfFlow[flow]; number !== 0; number = next[number]) setFlow(number, -1);
    firstOfFlow[flow] = 0;
  }

  /** Where in its array an entry begins. */
  function wordsBefore(number: number): number {
    return number <= entryCount ? aligning + (number - 1) * 16 : (number - 1 - entryCount) * WIDE_ENTRY_WORDS;
  }

  function flowOf(number: number): number {
    const entry = wordsBefore(number);
    return number <= entryCount ? entries[entry + GROUPS_WORD] : wideEntries[entry + WIDE_FLOW];
  }

  function setFlow(number: number, flow: number): void {
    if (number <= entryCount) entries[wordsBefore(number) + GROUPS_WORD] = flow;
    else wideEntries[wordsBefore(number) + WIDE_FLOW] = flow;
  }

  function link(number: number, flow: number): void {
    if (flow >= firstOfFlow.length) {
      const larger = new Int32Array(Math.max(flow + 1, firstOfFlow.length * 2));
      larger.set(firstOfFlow);
      firstOfFlow = larger;
    }
    const head = firstOfFlow[flow];
    next[number] = head;
    previous[number] = 0;
    if (head !== 0) previous[head] = number;
    firstOfFlow[flow] = number;
  }

  function unlink(number: number): void {
    const before = previous[number];
    const after = next[number];
    if (after !== 0) previous[after] = before;
    if (before !== 0) next[before] = after;
    else firstOfFlow[flowOf(number)] = after;
  }

  function empty(): void {
    for (let entry = aligning; entry < entries.length; entry += 16) entries[entry + GROUPS_WORD] = -1;
    wideEntries = new Int32Array(0);
    firstOfFlow = new Int32Array(256);
  }

  return { lookup, lookupRow, insert, maybeInsert, forget, clear: empty };
}

function checkEntries(entries: number): number {
  if (Number.isInteger(entries) && entries >= 64 && entries <= 65536 && (entries & (entries - 1)) === 0) return entries;
  throw new MegaflowError('bad-option', `option entries cannot be ${entries}`, entries, 'a power of two from 64 to 65536');
}

/** What a draw of 32 bits must be below. */
function checkProbability(inverse: number): number {
  if (Number.isInteger(inverse) && inverse >= 0 && inverse < 2 ** 32) return inverse === 0 ? 0 : 2 ** 32 / inverse;
  const allowed = 'a whole number from 0 to 4294967295';
  throw new MegaflowError('bad-option', `option insertInverseProbability cannot be ${inverse}`, inverse, allowed);
}
