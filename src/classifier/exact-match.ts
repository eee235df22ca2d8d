/**
 * The exact-match cache: whole keys of packets that came lately, with their megaflows. It is a memory only: it answers a
 * flow for a key it has seen, and what it does not know the tuple space does.
 *
 * Its narrow entries are `KnownKeys` (flow/key-rows.ts), which extraction asks by itself while it has the words at hand:
 * here they are written. Keys with IPv6, ND, a second tag and so on go into a second array of wide entries, an eighth as
 * many; it is made when the first of them comes.
 *
 * Flow numbers are used again, so a removed flow's entries have to go at once. A list through the entries of each flow
 * finds them: no generation to compare in a look-up, no sweep over the cache, 4 bytes a flow and 8 an entry.
 */
import { Group, GROUP_WORDS, GROUPS_WORD, KEY_WORDS } from '../flow/fields.js';
import { ALIGNING_WORDS, ENTRY_WORDS, createKnownKeys, type KnownKeys } from '../flow/key-rows.js';
import { MegaflowError } from '../util/errors.js';

export interface ExactMatchOptions {
  /** Narrow entries, a power of two from 64 to 65,536. Default 8192 (Open vSwitch's EM_FLOW_HASH_ENTRIES), 512 KB. */
  entries?: number | undefined;
  /** One in so many keys is chosen to be inserted; 1 always, 0 never. Default 100 (`emc-insert-inv-prob`). */
  insertInverseProbability?: number | undefined;
  /** Of the generator that chooses, any int32 but 0. Default 1. */
  seed?: number | undefined;
}

export interface ExactMatchCache {
  /** What extraction asks. */
  readonly known: KnownKeys;
  /** The flow of the key in a row of `keys`, or -1. Words 12 to 15 must be zero where word 11 does not name their group. */
  lookup(keys: Int32Array, row: number, hash: number): number;
  /** Remembers that the key of a row belongs to a flow; the hash must be the one it is looked up with. */
  insert(keys: Int32Array, row: number, hash: number, flow: number, tupleHash: number): void;
  /** Whether none of the next `count` keys is to be inserted; then they count as offered. */
  passOver(count: number): boolean;
  /** Whether the next key is to be inserted, with the probability that was asked for. */
  isChosen(): boolean;
  /** Drops all entries of a flow. To be called when it is removed. */
  forget(flow: number): void;
  clear(): void;
}

/** Words of a wide entry: a key, and the flow behind it. */
const WIDE_ENTRY_WORDS = 88;
const WIDE_FLOW = KEY_WORDS;

/** An empty cache. @throws MegaflowError `bad-option` */
export function createExactMatchCache(options: ExactMatchOptions = {}): ExactMatchCache {
  const entryCount = checkEntries(options.entries ?? 8192);
  const wideCount = entryCount >> 3;
  const inverse = checkProbability(options.insertInverseProbability ?? 100);
  let random = options.seed ?? 1;
  if (!Number.isInteger(random) || random === 0 || random !== (random | 0)) {
    throw new MegaflowError('bad-option', `option seed cannot be ${random}`, random, 'a 32-bit integer but 0');
  }

  const wideGroups = ~Group.tunnel;
  const entryMask = entryCount - 1;
  const wideMask = wideCount - 1;

  const groupStart = Int32Array.from(GROUP_WORDS, ([first]) => first);
  const groupEnd = Int32Array.from(GROUP_WORDS, ([first, count]) => first + count);

  const known = createKnownKeys(entryCount);
  const { entries } = known;
  let wideEntries = new Int32Array(0);
  // Lists of a flow's entries. Entry n of the narrow array has the number 1 + n, entry n of the wide one
  // 1 + entryCount + n; 0 ends a list.
  let firstOfFlow = new Int32Array(256);
  let untilInsert = drawGap();
  const next = new Int32Array(1 + entryCount + wideCount);
  const previous = new Int32Array(1 + entryCount + wideCount);

  function lookup(keys: Int32Array, row: number, hash: number): number {
    const key = row * KEY_WORDS;
    if ((keys[key + GROUPS_WORD] & wideGroups) !== 0) return lookupWide(keys, key, hash);
    const one = 1 + (hash & entryMask);
    const number = isLookedAt(wordsBefore(one), keys, key) ? one : 1 + ((hash >>> 16) & entryMask);
    return holds(number, keys, key) ? flowOf(number) : -1;
  }

  /** Whether the narrow entry that begins at `entry` has the words by which a look-up takes it. */
  function isLookedAt(entry: number, keys: Int32Array, key: number): boolean {
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

  function insert(keys: Int32Array, row: number, hash: number, flow: number, tupleHash: number): void {
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
    if (!isWide) known.tupleHashes[number - 1] = tupleHash;
    setFlow(number, flow, keys[key + GROUPS_WORD]);
    link(number, flow);
  }

  /** Of the two places of a key: the only one where a look-up would see it, else one that is empty, else either. */
  function choosePlace(keys: Int32Array, key: number, one: number, other: number): number {
    if (one <= entryCount && isLookedAt(wordsBefore(one), keys, key)) return one;
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
    setFlow(number, -1, 1);
  }

  function isChosen(): boolean {
    if (--untilInsert > 0) return false;
    untilInsert = drawGap();
    return true;
  }

  function passOver(count: number): boolean {
    if (count >= untilInsert) return false;
    untilInsert -= count;
    return true;
  }

  /** How many keys until the next that is inserted, if each is with the probability: one number drawn for all of them. */
  function drawGap(): number {
    if (inverse === 0) return Infinity;
    return 1 + Math.floor(Math.log1p(-(draw() >>> 0) / 2 ** 32) / Math.log1p(-1 / inverse));
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
    for (let number = firstOfFlow[flow]; number !== 0; number = next[number]) setFlow(number, -1, 1);
    firstOfFlow[flow] = 0;
  }

  /** Where in its array an entry begins. */
  function wordsBefore(number: number): number {
    return number <= entryCount
      ? ALIGNING_WORDS + (number - 1) * ENTRY_WORDS
      : (number - 1 - entryCount) * WIDE_ENTRY_WORDS;
  }

  function flowOf(number: number): number {
    const entry = wordsBefore(number);
    return number <= entryCount ? entries[entry + GROUPS_WORD] >> 1 : wideEntries[entry + WIDE_FLOW];
  }

  function setFlow(number: number, flow: number, groups: number): void {
    if (number <= entryCount) entries[wordsBefore(number) + GROUPS_WORD] = (flow << 1) | (groups & Group.tunnel);
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
    for (let number = 1; number <= entryCount; number++) setFlow(number, -1, 1);
    wideEntries = new Int32Array(0);
    firstOfFlow = new Int32Array(256);
  }

  return { known, lookup, insert, passOver, isChosen, forget, clear: empty };
}

function checkEntries(entries: number): number {
  if (Number.isInteger(entries) && entries >= 64 && entries <= 65536 && (entries & (entries - 1)) === 0) return entries;
  throw new MegaflowError(
    'bad-option',
    `option entries cannot be ${entries}`,
    entries,
    'a power of two from 64 to 65536',
  );
}

function checkProbability(inverse: number): number {
  if (Number.isInteger(inverse) && inverse >= 0 && inverse < 2 ** 32) return inverse;
  const allowed = 'a whole number from 0 to 4294967295';
  throw new MegaflowError('bad-option', `option insertInverseProbability cannot be ${inverse}`, inverse, allowed);
}
