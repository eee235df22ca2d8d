/**
 * The megaflows that share one mask: a hash table from the masked key to the flow number, and before it a filter that
 * says for most keys that they are not in the table. tuple-space.ts searches many subtables at once; here is one.
 *
 * The hash of a masked key is a sum over its words, so that subtables whose masks agree in some words can share these
 * words' part of the sum (2 ns a word and packet). Within a word nothing need be linear, and it must not be: a factor
 * alone moves bits up only, and the octets that differ most between addresses are the top bytes of their words, so all
 * pairs of hosts of two /24 networks would share 256 sums. Folding the upper half onto the lower first cures it.
 *
 * The table is open addressing with pairs (hash, flow number + 1; 0 is empty), at most half full; removal moves the
 * following entries back, so nothing is left behind there. The filter has 16 to 32 bits a flow: a 32-bit word picked by
 * the top bits of the hash, and in it two bits picked by the next ten. A key that is not there passes once in 40 to 130
 * times by calculation (with one bit: once in 16 to 32). Bits of removed flows stay, until as many flows have been
 * removed as a quarter of the table has entries; then the filter is filled anew, or both are made smaller.
 */
import { GROUP_WORDS, GROUPS_WORD, KEY_WORDS } from '../flow/fields.js';
import { hashFinish } from '../util/hash.js';
import { ROW_WORDS, WIDE_WORDS, type FlowStore } from './flow-store.js';

/** An odd factor for each word of a key. */
export const FACTORS = Int32Array.from({ length: KEY_WORDS }, (_, word) => hashFinish(0x6d65_6761, word + 1) | 1);

/** What a masked word of a key adds to the hash. */
export function hashWord(word: number, maskedValue: number): number {
  return Math.imul(maskedValue ^ (maskedValue >>> 16), FACTORS[word]);
}

/** Bits of the hash that pick two bits of a filter's word; the word is picked by those above. */
const FILTER_BIT_BITS = 10;
const LEAST_CAPACITY = 8;
/** Entries of the table, half of them full at most, that share a word of the filter. */
const ENTRIES_A_FILTER_WORD = 4;
const MOST_FILTER_WORDS = 1 << 22;

export interface Subtable {
  /** Index among the subtables of its tuple space. */
  readonly number: number;
  /** `KEY_WORDS` words, word 11 zero. */
  readonly mask: Int32Array;
  readonly maskHash: number;
  /** The words that the mask looks at, ascending, and its bits there. */
  readonly words: Int32Array;
  readonly bits: Int32Array;
  /** `Group` bits of the groups that the mask looks at. */
  readonly groups: number;
  /** Pairs of hash and flow number + 1; the length is a power of two. */
  table: Int32Array;
  /** A view of its rank's filters once there is one (rank.ts). */
  filter: Int32Array;
  /** `hash >>> filterShift` is the number of the filter's word and the ten bits that pick two bits in it. */
  filterShift: number;
  count: number;
  /** Flows that were removed since the filter was made. */
  stale: number;
  /** Groups in which every flow here wants some bit set: packets without these groups cannot match (an upper bound). */
  required: number;
  /** Look-ups that ended here since `sort()`, fading. */
  hits: number;
}

/** A hash of a mask without word 11; its last seven bits are the number of words that are not zero. */
export function hashMask(mask: Int32Array): number {
  const factors = FACTORS;
  let hash = 0;
  let count = 0;
  for (let word = 0; word < KEY_WORDS; word++) {
    const bits = mask[word];
    if (bits === 0 || word === GROUPS_WORD) continue;
    hash = (hash + Math.imul(bits ^ (bits >>> 16), factors[word])) | 0;
    count++;
  }
  return (hash & ~127) | count;
}

/** Whether a subtable's mask is `mask` without word 11; thanks to the hash, which counts them, few words are compared. */
export function hasMask(subtable: Subtable, mask: Int32Array, maskHash: number): boolean {
  const { words, bits } = subtable;
  if (subtable.maskHash !== maskHash) return false;
  for (let index = 0; index < words.length; index++) if (mask[words[index]] !== bits[index]) return false;
  return true;
}

/** An empty subtable for a mask, which is copied. */
export function createSubtable(number: number, mask: Int32Array): Subtable {
  const copy = mask.slice(0, KEY_WORDS);
  copy[GROUPS_WORD] = 0;
  const words = Int32Array.from(copy.keys()).filter((word) => copy[word] !== 0);
  return {
    number,
    mask: copy,
    maskHash: hashMask(copy),
    words,
    bits: words.map((word) => copy[word]),
    groups: groupsOf(copy, copy),
    table: new Int32Array(2 * LEAST_CAPACITY),
    filter: new Int32Array(LEAST_CAPACITY / ENTRIES_A_FILTER_WORD),
    filterShift: filterShiftOf(LEAST_CAPACITY / ENTRIES_A_FILTER_WORD),
    count: 0,
    stale: 0,
    required: groupsOf(copy, copy),
    hits: 0,
  };
}

/** The hash of a key under the subtable's mask; the key begins at `offset`. */
export function hashKey(subtable: Subtable, key: Int32Array, offset: number): number {
  const { words, bits } = subtable;
  const factors = FACTORS;
  let hash = 0;
  for (let index = 0; index < words.length; index++) {
    const value = key[offset + words[index]] & bits[index];
    hash = (hash + Math.imul(value ^ (value >>> 16), factors[words[index]])) | 0;
  }
  return hash;
}

/** The same of a flow's key. */
export function hashFlow(subtable: Subtable, store: FlowStore, flow: number): number {
  const { words, bits } = subtable;
  const { rows, wide } = store;
  const row = flow * ROW_WORDS;
  const wideRow = store.wideOf[flow] * WIDE_WORDS - ROW_WORDS;
  const factors = FACTORS;
  let hash = 0;
  for (let index = 0; index < words.length; index++) {
    const word = words[index];
    const value = (word < ROW_WORDS ? rows[row + word] : wide[wideRow + word]) & bits[index];
    hash = (hash + Math.imul(value ^ (value >>> 16), factors[word])) | 0;
  }
  return hash;
}

/** Where the search for a hash begins: the sum's bits are mixed here, as a table's index is its low bits. */
export function firstPlace(hash: number, table: Int32Array): number {
  const mixed = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return ((mixed ^ (mixed >>> 13)) << 1) & (table.length - 1);
}

/** The flow whose masked key is that of `key`, or -1. */
export function findFlow(subtable: Subtable, store: FlowStore, key: Int32Array, offset: number, hash: number): number {
  const { table } = subtable;
  for (let place = firstPlace(hash, table); table[place + 1] !== 0; place = (place + 2) & (table.length - 1)) {
    const flow = table[place + 1] - 1;
    if (table[place] === hash && matchesFlow(subtable, store, key, offset, flow)) return flow;
  }
  return -1;
}

/** Whether a key is that of a flow under the subtable's mask. */
export function matchesFlow(
  subtable: Subtable,
  store: FlowStore,
  key: Int32Array,
  offset: number,
  flow: number,
): boolean {
  const { words, bits } = subtable;
  const { rows, wide } = store;
  const row = flow * ROW_WORDS;
  const wideRow = store.wideOf[flow] * WIDE_WORDS - ROW_WORDS;
  for (let index = 0; index < words.length; index++) {
    const word = words[index];
    const stored = word < ROW_WORDS ? rows[row + word] : wide[wideRow + word];
    if (((stored ^ key[offset + word]) & bits[index]) !== 0) return false;
  }
  return true;
}

/** Adds a flow that is not there yet. Answers whether table and filter have been replaced. */
export function addFlow(subtable: Subtable, key: Int32Array, hash: number, flow: number): boolean {
  subtable.count++;
  if (subtable.required !== 0) subtable.required &= groupsOf(key, subtable.mask);
  const isFull = subtable.count * 4 > subtable.table.length;
  if (isFull) resize(subtable);
  enter(subtable, hash, flow + 1);
  return isFull;
}

/** Removes a flow that is there. Answers whether table and filter have been replaced. */
export function removeFlow(subtable: Subtable, hash: number, flow: number): boolean {
  const { table } = subtable;
  const last = table.length - 1;
  let hole = firstPlace(hash, table);
  while (table[hole + 1] !== flow + 1) hole = (hole + 2) & last;
  // Entries that follow move into the hole, unless that were before the place where their search begins.
  for (let next = (hole + 2) & last; table[next + 1] !== 0; next = (next + 2) & last) {
    if (((next - firstPlace(table[next], table)) & last) < ((next - hole) & last)) continue;
    table[hole] = table[next];
    table[hole + 1] = table[next + 1];
    hole = next;
  }
  table[hole] = 0;
  table[hole + 1] = 0;
  subtable.count--;
  subtable.stale++;
  // A table is made smaller late, when there is little left to enter anew: of 200,000 flows a quarter as many as at once.
  if (subtable.count * 32 < table.length && table.length > 2 * LEAST_CAPACITY) {
    resize(subtable);
    return true;
  }
  if (subtable.stale * 8 > table.length) refillFilter(subtable);
  return false;
}

/** Entries of a table for so many flows: half of them at most are full. */
function capacityFor(count: number): number {
  let capacity = LEAST_CAPACITY;
  while (capacity < count * 2) capacity *= 2;
  return capacity;
}

/** Makes table and filter anew, in the size that the number of flows asks for. */
function resize(subtable: Subtable): void {
  const old = subtable.table;
  const capacity = capacityFor(subtable.count);
  subtable.table = new Int32Array(2 * capacity);
  subtable.filter = new Int32Array(Math.min(capacity / ENTRIES_A_FILTER_WORD, MOST_FILTER_WORDS));
  subtable.filterShift = filterShiftOf(subtable.filter.length);
  subtable.stale = 0;
  for (let place = 0; place < old.length; place += 2) {
    if (old[place + 1] !== 0) enter(subtable, old[place], old[place + 1]);
  }
}

/** Clears the bits of removed flows. */
function refillFilter(subtable: Subtable): void {
  const { table, filter, filterShift } = subtable;
  filter.fill(0);
  subtable.stale = 0;
  for (let place = 0; place < table.length; place += 2) {
    if (table[place + 1] !== 0) mark(filter, table[place] >>> filterShift);
  }
}

/** Sets the two bits of a hash in a filter. */
function mark(filter: Int32Array, bits: number): void {
  filter[bits >>> FILTER_BIT_BITS] |= (1 << bits) | (1 << (bits >>> 5));
}

function enter(subtable: Subtable, hash: number, entry: number): void {
  const { table, filter } = subtable;
  let place = firstPlace(hash, table);
  while (table[place + 1] !== 0) place = (place + 2) & (table.length - 1);
  table[place] = hash;
  table[place + 1] = entry;
  mark(filter, hash >>> subtable.filterShift);
}

function filterShiftOf(filterWords: number): number {
  return 32 - FILTER_BIT_BITS - Math.log2(filterWords);
}

/** `Group` bits of the groups in which the masked key has a bit set. */
function groupsOf(key: Int32Array, mask: Int32Array): number {
  let groups = 0;
  GROUP_WORDS.forEach(([first, count], bit) => {
    for (let word = first; word < first + count; word++) if ((key[word] & mask[word]) !== 0) groups |= 1 << bit;
  });
  return groups;
}
